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

use core::ffi::c_int;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use netcon_wire::{HelloReply, Mark, Reply, Request};

use crate::abi;
use crate::env;
use crate::errno::Errno;
use crate::identity;
use crate::lock::Held;
use crate::message;
use crate::rpc;
use crate::sys;

static FD: AtomicI32 = AtomicI32::new(-1);
static COOKIE: AtomicU64 = AtomicU64::new(0);
static PID: AtomicU32 = AtomicU32::new(0);

/// Channels live from here on where the fd limit allows: out of the way of programs that count on
/// low numbers, within `FD_SETSIZE`, and a place to look after exec.
const HOME: c_int = 1000;
/// How many numbers from [`HOME`] on (or below a lower limit) are searched.
const HOME_LEN: c_int = 24;

/// How long a reply may take, seconds: admission waits for the service's JavaScript, everything
/// else is answered in microseconds. Signals are blocked meanwhile.
const REPLY_TIMEOUT_S: i64 = 10;

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
        let attached = attach(inherited, pid);
        // Attached or dead, nobody in this process needs it any longer.
        let _ = sys::close(inherited);
        if let Ok(fd) = attached {
            return Ok(settle(fd, pid));
        }
    }
    open(pid).map(|fd| settle(fd, pid))
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

/// The pid of the service at the other end, if this process's channel was opened by path.
pub(crate) fn service_pid() -> Option<i32> {
    let fd = remembered()?;
    let peer = sys::peer_credentials(fd).ok()?.pid;
    // Of a socketpair both ends carry the pid of its maker: the process that the mark names.
    (owner(fd) != Some(peer.cast_unsigned())).then_some(peer)
}

fn remembered() -> Option<c_int> {
    let fd = FD.load(Ordering::Relaxed);
    let is_it = fd >= 0 && sys::cookie(fd) == Some(COOKIE.load(Ordering::Relaxed));
    is_it.then_some(fd)
}

fn remember(fd: c_int, pid: u32) {
    COOKIE.store(sys::cookie(fd).unwrap_or(0), Ordering::Relaxed);
    PID.store(pid, Ordering::Relaxed);
    FD.store(fd, Ordering::Relaxed);
}

/// The pid a channel is marked with.
fn owner(fd: c_int) -> Option<u32> {
    match identity::mark(fd)? {
        Mark::Channel { pid } => Some(pid),
        Mark::Socket { .. } => None,
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

fn set_timeouts(fd: c_int) {
    // struct timeval of 64-bit Linux: seconds, microseconds.
    let timeout = [REPLY_TIMEOUT_S, 0];
    let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_RCVTIMEO, &timeout);
    let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_SNDTIMEO, &timeout);
}

/// A channel of this process's own, introduced over an inherited one.
fn attach(inherited: c_int, pid: u32) -> Result<c_int, Errno> {
    let [mine, theirs] = sys::socketpair(abi::SOCK_SEQPACKET)?;
    set_timeouts(mine);
    let mut program = [0; netcon_wire::MAX_PROGRAM_LEN];
    let request = Request::Attach {
        pid,
        program: program_name(&mut program),
    };
    let mut buf = rpc::buffer();
    let sent = rpc::send(inherited, &request, &[theirs], &mut buf);
    let _ = sys::close(theirs);
    let reply = sent.and_then(|id| rpc::receive(mine, id, &mut buf));
    finish(mine, reply)
}

/// A channel by the service's path.
fn open(pid: u32) -> Result<c_int, Errno> {
    let fd = connect()?;
    if let Err(errno) = check_owner(fd) {
        let _ = sys::close(fd);
        return Err(errno);
    }
    let mut program = [0; netcon_wire::MAX_PROGRAM_LEN];
    let request = Request::Hello {
        pid,
        program: program_name(&mut program),
    };
    let mut buf = rpc::buffer();
    let sent = rpc::send(fd, &request, &[], &mut buf);
    let reply = sent.and_then(|id| rpc::receive(fd, id, &mut buf));
    finish(fd, reply)
}

