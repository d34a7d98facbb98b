//! Virtual-memory slabs: large buffers of which only the touched pages cost memory.
//!
//! A connection's rings are big (window scale is fixed when it opens) and mostly empty. A slab is an
//! anonymous mapping; given back, a few stay warm and the others return their pages to the kernel.

use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Cold slabs that are kept mapped, in multiples of the warm ones: they cost address space only.
const COLD_PER_WARM: usize = 64;

/// A pool of slabs of one size.
#[derive(Debug)]
pub struct SlabPool {
    len: usize,
    keep: usize,
    warm: Vec<Slab>,
    cold: Vec<Slab>,
}

impl SlabPool {
    /// Slabs of `len` bytes each, rounded up to whole pages; up to `keep` free ones stay in memory.
    #[must_use]
    pub fn new(len: usize, keep: usize) -> Self {
        Self {
            len: len.max(1).next_multiple_of(page_size()),
            keep,
            warm: Vec::new(),
            cold: Vec::new(),
        }
    }

    /// Bytes of each slab.
    #[must_use]
    pub fn slab_len(&self) -> usize {
        self.len
    }

    /// A slab with unspecified contents (an earlier owner's, or zeroes); `None` when memory is short.
    pub fn take(&mut self) -> Option<Slab> {
        self.warm
            .pop()
            .or_else(|| self.cold.pop())
            .or_else(|| Slab::map(self.len).ok())
    }

    /// Takes a slab back. One of another size is unmapped.
    pub fn give(&mut self, slab: Slab) {
        if slab.len() != self.len {
            return;
        }
        if self.warm.len() < self.keep {
            self.warm.push(slab);
        } else if self.cold.len() < self.keep.max(1) * COLD_PER_WARM && slab.release().is_ok() {
            self.cold.push(slab);
        }
    }
}

/// One mapping, unmapped on drop. Untouched pages are zero and cost nothing.
#[derive(Debug)]
pub struct Slab {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing in it is tied to a thread.
unsafe impl Send for Slab {}
// SAFETY: a shared reference gives read access only.
unsafe impl Sync for Slab {}

impl Slab {
    fn map(len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // NORESERVE: most of it is never touched, so it must not count as committed (mmap(2)).
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: mmap(2) without MAP_FIXED chooses a free range; it touches no existing memory.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        let slab = Self { start, len };
        // Neighbouring slabs merge into one area: with transparent huge pages a single touched byte
        // would cost 2 MiB. A kernel without them says EINVAL (madvise(2)), which is as good.
        let _ = slab.advise(libc::MADV_NOHUGEPAGE);
        Ok(slab)
    }

    /// Gives the pages back to the kernel; the bytes read as zero afterwards.
    fn release(&self) -> io::Result<()> {
        self.advise(libc::MADV_DONTNEED)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is exactly our own mapping; both advices used here leave it valid
        // (madvise(2)), and no reference into it exists while `release` runs: the pool owns the slab.
        crate::call::check(unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, advice) })
            .map(|_| ())
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `start` is a readable mapping of `len` bytes that lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Slab {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, writable, and borrowed exclusively through `self`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl AsRef<[u8]> for Slab {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl AsMut<[u8]> for Slab {
    fn as_mut(&mut self) -> &mut [u8] {
        self
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        // SAFETY: the range is our own mapping and nobody refers to it any more. munmap(2) can only
        // fail by running out of mappings; then the memory stays, which is harmless.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

fn page_size() -> usize {
    // SAFETY: sysconf(3) takes no pointers.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

#[cfg(test)]
mod tests;
