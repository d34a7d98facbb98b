//! The process's RPC channel: finding it, opening it, guarding it.
//!
//! A `SOCK_SEQPACKET` unix socket at a high fd number, not close-on-exec, marked with the pid it
//! belongs to. It is opened by the first call that needs it. A process finds one in this order:
//!
//! 1. the fd remembered, if it still is that socket (`SO_COOKIE`: raw system calls can close it and
//!    the number be issued again) and the pid is still the one it was opened for;
//! 2. a channel marked with this pid: it survived an exec, or a vfork child has overwritten what the
//!    parent remembered (the marks live in the fd table, which vfork does not share);
//! 3. an inherited one, marked with an ancestor's pid: a fresh socketpair is attached over it, which
//!    works where the path is out of reach (chroot), and the inherited fd is closed;
//! 4. the service's path.
//!
//! A pid of an outer pid namespace can equal one of an inner: then two processes share a channel and
//! tell their replies apart by id only.

mod greet;

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use netcon_wire::Mark;

use crate::abi;
use crate::errno::Errno;
use crate::identity;
use crate::lock::Held;
use crate::{rpc, sys};

static FD: AtomicI32 = AtomicI32::new(-1);
static COOKIE: AtomicU64 = AtomicU64::new(0);
static PID: AtomicU32 = AtomicU32::new(0);

/// Channels live from here on where the fd limit allows: out of the way of programs that count on
/// low numbers, within `FD_SETSIZE`, and a place to look after exec.
const HOME: c_int = 1000;
/// How many numbers from [`HOME`] on (or below a lower limit) are searched.
const HOME_LEN: c_int = 24;

/// The fd of a channel of this process, opened if need be.
pub(crate) fn ready(_: &Held) -> Result<c_int, Errno> {
    let pid = sys::getpid();
    let known = remembered();
    if let Some(fd) = known
        && PID.load(Ordering::Relaxed) == pid
    {
        return Ok(fd);
    }
    if let Some(own) = find(|owner| owner == pid) {
        remember(own, pid);
        return Ok(own);
    }
    if let Some(inherited) = known.or_else(|| find(|_| true)) {
        let attached = greet::attach(inherited, pid);
        // Attached or dead, nobody in this process needs it any longer.
        let _ = sys::close(inherited);
        if let Ok(fd) = attached {
            return Ok(settle(fd, pid));
        }
    }
    greet::open(pid).map(|fd| settle(fd, pid))
}

/// The fd of this process's channel, if it has one and has used it.
pub(crate) fn current(_: &Held) -> Option<c_int> {
    remembered().filter(|_| PID.load(Ordering::Relaxed) == sys::getpid())
}

/// The number of this process's channel, or -1.
pub(crate) fn number() -> c_int {
    FD.load(Ordering::Relaxed)
}

/// Closes a channel whose service has gone, so that the next call opens another.
pub(crate) fn forget(_: &Held, fd: c_int) {
    if remembered() == Some(fd) {
        let _ = sys::close(fd);
        FD.store(-1, Ordering::Relaxed);
    }
}

/// Whether `fd` is the channel, of this process or one it inherited and has not used yet.
pub(crate) fn is_channel(fd: c_int) -> bool {
    let known = FD.load(Ordering::Relaxed);
    if known >= 0 {
        return fd == known && sys::cookie(fd) == Some(COOKIE.load(Ordering::Relaxed));
    }
    is_home(fd) && owner(fd).is_some()
}

/// The channel within a range of fds, if there is one.
pub(crate) fn within(first: u32, last: u32) -> Option<c_int> {
    remembered()
        .or_else(|| find(|_| true))
        .filter(|fd| (first..=last).contains(&fd.cast_unsigned()))
}

/// Moves the channel away from `fd`, which the program wants for something else (dup2).
pub(crate) fn move_away(fd: c_int) {
    let _held = Held::take();
    let Ok(moved) = sys::fcntl(fd, abi::F_DUPFD, first_home()) else {
        return;
    };
    if FD.load(Ordering::Relaxed) == fd {
        FD.store(moved, Ordering::Relaxed);
    }
}

fn remembered() -> Option<c_int> {
    let fd = FD.load(Ordering::Relaxed);
    let is_it = fd >= 0 && sys::cookie(fd) == Some(COOKIE.load(Ordering::Relaxed));
    is_it.then_some(fd)
}

fn remember(fd: c_int, pid: u32) {
    rpc::nothing_told();
    COOKIE.store(sys::cookie(fd).unwrap_or(0), Ordering::Relaxed);
    PID.store(pid, Ordering::Relaxed);
    FD.store(fd, Ordering::Relaxed);
}

/// The pid a channel is marked with.
fn owner(fd: c_int) -> Option<u32> {
    match identity::mark(fd)? {
        Mark::Channel { pid } => Some(pid),
        Mark::Socket { .. } | Mark::Datagram => None,
    }
}

fn find(wanted: impl Fn(u32) -> bool) -> Option<c_int> {
    let low = first_home();
    let homes = (low..low.saturating_add(HOME_LEN)).chain(HOME..HOME + HOME_LEN);
    homes.into_iter().find(|&fd| owner(fd).is_some_and(&wanted))
}

fn is_home(fd: c_int) -> bool {
    let low = first_home();
    (HOME..HOME + HOME_LEN).contains(&fd) || (low..low.saturating_add(HOME_LEN)).contains(&fd)
}

/// Where F_DUPFD starts to look: [`HOME`], or the top of a lower `RLIMIT_NOFILE`.
fn first_home() -> c_int {
    home_below(sys::fd_limit())
}

fn home_below(limit: u64) -> c_int {
    let limit = c_int::try_from(limit).unwrap_or(c_int::MAX);
    limit.saturating_sub(HOME_LEN).clamp(3, HOME)
}

/// Moves an fd of the library's own, close-on-exec, out of the program's way.
pub(crate) fn move_up(fd: c_int) -> Result<c_int, Errno> {
    // Half-way up, so that there is room also where the limit is near the channel's place.
    let low = c_int::try_from(sys::fd_limit() / 2).unwrap_or(c_int::MAX);
    let moved = sys::fcntl(fd, abi::F_DUPFD_CLOEXEC, low.min(HOME + HOME_LEN));
    let _ = sys::close(fd);
    moved
}

/// Moves a fresh channel to its place, marks and remembers it.
fn settle(fd: c_int, pid: u32) -> c_int {
    // F_DUPFD clears close-on-exec: the channel survives exec.
    let settled = match sys::fcntl(fd, abi::F_DUPFD, first_home()) {
        Ok(high) => {
            let _ = sys::close(fd);
            high
        }
        // The top of the table is full: better a low number than none.
        Err(_) => fd,
    };
    let mark = Mark::Channel { pid }.pack();
    let _ = sys::setsockopt(settled, abi::SOL_SOCKET, abi::SO_MAX_PACING_RATE, &mark);
    remember(settled, pid);
    settled
}

#[cfg(test)]
mod tests;
