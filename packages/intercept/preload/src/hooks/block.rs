//! Memory that is the program's to give back: blocks of its own allocator, the only memory that this
//! library ever asks for. None of the functions that give such away may be called from a signal
//! handler (POSIX).

use core::ffi::c_void;

use crate::errno::Errno;
use crate::real::weak;

/// `count` zeroed elements of the program's allocator.
pub(super) fn allocate<T>(count: usize) -> Result<*mut T, Errno> {
    let calloc = weak::calloc().ok_or(Errno::ENOMEM)?;
    // SAFETY: calloc(3) takes any numbers.
    let block = unsafe { calloc(count, size_of::<T>()) };
    if block.is_null() {
        return Err(Errno::ENOMEM);
    }
    // malloc(3): suitably aligned for any built-in type.
    Ok(block.cast())
}

/// Frees what [`allocate`] gave, or null.
///
/// # Safety
/// Such a block, which nobody uses any more.
pub(super) unsafe fn release(block: *mut c_void) {
    if let Some(free) = weak::free() {
        // SAFETY: the caller's contract: a block of the same allocator.
        unsafe { free(block) };
    }
}
