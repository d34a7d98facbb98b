//! socket(7) options that the engine reads and writes on unix sockets.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::call::check;

fn len_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0)
}

fn read<T: Copy + Default>(fd: BorrowedFd<'_>, name: libc::c_int) -> io::Result<T> {
    let mut value = T::default();
    let mut len = len_of::<T>();
    // SAFETY: getsockopt(2) writes at most `len` bytes, the size of `value`; T is an integer.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut len,
        )
    })?;
    Ok(value)
}

fn write<T: Copy>(fd: BorrowedFd<'_>, name: libc::c_int, value: T) -> io::Result<()> {
    // SAFETY: setsockopt(2) reads `size_of::<T>()` bytes from a live integer.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            (&raw const value).cast(),
            len_of::<T>(),
        )
    })?;
    Ok(())
}

/// SO_COOKIE: unique for the life of the machine; the identity of a description's socket.
pub fn cookie(fd: BorrowedFd<'_>) -> io::Result<u64> {
    read(fd, libc::SO_COOKIE)
}

/// Writes the scratch pad (see netcon-wire's mark).
pub fn set_mark(fd: BorrowedFd<'_>, mark: u64) -> io::Result<()> {
    write(fd, libc::SO_MAX_PACING_RATE, mark)
}

/// Reads the scratch pad.
pub fn mark(fd: BorrowedFd<'_>) -> io::Result<u64> {
    read(fd, libc::SO_MAX_PACING_RATE)
}

/// SO_ERROR, an errno or 0; taken.
pub fn take_error(fd: BorrowedFd<'_>) -> io::Result<i32> {
    read(fd, libc::SO_ERROR)
}

/// SO_SNDBUF as the kernel counts it (twice what was asked for, socket(7)).
pub fn send_buffer(fd: BorrowedFd<'_>) -> io::Result<i32> {
    read(fd, libc::SO_SNDBUF)
}

/// SO_SNDBUF; the kernel doubles the value and caps it at net.core.wmem_max.
pub fn set_send_buffer(fd: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    write(fd, libc::SO_SNDBUF, bytes)
}

/// SO_SNDBUFFORCE (CAP_NET_ADMIN), else SO_SNDBUF.
pub fn force_send_buffer(fd: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    write(fd, libc::SO_SNDBUFFORCE, bytes).or_else(|_| set_send_buffer(fd, bytes))
}

/// SO_PEERPIDFD: a pidfd of who connected, or made the pair.
pub fn peer_process(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const SO_PEERPIDFD: libc::c_int = 77;
    let raw: libc::c_int = read(fd, SO_PEERPIDFD)?;
    // SAFETY: the kernel has made a new descriptor, close-on-exec, that nobody else owns (unix(7)).
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}

/// SO_PASSRIGHTS=0 where the kernel has it (6.16): the peer cannot queue fds on a data socket.
pub fn refuse_rights(fd: BorrowedFd<'_>) {
    const SO_PASSRIGHTS: libc::c_int = 83;
    // An older kernel says ENOPROTOOPT; fds that arrive are then closed by the kernel, since the
    // engine reads without room for control data.
    let _ = write(fd, SO_PASSRIGHTS, 0i32);
}
