//! The program's end of a unix socket, reached from the service's end.
//!
//! A reset that arrives with nothing unread cannot be told through a unix socket: a plain close reads
//! as a clean end of file, and the program would take what it has for everything. The kernel gives
//! `ECONNRESET` only if the closed end had unread bytes (unix_release_sock). So one byte is put
//! into the service's receive queue, *through the program's own end*, and the service's end is closed.
//!
//! Needs the right to ptrace the program (pidfd_getfd(2)); whoever lacks it must tell the program in
//! another way.

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::call::{check, check_len, retry};
use crate::diag::{peer_inode, socket_inode};
use crate::{sockopt, unix};

/// A program that moves the descriptor (`dup2`, `close`) while its list is read hides it from one look.
const ATTEMPTS: usize = 3;

/// The other end of `service_end`, as a duplicate of a descriptor that one of the processes
/// `candidates` holds.
///
/// `None` if none of them holds it, or if it is not allowed to look.
pub fn peer_description(
    service_end: BorrowedFd<'_>,
    candidates: impl Iterator<Item = u32>,
) -> Option<OwnedFd> {
    let inode = peer_inode(service_end).ok()?;
    let candidates: Vec<u32> = candidates.collect();
    (0..ATTEMPTS).find_map(|_| candidates.iter().find_map(|&pid| grab(pid, inode)))
}

/// Makes sure that closing `service_end` gives the program `ECONNRESET` instead of an end of file.
///
/// True if there is unread data in `service_end` now: the caller must not read it. False if the
/// program's end was not found or no longer takes data (`shutdown(SHUT_WR)`).
pub fn poison(service_end: BorrowedFd<'_>, candidates: impl Iterator<Item = u32>) -> bool {
    if unix::queued(service_end).is_ok_and(|bytes| bytes > 0) {
        return true;
    }
    let Some(program_end) = peer_description(service_end, candidates) else {
        return false;
    };
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: send(2) reads one byte of a static.
    let sent =
        check_len(unsafe { libc::send(program_end.as_raw_fd(), b"!".as_ptr().cast(), 1, flags) });
    sent.is_ok()
}

/// A process whose descriptors can be fetched by number; the pid cannot pass to another meanwhile.
#[derive(Debug)]
pub struct Process(OwnedFd);

impl Process {
    /// Who has opened the other end of `channel`: the very process, not who has its number now (SO_PEERPIDFD,
    /// Linux 6.5). `None` if it has ended, or the kernel cannot say.
    pub fn behind(channel: BorrowedFd<'_>) -> Option<Process> {
        sockopt::peer_process(channel).ok().map(Process)
    }

    /// A duplicate of its descriptor of that number; `None` without one, or without the right.
    pub fn fetch(&self, number: RawFd) -> Option<OwnedFd> {
        pidfd_getfd(self.0.as_fd(), number)
    }
}

fn grab(pid: u32, inode: u32) -> Option<OwnedFd> {
    // The pid is pinned before its descriptors are read: the number may pass to another process.
    let process = pidfd_open(pid)?;
    let number = find_fd(pid, inode)?;
    let fd = pidfd_getfd(process.as_fd(), number)?;
    // The program may have closed the number and opened another file there meanwhile.
    (socket_inode(fd.as_fd()).ok()? == inode).then_some(fd)
}

/// proc(5): `/proc/PID/fd/N` of a socket links to `socket:[INODE]`.
fn find_fd(pid: u32, inode: u32) -> Option<RawFd> {
    let wanted = format!("socket:[{inode}]");
    fs::read_dir(format!("/proc/{pid}/fd"))
        .ok()?
        .flatten()
        .find(|entry| fs::read_link(entry.path()).is_ok_and(|to| to.as_os_str() == &*wanted))
        .and_then(|entry| entry.file_name().to_str()?.parse().ok())
}

fn pidfd_open(pid: u32) -> Option<OwnedFd> {
    // SAFETY: pidfd_open(2) takes a pid and flags, no pointers.
    let fd = retry(|| check_fd(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })).ok()?;
    // SAFETY: the kernel returned a new descriptor (close-on-exec) that nobody else owns.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn pidfd_getfd(process: BorrowedFd<'_>, number: RawFd) -> Option<OwnedFd> {
    let fd = retry(|| {
        // SAFETY: pidfd_getfd(2) takes two descriptors and flags, no pointers.
        check_fd(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
    })
    .ok()?;
    // SAFETY: the kernel returned a new descriptor (close-on-exec) that nobody else owns.
    Some(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check_fd(ret: libc::c_long) -> std::io::Result<RawFd> {
    check(RawFd::try_from(ret).unwrap_or(-1))
}

#[cfg(test)]
mod tests;
