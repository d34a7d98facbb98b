//! epoll(7) and eventfd(2).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::call::{check, check_len};

/// Readable, level-triggered.
pub const LEVEL_IN: u32 = libc::EPOLLIN as u32;
/// Readable, writable and peer's shutdown, edge-triggered.
pub const EDGE_ALL: u32 =
    (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
/// Readable and peer's shutdown, edge-triggered.
pub const EDGE_IN: u32 = (libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
/// Nothing but errors and hang-ups, edge-triggered.
pub const EDGE_HUP: u32 = (libc::EPOLLRDHUP | libc::EPOLLET) as u32;

/// One event: the token given at [`Epoll::add`] and what happened.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    /// As given to [`Epoll::add`].
    pub token: u64,
    events: u32,
}

impl Ready {
    const fn has(self, bits: libc::c_int) -> bool {
        self.events & bits.cast_unsigned() != 0
    }

    /// Data, an end of file or an error can be read.
    pub const fn readable(self) -> bool {
        self.has(libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR)
    }

    /// There is room to write.
    pub const fn writable(self) -> bool {
        self.has(libc::EPOLLOUT)
    }

    /// The peer has shut down writing, or closed: a short read no longer means drained.
    pub const fn read_closed(self) -> bool {
        self.has(libc::EPOLLRDHUP | libc::EPOLLHUP)
    }

    /// Both directions are shut down, or the peer has closed.
    pub const fn hung_up(self) -> bool {
        self.has(libc::EPOLLHUP)
    }
}

/// An epoll instance.
#[derive(Debug)]
pub struct Epoll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// epoll_create1(2); `batch` events at most are returned by one wait.
    pub fn new(batch: usize) -> io::Result<Epoll> {
        // SAFETY: epoll_create1(2) takes no pointer.
        let raw = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: epoll_create1(2) returned a new fd that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Epoll {
            fd,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; batch],
        })
    }

    /// EPOLL_CTL_ADD with one of this module's interest constants.
    pub fn add(&self, fd: BorrowedFd<'_>, interest: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, interest, token)
    }

    fn control(
        &self,
        operation: libc::c_int,
        fd: BorrowedFd<'_>,
        interest: u32,
        token: u64,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: interest,
            u64: token,
        };
        // SAFETY: both fds are open for the call; epoll_ctl(2) reads one epoll_event.
        check(unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                operation,
                fd.as_raw_fd(),
                &raw mut event,
            )
        })?;
        Ok(())
    }

    /// EPOLL_CTL_MOD: what is ready already comes as an edge.
    pub fn modify(&self, fd: BorrowedFd<'_>, interest: u32, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest, token)
    }

    /// EPOLL_CTL_DEL. Needed where another process holds the same description: closing our fd
    /// alone would leave the registration behind (epoll(7), questions and answers).
    pub fn delete(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // SAFETY: both fds are open for the call; EPOLL_CTL_DEL ignores the pointer.
        check(unsafe {
            libc::epoll_ctl(
                self.fd.as_raw_fd(),
                libc::EPOLL_CTL_DEL,
                fd.as_raw_fd(),
                std::ptr::null_mut(),
            )
        })?;
        Ok(())
    }

    /// epoll_pwait2(2). `None` waits for ever; an interrupted wait returns no events.
    pub fn wait(&mut self, timeout_micros: Option<i64>) -> io::Result<usize> {
        let micros = timeout_micros.unwrap_or(0).max(0);
        let ts = libc::timespec {
            tv_sec: micros / 1_000_000,
            tv_nsec: (micros % 1_000_000) * 1_000,
        };
        let ts = timeout_micros.map_or(std::ptr::null(), |_| &raw const ts);
        let max = libc::c_int::try_from(self.events.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the kernel writes at most `max` events into the vector of that length and reads
        // one timespec or, for null, none (epoll_pwait2(2)); no signal mask is passed.
        let n = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.events.as_mut_ptr(),
                max,
                ts,
                std::ptr::null::<libc::sigset_t>(),
                8usize,
            )
        };
        match usize::try_from(n) {
            Ok(n) => Ok(n),
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::Interrupted => Ok(0),
                e => Err(e),
            },
        }
    }

    /// Event `i` of the last wait.
    pub fn ready(&self, i: usize) -> Option<Ready> {
        let event = self.events.get(i)?;
        Some(Ready {
            token: event.u64,
            events: event.events,
        })
    }
}

/// An eventfd(2): wakes an [`Epoll`] from another thread.
#[derive(Debug)]
pub struct Waker {
    fd: OwnedFd,
}

impl Waker {
    /// eventfd(2), non-blocking.
    pub fn new() -> io::Result<Waker> {
        // SAFETY: eventfd(2) takes no pointer.
        let raw = check(unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) })?;
        // SAFETY: eventfd(2) returned a new fd that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        Ok(Waker { fd })
    }

    /// Makes the fd readable.
    pub fn wake(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: write(2) reads 8 bytes from a live array. EAGAIN means it is readable already.
        unsafe { libc::write(self.fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Makes the fd not readable.
    pub fn reset(&self) {
        let mut count = [0u8; 8];
        // SAFETY: read(2) writes at most 8 bytes into a live array.
        let n = unsafe { libc::read(self.fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
        let _ = check_len(n);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
