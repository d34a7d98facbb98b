//! Virtual-memory slabs: large buffers of which only the touched pages cost memory.
//!
//! A connection's rings are big (window scale is fixed when it opens) and mostly empty. A slab is an
//! anonymous mapping. Free ones keep what was touched of them up to a limit, so that busy connections take
//! pages that are there; [`SlabPool::trim`] gives back what a quiet pool can do without. See
//! docs/internals/engine.md, "Memory".

use std::collections::VecDeque;
use std::io;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// Free slabs without pages that are kept mapped: they cost address space, and page tables of some KiB.
const COLD: usize = 512;

/// What free slabs may hold.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// Bytes of touched pages while the pool is in use.
    pub busy: usize,
    /// And after [`SlabPool::trim`].
    pub quiet: usize,
}

/// A pool of slabs of one size.
#[derive(Debug)]
pub struct SlabPool {
    len: usize,
    keep: Keep,
    /// Oldest first; the newest is taken first, for its pages are in the processor's cache.
    warm: VecDeque<Slab>,
    /// Bytes touched of the warm ones.
    touched: usize,
    cold: Vec<Slab>,
}

impl SlabPool {
    /// Slabs of `len` bytes each, rounded up to whole pages.
    #[must_use]
    pub fn new(len: usize, keep: Keep) -> Self {
        Self {
            len: len.max(1).next_multiple_of(page_size()),
            keep,
            warm: VecDeque::new(),
            touched: 0,
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
        if let Some(slab) = self.warm.pop_back() {
            self.touched -= slab.touched;
            return Some(slab);
        }
        self.cold.pop().or_else(|| Slab::map(self.len).ok())
    }

    /// Takes a slab back of whose pages `touched` bytes are in memory. One of another size is unmapped.
    pub fn give(&mut self, mut slab: Slab, touched: usize) {
        if slab.len() != self.len {
            return;
        }
        slab.touched = touched.min(self.len).next_multiple_of(page_size());
        if slab.touched == 0 {
            return self.keep_cold(slab);
        }
        self.touched += slab.touched;
        self.warm.push_back(slab);
        self.shrink(self.keep.busy);
    }

    /// Whether [`SlabPool::trim`] would give anything back.
    #[must_use]
    pub fn excess(&self) -> bool {
        self.touched > self.keep.quiet
    }

    /// Gives pages back to the kernel until a quiet pool's share is left.
    pub fn trim(&mut self) {
        self.shrink(self.keep.quiet);
    }

    fn shrink(&mut self, limit: usize) {
        while self.touched > limit {
            let Some(mut slab) = self.warm.pop_front() else {
                return;
            };
            self.touched -= slab.touched;
            if self.cold.len() < COLD && slab.pages.give_back().is_ok() {
                slab.touched = 0;
                self.keep_cold(slab);
            }
        }
    }

    fn keep_cold(&mut self, slab: Slab) {
        if self.cold.len() < COLD {
            self.cold.push(slab);
        }
    }
}

/// One mapping. Untouched pages are zero and cost nothing.
#[derive(Debug)]
pub struct Slab {
    pages: Pages,
    /// Bytes of its pages that earlier owners have left in memory.
    touched: usize,
}

impl Slab {
    fn map(len: usize) -> io::Result<Self> {
        let mapping = Mapping::new(len)?;
        Ok(Self {
            pages: Pages(Arc::new(mapping)),
            touched: 0,
        })
    }

    /// Bytes of its pages that were in memory when it was taken.
    #[must_use]
    pub fn touched(&self) -> usize {
        self.touched
    }

    /// What gives the pages back while the slab is lent to somebody who cannot.
    #[must_use]
    pub fn pages(&self) -> Pages {
        self.pages.clone()
    }
}

/// The pages of a slab, to be given back while its owner has lent the slab to somebody.
#[derive(Clone, Debug)]
pub struct Pages(Arc<Mapping>);

impl Pages {
    /// Gives the pages back to the kernel; the bytes read as zero afterwards. Only for a slab whose contents
    /// nobody relies on at the moment, as of a ring that is empty.
    pub fn give_back(&self) -> io::Result<()> {
        self.0.advise(libc::MADV_DONTNEED)
    }
}

/// An anonymous mapping, unmapped on drop.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone; nothing in it is tied to a thread.
unsafe impl Send for Mapping {}
// SAFETY: a shared reference gives no access to the bytes; what it can do is a system call.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(len: usize) -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // NORESERVE: most of it is never touched, so it must not count as committed (mmap(2)).
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: mmap(2) without MAP_FIXED chooses a free range; it touches no existing memory.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, protection, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(io::Error::last_os_error)?;
        let mapping = Self { start, len };
        // Neighbouring slabs merge into one area: with transparent huge pages a single touched byte
        // would cost 2 MiB. A kernel without them says EINVAL (madvise(2)), which is as good.
        let _ = mapping.advise(libc::MADV_NOHUGEPAGE);
        Ok(mapping)
    }

    fn advise(&self, advice: libc::c_int) -> io::Result<()> {
        // SAFETY: the range is exactly our own mapping, which stands as long as `self`, and both advices used
        // here leave it valid (madvise(2)). MADV_DONTNEED changes bytes that a slab's borrower may hold: to them
        // it is as if the kernel had written zeroes, as recv(2) through the same address may; any byte is a
        // valid `u8`, and the contract of `Pages::give_back` is that none is relied on.
        crate::call::check(unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, advice) })
            .map(|_| ())
    }
}

impl Deref for Slab {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let Mapping { start, len } = &*self.pages.0;
        // SAFETY: `start` is a readable mapping of `len` bytes that lives as long as `self`.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), *len) }
    }
}

impl DerefMut for Slab {
    fn deref_mut(&mut self) -> &mut [u8] {
        let Mapping { start, len } = &*self.pages.0;
        // SAFETY: as above, writable, and borrowed exclusively through `self`: `Pages` gives no bytes out.
        unsafe { std::slice::from_raw_parts_mut(start.as_ptr(), *len) }
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

impl Drop for Mapping {
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
