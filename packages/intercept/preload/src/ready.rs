//! What lies ready: sockets that socket(2) takes from a queue of the kernel's, and a listener of the service's
//! that a non-blocking connect(2) connects to, so that neither waits for the service.
//!
//! Asked for when a process makes its second stream socket: those that make one do without. Sockets come in
//! batches and are kept at high numbers, close-on-exec. close(2) is told that they are not open; what closes
//! them all the same is seen by their cookies. A child of a fork must not hold what its parent may use, or a close of the
//! parent's would not be one: it lets go at once (pthread_atfork(3)), or when it next makes a socket.
//!
//! connect(2) of a non-blocking socket fails at once for what this host knows (no route, no port). So that
//! it does, the service is asked the first time that an address is connected to; a later connect to it is
//! told to the service, and what fails then is the socket's error.

use core::ffi::c_int;
use core::net::IpAddr;
use core::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering, Ordering::Relaxed,
};

use netcon_wire::{
    CONNECT_FILLED, CONNECT_NONBLOCKING, Family, MAX_FRAME, Mark, Reply, Request, SockAddr,
    SocketState,
};

use crate::abi::{self, Timespec};
use crate::channel;
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::lock::Held;
use crate::text::Line;
use crate::{real, rpc, sandbox, sys};

/// The process that it belongs to.
static OWNER: AtomicU32 = AtomicU32::new(0);
static PHASE: AtomicU32 = AtomicU32::new(NONE);
static QUEUE: AtomicI32 = AtomicI32::new(-1);
static QUEUE_COOKIE: AtomicU64 = AtomicU64::new(0);
static LISTENER: AtomicI32 = AtomicI32::new(-1);
static INET6: AtomicU32 = AtomicU32::new(0);
/// Octets that fill the smallest send buffer.
static FILL: AtomicU32 = AtomicU32::new(0);
/// The service can fetch fds of this process.
static BY_NUMBER: AtomicBool = AtomicBool::new(false);
/// Sockets kept for socket(2).
static KEPT: [Kept; MOST] = [const { Kept::empty() }; MOST];
/// The lowest number that anything was kept at.
static LOWEST: AtomicI32 = AtomicI32::new(c_int::MAX);
/// More were asked for.
static WANTED: AtomicU32 = AtomicU32::new(0);
/// Stream sockets asked for without it.
static ASKED: AtomicU32 = AtomicU32::new(0);
/// Hashes of addresses to which a connect has begun.
static REACHED: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
static NEXT: AtomicU32 = AtomicU32::new(0);

struct Kept {
    fd: AtomicI32,
    cookie: AtomicU64,
}

impl Kept {
    const fn empty() -> Kept {
        Kept {
            fd: AtomicI32::new(-1),
            cookie: AtomicU64::new(0),
        }
    }
}

/// So many are asked for at once: the fewer times, the less time do they lie in a queue.
const BATCH: u8 = 32;
const _: () = assert!(BATCH as usize <= sys::MAX_FDS);
/// So many are kept when more are asked for, and so many at most.
const ENOUGH: usize = 8;
const MOST: usize = ENOUGH + BATCH as usize;
/// A process that may have fewer fds than that is asked for none.
const LEAST_LIMIT: u64 = 256;

const NONE: u32 = 0;
const PREPARING: u32 = 1;
const READY: u32 = 2;
/// The service, or this process, cannot.
const OFF: u32 = 3;

/// The smallest SO_SNDBUF: the kernel raises it (socket(7)).
const MIN_SEND_BUFFER: c_int = 1;
const FILLING: [u8; 4096] = [0; 4096];

/// A stream socket that lies ready; `None`: the service is to be asked.
pub(crate) fn take(family: Family, kind: c_int) -> Option<Result<c_int, Errno>> {
    if sandbox::is_entered() {
        return None;
    }
    let pid = sys::getpid();
    if OWNER.load(Relaxed) != pid {
        inherit(pid);
    }
    match PHASE.load(Relaxed) {
        READY => {}
        NONE if ASKED.fetch_add(1, Relaxed) > 0 => prepare(family)?,
        _ => return None,
    };
    if INET6.load(Relaxed) != u32::from(family == Family::Inet6) {
        return None;
    }
    // Without a service there is no socket (fail closed), whatever is kept.
    let queue = queue()?;
    if WANTED.load(Relaxed) != 0 {
        fetch(queue);
    }
    let taken = {
        let _busy = Busy::take()?;
        pop().map(|(kept, number)| (install(kept, kind), number))
    };
    if taken.is_none_or(|(_, number)| number <= ENOUGH) {
        ask_for_more(family);
    }
    taken.map(|(fd, _)| fd)
}

