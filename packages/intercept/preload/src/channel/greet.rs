//! Opening a channel: finding the service, trusting it, being admitted.

use core::ffi::c_int;

use netcon_wire::{HelloReply, Reply, Request};

use crate::abi;
use crate::env;
use crate::errno::Errno;
use crate::identity;
use crate::message;
use crate::rpc;
use crate::sys;
use crate::text::Line;

/// How long a reply may take, seconds: admission waits for the service's JavaScript, everything
/// else is answered in microseconds. Signals are blocked meanwhile.
const REPLY_TIMEOUT_S: i64 = 10;

fn set_timeouts(fd: c_int) {
    // struct timeval of 64-bit Linux: seconds, microseconds.
    let timeout = [REPLY_TIMEOUT_S, 0];
    let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_RCVTIMEO, &timeout);
    let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_SNDTIMEO, &timeout);
}

/// A channel of this process's own, introduced over an inherited one.
pub(super) fn attach(inherited: c_int, pid: u32) -> Result<c_int, Errno> {
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
pub(super) fn open(pid: u32) -> Result<c_int, Errno> {
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
    let mut last = Errno::ENOENT;
    let mut path = Line::new();
    for place in PLACES {
        path = Line::new();
        if !place(&mut path) {
            continue;
        }
        match connect_to(fd, path.as_bytes()) {
            Ok(_) => return Ok(fd),
            Err(errno) => last = errno,
        }
        // A path named on purpose is the only one tried.
        if env::config().socket().is_some() {
            break;
        }
    }
    let _ = sys::close(fd);
    complain(path.as_bytes(), last);
    Err(Errno::ENETDOWN)
}

fn connect_to(fd: c_int, path: &[u8]) -> Result<c_int, Errno> {
    let mut address = [0; identity::UNIX_LEN];
    let len = identity::unix_address(path, &mut address).ok_or(Errno::EINVAL)?;
    sys::connect(fd, address.get(..len).unwrap_or(&[]))
}

type Path = Line<256>;

/// Where a service may listen; each writes its path, or says that it has none.
const PLACES: [fn(&mut Path) -> bool; 3] = [named, of_the_user, of_the_system];

fn named(path: &mut Path) -> bool {
    let Some((_, value)) = env::config().socket().and_then(<[u8]>::split_last) else {
        return false;
    };
    path.bytes(value);
    true
}

fn of_the_user(path: &mut Path) -> bool {
    let Some(dir) = env::lookup(b"XDG_RUNTIME_DIR=").filter(|dir| !dir.is_empty()) else {
        return false;
    };
    path.bytes(dir).str("/netcon/netcon.sock");
    true
}

fn of_the_system(path: &mut Path) -> bool {
    path.str("/run/netcon/netcon.sock");
    true
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
    message::say_once(&[
        b"no service at ",
        path,
        reason,
        b". The network is down for this program; start a service with `netcon service`",
    ]);
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
