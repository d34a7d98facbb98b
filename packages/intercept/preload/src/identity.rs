//! What an fd is: the mark that its description carries ([`netcon_wire::Mark`]).
//!
//! There is no table of fds in the library, hence nothing that goes stale when a number is closed
//! and issued again, and nothing to carry over fork, exec, dup or `SCM_RIGHTS`.

use core::ffi::c_int;

use netcon_wire::{DirectMark, Family, Mark, NAME_LEN, Reply, Request, SocketName, SocketState};

use crate::abi::{self, Timespec};
use crate::detour::Reason;
use crate::errno::Errno;
use crate::{rpc, sys};

/// One of netcon's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    /// The program's fd.
    pub(crate) fd: c_int,
    /// `AF_INET` or `AF_INET6`.
    pub(crate) family: Family,
    /// As far as the mark knows.
    pub(crate) state: SocketState,
    /// A listener whose options accept(2) copies.
    pub(crate) inherits: bool,
    /// One end of a direct connection, and what is noted of it.
    pub(crate) direct: Option<DirectMark>,
}

/// The mark of an fd: one getsockopt.
pub(crate) fn mark(fd: c_int) -> Option<Mark> {
    let raw = sys::getsockopt::<u64>(fd, abi::SOL_SOCKET, abi::SO_MAX_PACING_RATE).ok()?;
    Mark::unpack(raw)
}

/// The socket behind an fd, if it is one of ours.
pub(crate) fn socket(fd: c_int) -> Result<Socket, Reason> {
    match mark(fd) {
        Some(Mark::Socket {
            family,
            state,
            inherits,
            direct,
            ..
        }) => Ok(Socket {
            fd,
            family,
            state,
            inherits,
            direct,
        }),
        Some(Mark::Channel { .. } | Mark::Datagram) | None => Err(Reason::NotOurs),
    }
}

/// Whether it is a kernel datagram socket of the service's network: nothing about it is netcon's to
/// do any more, and nothing of it reaches the host's network.
pub(crate) fn is_datagram(fd: c_int) -> bool {
    mark(fd) == Some(Mark::Datagram)
}

/// Marks a socket that accept(2) has just returned.
pub(crate) fn mark_accepted(fd: c_int, family: Family, name: &SocketName) {
    let mark = Mark::Socket {
        family,
        state: SocketState::Connected,
        inherits: false,
        direct: name.direct.then(DirectMark::default),
        id: name.id,
    };
    let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_MAX_PACING_RATE, &mark.pack());
}

/// Notes something of an end of a direct connection in its mark.
pub(crate) fn note(fd: c_int, change: impl FnOnce(&mut DirectMark)) {
    if let Some(Mark::Socket {
        family,
        state,
        inherits,
        direct: Some(mut direct),
        id,
    }) = mark(fd)
    {
        change(&mut direct);
        let mark = Mark::Socket {
            family,
            state,
            inherits,
            direct: Some(direct),
            id,
        };
        let _ = sys::setsockopt(fd, abi::SOL_SOCKET, abi::SO_MAX_PACING_RATE, &mark.pack());
    }
}

/// The other end of a direct connection has gone, and the program was told so: what follows is an end of file, and
/// `EPIPE`.
pub(crate) fn told(fd: c_int) {
    note(fd, |direct| direct.parted = true);
}

/// The identity that a unix address carries (as accept4 and getpeername return it).
pub(crate) fn name_in(address: &[u8]) -> Option<SocketName> {
    let path = address.strip_prefix(&abi::AF_UNIX.to_ne_bytes())?;
    SocketName::decode(path).ok()
}

/// Room for `struct sockaddr_un` (unix(7)).
pub(crate) const UNIX_LEN: usize = 110;
const _: () = assert!(NAME_LEN + 2 <= UNIX_LEN);

/// Writes `struct sockaddr_un`; `None` if the path doesn't fit (unix(7): 108 bytes).
pub(crate) fn unix_address(path: &[u8], out: &mut [u8; UNIX_LEN]) -> Option<usize> {
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

/// The identity in the fd's own name (connected by connect) or its peer's (accepted).
pub(crate) fn name_of(fd: c_int) -> Option<SocketName> {
    name_by(sys::nr::GETSOCKNAME, fd).or_else(|| accepted_name(fd))
}

/// The identity of a socket that came from accept(2): it is in its peer's name.
fn accepted_name(fd: c_int) -> Option<SocketName> {
    name_by(sys::nr::GETPEERNAME, fd).map(SocketName::of_accepted)
}

/// Whether the socket came from accept(2).
pub(crate) fn is_accepted(fd: c_int) -> bool {
    accepted_name(fd).is_some()
}

/// Whether both directions of a connected socket have ended: the kernel then reports a hang-up
/// (unix_poll, net/unix/af_unix.c), and a TCP socket is in CLOSED or on its way there.
pub(crate) fn is_over(fd: c_int) -> bool {
    const NOW: Timespec = Timespec { sec: 0, nsec: 0 };
    // POLLHUP is reported whether asked for or not.
    sys::poll(fd, 0, Some(NOW)).is_ok()
}

/// Whether TCP's connection is over, and not only that of unix sockets, which hang up when the other end is closed:
/// TCP is in CLOSE-WAIT then, until this end is shut down as well.
pub(crate) fn has_ended(socket: &Socket) -> bool {
    socket.direct.is_none_or(|direct| direct.shut) && is_over(socket.fd)
}

fn name_by(call: usize, fd: c_int) -> Option<SocketName> {
    let mut buf = [0; UNIX_LEN];
    let len = sys::address_of(call, fd, &mut buf).ok()?;
    name_in(buf.get(..len)?)
}

/// An unmarked socket whose peer's name claims to be the service's, accepted past the hooks
/// (a raw system call, io_uring). The service is asked before it is believed.
pub(crate) fn adopt(fd: c_int) -> Result<Socket, Reason> {
    let Some(name) = accepted_name(fd) else {
        return Err(Reason::NotOurs);
    };
    let mut buf = rpc::buffer();
    let reply = rpc::call(&Request::Map, &[fd], &mut buf);
    let Ok(Reply::Map(map)) = reply else {
        return Err(Reason::NotOurs);
    };
    let name = SocketName { id: map.id, ..name };
    mark_accepted(fd, map.family, &name);
    Ok(Socket {
        fd,
        family: map.family,
        state: map.state,
        inherits: false,
        direct: name.direct.then(DirectMark::default),
    })
}

/// Whether the description has `O_NONBLOCK`.
pub(crate) fn is_nonblocking(fd: c_int) -> Result<bool, Errno> {
    Ok(sys::fcntl(fd, abi::F_GETFL, 0)? & abi::O_NONBLOCK != 0)
}