/// While a socket is on its way from a high number to a low one. A fork in another thread waits: its child would hold
/// what it cannot know of.
struct Busy;

static BUSY: AtomicBool = AtomicBool::new(false);

impl Busy {
    /// Not for a second thread, nor in a handler of a signal that came meanwhile: they do without.
    fn take() -> Option<Busy> {
        // Made only where it is taken: a `Busy` that is dropped gives up what another thread has.
        (!BUSY.swap(true, Ordering::Acquire)).then(|| Busy)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// Before a fork: waits until no socket is on its way; not for ever, should a signal handler fork amid one.
extern "C" fn before_fork() {
    /// Whoever has it may have lost its processor; it makes four system calls.
    const PAUSE: Timespec = Timespec {
        sec: 0,
        nsec: 100_000,
    };
    for _ in 0..5_000 {
        if let Some(busy) = Busy::take() {
            core::mem::forget(busy);
            return;
        }
        let _ = sys::poll(-1, 0, Some(PAUSE));
    }
}

/// After it, in the parent.
extern "C" fn after_fork() {
    drop(Busy);
}

/// The lowest number, as socket(2) gives it.
fn install(kept: c_int, kind: c_int) -> Result<c_int, Errno> {
    let command = if kind & abi::SOCK_CLOEXEC != 0 {
        abi::F_DUPFD_CLOEXEC
    } else {
        abi::F_DUPFD
    };
    let fd = match sys::fcntl(kept, command, 0) {
        Ok(fd) => fd,
        Err(errno) => {
            keep(kept);
            return Err(errno);
        }
    };
    let _ = sys::close(kept);
    if kind & abi::SOCK_NONBLOCK != 0 {
        // Nobody else holds it: its flags are ours to set.
        let _ = sys::fcntl(fd, abi::F_SETFL, abi::O_NONBLOCK);
    }
    Ok(fd)
}

/// Whether the program does not know of that fd.
pub(crate) fn holds(fd: c_int) -> bool {
    // Below nothing was ever kept: what is asked nearly always.
    if fd < LOWEST.load(Relaxed) || OWNER.load(Relaxed) != sys::getpid() {
        return false;
    }
    let is = |kept: &AtomicI32, cookie: &AtomicU64| {
        kept.load(Relaxed) == fd && sys::cookie(fd) == Some(cookie.load(Relaxed))
    };
    is(&QUEUE, &QUEUE_COOKIE)
        || LISTENER.load(Relaxed) == fd
        || KEPT.iter().any(|slot| is(&slot.fd, &slot.cookie))
}

/// One of the sockets kept, and how many there are with it.
fn pop() -> Option<(c_int, usize)> {
    for (at, slot) in KEPT.iter().enumerate().rev() {
        let fd = slot.fd.swap(-1, Relaxed);
        if fd >= 0 && sys::cookie(fd) == Some(slot.cookie.load(Relaxed)) {
            return Some((fd, at + 1));
        }
    }
    None
}

/// Fetches what the service was asked for. Called wherever it may have come: in a queue it costs whoever closes a
/// unix socket.
pub(crate) fn collect() {
    if WANTED.load(Relaxed) == 0 || OWNER.load(Relaxed) != sys::getpid() || sandbox::is_entered() {
        return;
    }
    if let Some(queue) = queue() {
        fetch(queue);
    }
}

fn fetch(queue: c_int) {
    let Some(_busy) = Busy::take() else { return };
    let mut ids = [0; 4 * sys::MAX_FDS];
    let Ok(received) = sys::try_recv_with_fds(queue, &mut ids, true) else {
        return;
    };
    WANTED.store(0, Relaxed);
    let inet6 = INET6.load(Relaxed) != 0;
    let family = if inet6 { Family::Inet6 } else { Family::Inet };
    let (ids, _) = ids.as_chunks::<4>();
    for (fd, id) in received.fds.into_iter().zip(ids).filter(|(fd, _)| *fd >= 0) {
        let Ok(fd) = channel::move_up(fd) else {
            continue;
        };
        let mark = Mark::Socket {
            family,
            state: SocketState::Fresh,
            inherits: false,
            id: u32::from_le_bytes(*id),
            direct: None,
        };
        set_mark(fd, mark);
        keep(fd);
    }
}

fn keep(fd: c_int) {
    LOWEST.fetch_min(fd, Relaxed);
    let cookie = sys::cookie(fd).unwrap_or(0);
    for slot in &KEPT {
        if slot.fd.load(Relaxed) < 0 {
            slot.cookie.store(cookie, Relaxed);
            // Another thread may have been faster.
            if slot.fd.compare_exchange(-1, fd, Relaxed, Relaxed).is_ok() {
                return;
            }
        }
    }
    let _ = sys::close(fd);
}

fn ask_for_more(family: Family) {
    let request = Request::Ready {
        family,
        more: BATCH,
        channel: -1,
    };
    if WANTED.swap(1, Relaxed) == 0 && rpc::say(&request).is_err() {
        WANTED.store(0, Relaxed);
    }
}

/// connect(2) of a fresh non-blocking socket, told to the service; `None`: it is to be asked.
pub(crate) fn connect(socket: &Socket, addr: SockAddr) -> Option<Errno> {
    let usable = PHASE.load(Relaxed) == READY
        && OWNER.load(Relaxed) == sys::getpid()
        && !sandbox::is_entered()
        && has_reached(addr.ip);
    let listener = LISTENER.load(Relaxed);
    if !usable || listener < 0 {
        return None;
    }
    // Under the lock, so that connections and records come in the same order.
    let held = Held::take();
    let channel = channel::current(&held)?;
    match connect_native(socket.fd, listener) {
        Ok(_) => {}
        // The service is behind with its queue.
        Err(Errno::EAGAIN) => return None,
        // This process does not see /proc, or the service has gone.
        Err(_) => {
            LISTENER.store(-1, Relaxed);
            return None;
        }
    }
    // From here on there is no way back: what fails, the service says by hanging up.
    let _ = sys::setsockopt(socket.fd, abi::SOL_SOCKET, abi::SO_SNDBUF, &MIN_SEND_BUFFER);
    let len = usize::try_from(FILL.load(Relaxed)).unwrap_or(0);
    let _ = sys::send_with_fds(socket.fd, FILLING.get(..len).unwrap_or(&FILLING), &[]);
    if let Some(Mark::Socket { family, id, .. }) = identity::mark(socket.fd) {
        let mark = Mark::Socket {
            family,
            state: SocketState::Connecting,
            inherits: false,
            id,
            direct: None,
        };
        set_mark(socket.fd, mark);
    }
    let flags = CONNECT_NONBLOCKING | CONNECT_FILLED;
    let fd = socket.fd;
    let mut buf = [0; MAX_FRAME];
    let sent = if BY_NUMBER.load(Relaxed) {
        rpc::send(channel, &Request::Dial { addr, fd }, &[], &mut buf)
    } else {
        rpc::send(channel, &Request::Connect { addr, flags }, &[fd], &mut buf)
    };
    Some(match sent {
        Ok(_) => Errno::EINPROGRESS,
        Err(_) => Errno::ENETDOWN,
    })
}

/// A connect to that address has begun, as the service has said.
pub(crate) fn reached(ip: IpAddr) {
    if PHASE.load(Relaxed) == READY && !has_reached(ip) {
        let at = NEXT.fetch_add(1, Relaxed) as usize % REACHED.len();
        if let Some(slot) = REACHED.get(at) {
            slot.store(hash(ip), Relaxed);
        }
    }
}

fn has_reached(ip: IpAddr) -> bool {
    let hash = hash(ip);
    REACHED.iter().any(|slot| slot.load(Relaxed) == hash)
}

/// FNV-1a; never 0. Two addresses of the same hash only share what the first has shown.
fn hash(ip: IpAddr) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let start = 0xcbf2_9ce4_8422_2325;
    let hash = match ip {
        IpAddr::V4(ip) => ip.octets().iter().fold(start, step),
        IpAddr::V6(ip) => ip.octets().iter().fold(start, step),
    };
    hash | 1
}

/// In the child of a fork: its parent's are its parent's.
extern "C" fn forked() {
    drop(Busy);
    if OWNER.load(Relaxed) != 0 {
        inherit(sys::getpid());
    }
}

/// A new process, by fork or by exec: what a parent had is not for it.
fn inherit(pid: u32) {
    if OWNER.load(Relaxed) != 0 {
        release();
    }
    OWNER.store(pid, Relaxed);
    ASKED.store(0, Relaxed);
}

fn release() {
    for slot in &KEPT {
        let fd = slot.fd.swap(-1, Relaxed);
        if fd >= 0 && sys::cookie(fd) == Some(slot.cookie.load(Relaxed)) {
            let _ = sys::close(fd);
        }
    }
    WANTED.store(0, Relaxed);
    let queue = QUEUE.swap(-1, Relaxed);
    if queue >= 0 && sys::cookie(queue) == Some(QUEUE_COOKIE.load(Relaxed)) {
        let _ = sys::close(queue);
        // The program has not touched the one, so it has not touched the other.
        let listener = LISTENER.swap(-1, Relaxed);
        if listener >= 0 {
            let _ = sys::close(listener);
        }
    }
    LISTENER.store(-1, Relaxed);
    for slot in &REACHED {
        slot.store(0, Relaxed);
    }
    PHASE.store(NONE, Relaxed);
}

/// The queue, if it still is what it was and the service lives.
fn queue() -> Option<c_int> {
    let queue = QUEUE.load(Relaxed);
    let is_ours = sys::cookie(queue) == Some(QUEUE_COOKIE.load(Relaxed));
    if is_ours && !identity::is_over(queue) {
        return Some(queue);
    }
    release();
    if !is_ours {
        // A program that closes what it has not opened will do so again.
        PHASE.store(OFF, Relaxed);
    }
    None
}

fn prepare(family: Family) -> Option<()> {
    PHASE
        .compare_exchange(NONE, PREPARING, Relaxed, Relaxed)
        .ok()?;
    if sys::fd_limit() < LEAST_LIMIT || !real::at_fork(before_fork, after_fork, forked) {
        PHASE.store(OFF, Relaxed);
        return None;
    }
    let mut buf = rpc::buffer();
    let request = Request::Ready {
        family,
        more: 0,
        channel: channel::number(),
    };
    let asked = rpc::exchange_pair(&request, &[], &mut buf);
    let Ok((Ok(Reply::Value(fill)), [Some(queue), Some(listener), ..])) = asked else {
        // An older service does not know it; without one, the next may.
        let again = matches!(asked, Err(Errno::ENETDOWN));
        PHASE.store(if again { NONE } else { OFF }, Relaxed);
        if let Ok((_, fds)) = asked {
            for fd in fds.into_iter().flatten() {
                let _ = sys::close(fd);
            }
        }
        return None;
    };
    let by_number = fill.get(4).is_some_and(|flag| *flag != 0);
    let fill = fill
        .first_chunk()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes));
    let (queue, listener) = (channel::move_up(queue), channel::move_up(listener));
    let (Ok(queue), Ok(listener)) = (queue, listener) else {
        for fd in [queue, listener].into_iter().flatten() {
            let _ = sys::close(fd);
        }
        PHASE.store(OFF, Relaxed);
        return None;
    };
    QUEUE_COOKIE.store(sys::cookie(queue).unwrap_or(0), Relaxed);
    LOWEST.fetch_min(queue.min(listener), Relaxed);
    QUEUE.store(queue, Relaxed);
    LISTENER.store(listener, Relaxed);
    FILL.store(fill, Relaxed);
    BY_NUMBER.store(by_number, Relaxed);
    INET6.store(u32::from(family == Family::Inet6), Relaxed);
    PHASE.store(READY, Relaxed);
    Some(())
}

/// To the listener by its descriptor (proc(5)): the path itself may be out of reach.
fn connect_native(fd: c_int, listener: c_int) -> Result<c_int, Errno> {
    let mut path = Line::<32>::new();
    path.str("/proc/self/fd/").int(i64::from(listener));
    let mut address = [0; identity::UNIX_LEN];
    let len = identity::unix_address(path.as_bytes(), &mut address).ok_or(Errno::EINVAL)?;
    sys::connect(fd, address.get(..len).unwrap_or(&[]))
}

fn set_mark(fd: c_int, mark: Mark) {
    let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_MAX_PACING_RATE, &mark.pack());
}

#[cfg(test)]
mod tests;
