//! Lays out structures in a buffer of the caller's, as the `_r` functions of libc do.

use core::ffi::c_char;
use core::mem::{align_of, size_of};

/// What is left of a caller's buffer.
pub(crate) struct Packer {
    at: *mut u8,
    left: usize,
}

impl Packer {
    pub(crate) fn new(buffer: *mut c_char, len: usize) -> Packer {
        Packer {
            at: buffer.cast(),
            left: len,
        }
    }

    /// Room for a `T`; `None` if there is none.
    pub(crate) fn place<T>(&mut self) -> Option<*mut T> {
        self.take(size_of::<T>(), align_of::<T>())
            .map(<*mut u8>::cast)
    }

    /// A copy of `bytes` and a NUL.
    pub(crate) fn string(&mut self, bytes: &[u8]) -> Option<*mut c_char> {
        let at = self.take(bytes.len().checked_add(1)?, 1)?;
        // SAFETY: one byte more than the bytes has just been taken from the caller's buffer.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
        // SAFETY: as above.
        unsafe { at.add(bytes.len()).write(0) };
        Some(at.cast())
    }

    /// A copy of an address, aligned as one.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Option<*mut c_char> {
        let at = self.take(bytes.len(), align_of::<u32>())?;
        // SAFETY: as many bytes have just been taken from the caller's buffer.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
        Some(at.cast())
    }

    /// An array of `count` null pointers and the one that ends it.
    pub(crate) fn pointers(&mut self, count: usize) -> Option<*mut *mut c_char> {
        let count = count.checked_add(1)?;
        let size = count.checked_mul(size_of::<*mut c_char>())?;
        let at = self.take(size, align_of::<*mut c_char>())?;
        // SAFETY: `size` bytes, aligned, have just been taken.
        unsafe { core::ptr::write_bytes(at, 0, size) };
        Some(at.cast())
    }

    fn take(&mut self, size: usize, align: usize) -> Option<*mut u8> {
        let skip = self.at.align_offset(align);
        let used = skip.checked_add(size)?;
        self.left = self.left.checked_sub(used)?;
        // SAFETY: `used` bytes were left in the buffer.
        let start = unsafe { self.at.add(skip) };
        // SAFETY: as above; at most one past its end.
        self.at = unsafe { self.at.add(used) };
        Some(start)
    }
}
