//! Reading and writing the program's memory, with `EFAULT` where the kernel would give it.
//!
//! The kernel checks pointers by faulting; a library cannot. Each pointer of a control call is
//! therefore first shown to the kernel ([`sys::readable`], 0.1 us). Memory that is mapped but not
//! writable still faults: `Deviation:` the kernel would give `EFAULT`.

use core::ffi::c_void;

use netcon_wire::{Family, SockAddr};

use crate::errno::Errno;
use crate::{addr, sys};

/// Whether `len` bytes at `ptr` are mapped. Pages between the first and the last are not looked at:
/// nothing here is longer than a page.
fn mapped(ptr: *const c_void, len: usize) -> Result<(), Errno> {
    let start = ptr as usize;
    if len == 0 {
        return Ok(());
    }
    let last = start.checked_add(len - 1).ok_or(Errno::EFAULT)?;
    // The first page is never mapped (vm.mmap_min_addr).
    if start < 4096 || !sys::readable(start) || !sys::readable(last) {
        return Err(Errno::EFAULT);
    }
    Ok(())
}

/// Copies `len` bytes (at most `N`) from the program.
///
/// # Safety
/// `ptr` is what the program passed; if mapped, nobody frees it during the call.
pub(crate) unsafe fn read<const N: usize>(
    ptr: *const c_void,
    len: usize,
) -> Result<[u8; N], Errno> {
    mapped(ptr, len)?;
    let mut out = [0; N];
    // SAFETY: `mapped` has seen the source; the destination holds N bytes.
    unsafe { core::ptr::copy_nonoverlapping(ptr.cast::<u8>(), out.as_mut_ptr(), len.min(N)) };
    Ok(out)
}

/// Reads an `int` or `socklen_t`.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn read_i32(ptr: *const c_void) -> Result<i32, Errno> {
    // SAFETY: the caller's contract.
    unsafe { read::<4>(ptr, 4) }.map(i32::from_ne_bytes)
}

/// Copies `bytes` to the program.
///
/// # Safety
/// As [`read`], and the memory is the program's to write.
pub(crate) unsafe fn write(ptr: *mut c_void, bytes: &[u8]) -> Result<(), Errno> {
    mapped(ptr, bytes.len())?;
    // SAFETY: `mapped` has seen the destination.
    unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), ptr.cast::<u8>(), bytes.len()) };
    Ok(())
}

/// The address argument of bind(2) and connect(2): its bytes, in a buffer of the longest address.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn address_bytes(
    ptr: *const c_void,
    len: u32,
) -> Result<([u8; addr::MAX_LEN], usize), Errno> {
    let len = len as usize;
    // move_addr_to_kernel (net/socket.c): negative lengths are large ones here.
    if len > addr::MAX_LEN {
        return Err(Errno::EINVAL);
    }
    // SAFETY: the caller's contract.
    Ok((unsafe { read(ptr, len) }?, len))
}

/// Answers getsockname(2), getpeername(2) and accept(2): at most `*len` bytes, then the true length
/// (move_addr_to_user, net/socket.c).
///
/// # Safety
/// As [`write`], for both pointers.
pub(crate) unsafe fn put_address(
    out: *mut c_void,
    len: *mut u32,
    value: &SockAddr,
    family: Family,
) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    let room = unsafe { read_i32(len.cast()) }?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let (bytes, full) = addr::encode(value, family);
    let shown = bytes.get(..room.min(full)).unwrap_or(&[]);
    // SAFETY: the caller's contract.
    unsafe { write(out, shown) }?;
    let full = i32::try_from(full).unwrap_or(0);
    // SAFETY: the caller's contract.
    unsafe { write(len.cast(), &full.to_ne_bytes()) }
}

/// Answers getsockopt(2): at most `*len` bytes, then how many were written.
///
/// # Safety
/// As [`write`], for both pointers.
pub(crate) unsafe fn put_option(
    out: *mut c_void,
    len: *mut u32,
    value: &[u8],
) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    let room = unsafe { read_i32(len.cast()) }?;
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let shown = value.get(..room.min(value.len())).unwrap_or(&[]);
    // SAFETY: the caller's contract.
    unsafe { write(out, shown) }?;
    let shown = i32::try_from(shown.len()).unwrap_or(0);
    // SAFETY: the caller's contract.
    unsafe { write(len.cast(), &shown.to_ne_bytes()) }
}

/// The same for a length that is not to be believed: the whole value.
///
/// # Safety
/// As [`write`], for both pointers.
pub(crate) unsafe fn put_whole_option(
    out: *mut c_void,
    len: *mut u32,
    value: &[u8],
) -> Result<(), Errno> {
    // SAFETY: the caller's contract.
    unsafe { write(out, value) }?;
    let shown = i32::try_from(value.len()).unwrap_or(0);
    // SAFETY: the caller's contract.
    unsafe { write(len.cast(), &shown.to_ne_bytes()) }
}
