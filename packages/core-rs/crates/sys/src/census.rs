//! Which of the open file descriptions that were handed out are still open somewhere.
//!
//! An epoll instance forgets a description when its last descriptor in any process is closed, and
//! only then, without holding it itself (epoll(7), questions and answers); proc(5) lists what it still
//! knows (`/proc/self/fdinfo`). So any kind of socket can be counted, whatever its owner did with it,
//! and without a right to look into its process.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::call::check;

/// The list.
#[derive(Debug)]
pub struct Census {
    fd: OwnedFd,
}

impl Census {
    /// An empty one.
    pub fn new() -> io::Result<Census> {
        // SAFETY: epoll_create1(2) takes no pointer.
        let raw = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: epoll_create1(2) returned a new fd that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Census { fd })
    }

    /// Takes a description in under a name of the caller's. The caller may close `fd`.
    pub fn add(&self, fd: BorrowedFd<'_>, name: u64) -> io::Result<()> {
        // Disabled: nobody waits, and what happens to the description costs next to nothing.
        let mut event = libc::epoll_event {
            events: libc::EPOLLONESHOT.cast_unsigned(),
            u64: name,
        };
        let (list, fd) = (self.fd.as_raw_fd(), fd.as_raw_fd());
        // SAFETY: both fds are open for the call; epoll_ctl(2) reads one epoll_event.
        check(unsafe { libc::epoll_ctl(list, libc::EPOLL_CTL_ADD, fd, &raw mut event) })?;
        Ok(())
    }

    /// The names of those that are open.
    pub fn open(&self) -> io::Result<Vec<u64>> {
        let list = format!("/proc/self/fdinfo/{}", self.fd.as_raw_fd());
        Ok(parse(&fs::read_to_string(list)?))
    }
}

/// "tfd:        5 events: 40000018 data:                7  pos:0 ino:3d sdev:8", a line each.
fn parse(text: &str) -> Vec<u64> {
    let name = |line: &str| {
        let mut words = line.strip_prefix("tfd:")?.split_ascii_whitespace();
        words.find(|word| *word == "data:")?;
        u64::from_str_radix(words.next()?, 16).ok()
    };
    text.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests;
