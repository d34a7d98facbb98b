//! Looking at a file that is about to be executed.

use core::ffi::{CStr, c_char, c_int};

use super::{call, check, int, nr, plain, syscall6};
use crate::abi;
use crate::errno::Errno;

/// The fields of `struct statx` that an exec depends on.
pub(crate) struct Status {
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// statx(2)
///
/// # Safety
/// `path` is the program's own argument; the kernel checks it.
pub(crate) unsafe fn status(
    dir: c_int,
    path: *const c_char,
    flags: c_int,
) -> Result<Status, Errno> {
    const STATX_BASIC_STATS: usize = 0x7ff;
    // struct statx: 256 bytes; uid at 20, gid at 24, mode at 28.
    let mut words = [0_u32; 64];
    let args = [
        int(dir),
        path as usize,
        int(flags),
        STATX_BASIC_STATS,
        words.as_mut_ptr() as usize,
        0,
    ];
    // SAFETY: the kernel writes 256 bytes to `words`.
    unsafe { call(nr::STATX, args) }?;
    let [_, _, _, _, _, uid, gid, mode, ..] = words;
    Ok(Status {
        // The upper half is reserved.
        mode: u16::try_from(mode & 0xffff).unwrap_or(0),
        uid,
        gid,
    })
}

/// openat(2) for reading, of a path that is the program's; never blocks.
///
/// # Safety
/// As [`status`].
pub(crate) unsafe fn open(dir: c_int, path: *const c_char, flags: c_int) -> Result<c_int, Errno> {
    let flags = flags | abi::O_CLOEXEC | abi::O_NONBLOCK | abi::O_NOCTTY;
    // SAFETY: the kernel checks the path.
    unsafe { call(nr::OPENAT, [int(dir), path as usize, int(flags), 0, 0, 0]) }
}

/// pread(2)
pub(crate) fn read_at(fd: c_int, buf: &mut [u8], at: u64) -> Result<usize, Errno> {
    let at = usize::try_from(at).map_err(|_| Errno::EINVAL)?;
    let args = [int(fd), buf.as_mut_ptr() as usize, buf.len(), at, 0, 0];
    // SAFETY: the kernel writes at most `buf.len()` bytes.
    check(unsafe { syscall6(nr::PREAD64, args) }).map(isize::cast_unsigned)
}

/// Whether a file has an extended attribute (fgetxattr(2)).
pub(crate) fn has_attribute(fd: c_int, name: &CStr) -> bool {
    let args = [int(fd), name.as_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: with a length of 0 nothing is written.
    unsafe { call(nr::FGETXATTR, args) }.is_ok()
}

/// Whether set-id bits have no effect on the file's mount (statfs(2): `ST_NOSUID`).
pub(crate) fn is_nosuid(fd: c_int) -> bool {
    const ST_NOSUID: u64 = 2;
    // struct statfs: 120 bytes; f_flags is the eleventh word.
    let mut words = [0_u64; 15];
    let args = [int(fd), words.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes 120 bytes to `words`.
    let done = unsafe { call(nr::FSTATFS, args) }.is_ok();
    let [_, _, _, _, _, _, _, _, _, _, flags, ..] = words;
    done && flags & ST_NOSUID != 0
}

/// Whether the process may execute it (faccessat(2), with its real ids, as execvp(3) in effect asks).
pub(crate) fn is_executable(path: &CStr) -> bool {
    const X_OK: usize = 1;
    let args = [int(abi::AT_FDCWD), path.as_ptr() as usize, X_OK, 0, 0, 0];
    // SAFETY: the path ends with a NUL.
    unsafe { call(nr::FACCESSAT, args) }.is_ok()
}

/// getuid(2)
pub(crate) fn getuid() -> u32 {
    plain(nr::GETUID, 0, 0, 0).unwrap_or(0).cast_unsigned()
}

/// getegid(2)
pub(crate) fn getegid() -> u32 {
    plain(nr::GETEGID, 0, 0, 0).unwrap_or(0).cast_unsigned()
}

/// prctl(2) `PR_GET_NO_NEW_PRIVS`: an exec raises no privilege.
pub(crate) fn no_new_privileges() -> bool {
    const PR_GET_NO_NEW_PRIVS: usize = 39;
    plain(nr::PRCTL, PR_GET_NO_NEW_PRIVS, 0, 0) == Ok(1)
}

/// Whether the fd is a terminal (ioctl_tty(2): `TCGETS`).
pub(crate) fn is_terminal(fd: c_int) -> bool {
    const TCGETS: usize = 0x5401;
    let mut termios = [0_u32; 16];
    let args = [int(fd), TCGETS, termios.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel writes a struct termios, 36 bytes, to `termios`.
    unsafe { call(nr::IOCTL, args) }.is_ok()
}