/// Judges the answer to HELLO or ATTACH.
fn finish(fd: c_int, reply: Result<(u32, Reply<'_>), Errno>) -> Result<c_int, Errno> {
    let errno = match reply {
        Ok((0, Reply::Hello(_))) => return Ok(fd),
        Ok((status, Reply::Hello(hello))) => refused(status, &hello),
        Ok(_) => Errno::EPROTO,
        Err(errno) => {
            message::say_once(&[b"the service did not answer; is it being stopped?"]);
            errno
        }
    };
    let _ = sys::close(fd);
    Err(errno)
}

fn refused(status: u32, hello: &HelloReply<'_>) -> Errno {
    message::say_once(&[hello.message]);
    match rpc::errno(status) {
        // The refusal of admission.
        Errno::EACCES | Errno::EPERM => Errno::EACCES,
        _ => Errno::ENETDOWN,
    }
}

/// Connects to the first path where a service listens.
fn connect() -> Result<c_int, Errno> {
    let fd = sys::socket(
        c_int::from(abi::AF_UNIX),
        abi::SOCK_SEQPACKET | abi::SOCK_CLOEXEC,
        0,
    )?;
    set_timeouts(fd);
    let mut address = [0; identity::UNIX_LEN];
    let mut last = Errno::ENOENT;
    let mut path: &[u8] = b"";
    let mut scratch = Path::new();
    for place in 0..3 {
        let Some(len) = scratch.place(place) else {
            continue;
        };
        let Some(candidate) = scratch.bytes(len) else {
            continue;
        };
        let connected = unix_address(candidate, &mut address)
            .ok_or(Errno::EINVAL)
            .and_then(|len| sys::connect(fd, address.get(..len).unwrap_or(&[])));
        match connected {
            Ok(_) => return Ok(fd),
            Err(errno) => {
                last = errno;
                // The place named on purpose is the one to report.
                if place == 0 {
                    break;
                }
            }
        }
    }
    let _ = sys::close(fd);
    if let Some(named) = env::config().socket() {
        path = named.split_last().map_or(b"", |(_, path)| path);
    }
    complain(path, last);
    Err(Errno::ENETDOWN)
}

fn complain(path: &[u8], errno: Errno) {
    let reason: &[u8] = match errno {
        Errno::ENOENT => b": no such socket",
        Errno::ECONNREFUSED => b": nobody listens there",
        Errno::EACCES | Errno::EPERM => b": permission denied",
        Errno::EAGAIN => b": the service does not answer",
        Errno::EINVAL => b": the path is too long",
        _ => b": cannot connect",
    };
    let shown = if path.is_empty() { DEFAULT_PATH } else { path };
    message::say_once(&[
        b"no service at ",
        shown,
        reason,
        b". The network is down for this program; start a service with `netcon service`",
    ]);
}

const DEFAULT_PATH: &[u8] = b"/run/netcon/netcon.sock";
const RUNTIME_SUFFIX: &[u8] = b"/netcon/netcon.sock";

/// A candidate path under construction.
struct Path(crate::text::Line<256>);

impl Path {
    const fn new() -> Self {
        Path(crate::text::Line::new())
    }

    /// Writes candidate `n`: NETCON_SOCKET, the user's runtime directory, /run. Returns its
    /// length.
    fn place(&mut self, n: u32) -> Option<usize> {
        self.0 = crate::text::Line::new();
        match n {
            0 => {
                let (_, path) = env::config().socket()?.split_last()?;
                self.0.bytes(path);
            }
            1 => {
                let dir = env::lookup(b"XDG_RUNTIME_DIR=").filter(|dir| !dir.is_empty())?;
                self.0.bytes(dir).bytes(RUNTIME_SUFFIX);
            }
            _ => {
                self.0.bytes(DEFAULT_PATH);
            }
        }
        Some(self.0.as_bytes().len())
    }

    fn bytes(&self, len: usize) -> Option<&[u8]> {
        self.0.as_bytes().get(..len)
    }
}

/// Writes `struct sockaddr_un`; `None` if the path doesn't fit (unix(7): 108 bytes).
fn unix_address(path: &[u8], out: &mut [u8; identity::UNIX_LEN]) -> Option<usize> {
    let room = out.len().checked_sub(2)?.checked_sub(1)?;
    if path.is_empty() || path.len() > room {
        return None;
    }
    let family = abi::AF_UNIX.to_ne_bytes();
    let fields = family.into_iter().chain(path.iter().copied()).chain([0]);
    let mut len = 0;
    for (to, from) in out.iter_mut().zip(fields) {
        *to = from;
        len += 1;
    }
    Some(len)
}

/// `/proc/sys/kernel/overflowuid`: how a user that has no number in our namespace is shown.
const OVERFLOW_UID: u32 = 65534;

/// Trusts a service of our own uid or of root. In a user namespace whose map has no number for its
/// owner, root (and everybody else outside) is shown as the overflow uid: that is taken too, since
/// the owner of the path's directory is then the same nobody and no better test exists.
fn check_owner(fd: c_int) -> Result<(), Errno> {
    let uid = sys::peer_credentials(fd)?.uid;
    let trusted = uid == sys::geteuid() || uid == 0 || (uid == OVERFLOW_UID && in_user_namespace());
    if trusted {
        return Ok(());
    }
    message::say_once(&[
        b"the service belongs to another user and is not trusted; ",
        b"start one of your own with `netcon service`",
    ]);
    Err(Errno::ENETDOWN)
}

/// user_namespaces(7): the initial namespace maps all 2^32-1 numbers to themselves.
fn in_user_namespace() -> bool {
    let mut map = [0; 64];
    let Ok(fd) = sys::open(b"/proc/self/uid_map\0", abi::O_CLOEXEC, 0) else {
        return false;
    };
    let len = sys::read(fd, &mut map).unwrap_or(0);
    let _ = sys::close(fd);
    let text = map.get(..len).unwrap_or(&[]);
    !text
        .windows(b"4294967295".len())
        .any(|window| window == b"4294967295")
}

/// The last component of `/proc/self/exe`.
fn program_name(out: &mut [u8; netcon_wire::MAX_PROGRAM_LEN]) -> &[u8] {
    let mut link = [0; 512];
    let len = sys::readlink(c"/proc/self/exe", &mut link).unwrap_or(0);
    let path = link.get(..len).unwrap_or(&[]);
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(&[]);
    let mut used = 0;
    for (to, from) in out.iter_mut().zip(name) {
        *to = *from;
        used += 1;
    }
    out.get(..used).unwrap_or(&[])
}

#[cfg(test)]
mod tests;
