//! socket(2): a description made by the service, or a refusal.

use core::ffi::c_int;

use netcon_wire::{Family, Reply, Request, SOCKET_CLOEXEC, SOCKET_NONBLOCK, SocketKind};

use crate::abi;
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::Errno;
use crate::identity::Socket;
use crate::ops::options::carry;
use crate::{ready, rpc, sys};

/// socket(2)
pub(crate) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Detour<c_int> {
    let family = match domain {
        abi::AF_INET => Family::Inet,
        abi::AF_INET6 => Family::Inet6,
        _ => return Detour::Bypass(Reason::Family),
    };
    if env::config().bypass.all {
        return Detour::Bypass(Reason::BypassAll);
    }
    match check(family, kind, protocol) {
        Ok(wanted) => create(family, wanted, kind).into(),
        Err(errno) => Detour::Failed(errno),
    }
}

/// Linux's checks in Linux's order (net/socket.c, net/ipv4/af_inet.c); then what netcon lacks.
fn check(family: Family, kind: c_int, protocol: c_int) -> Result<SocketKind, Errno> {
    let base = kind & abi::SOCK_TYPE_MASK;
    if kind & !(abi::SOCK_TYPE_MASK | abi::SOCK_CLOEXEC | abi::SOCK_NONBLOCK) != 0 {
        return Err(Errno::EINVAL);
    }
    if base >= abi::SOCK_MAX || !(0..abi::IPPROTO_MAX).contains(&protocol) {
        return Err(Errno::EINVAL);
    }
    match (base, protocol) {
        (abi::SOCK_STREAM, 0 | abi::IPPROTO_TCP) => Ok(SocketKind::Stream),
        (abi::SOCK_DGRAM, 0 | abi::IPPROTO_UDP) => Ok(SocketKind::Udp),
        (abi::SOCK_DGRAM, abi::IPPROTO_UDPLITE) => Ok(SocketKind::UdpLite),
        (abi::SOCK_DGRAM, abi::IPPROTO_ICMP) if family == Family::Inet => Ok(SocketKind::Ping),
        (abi::SOCK_DGRAM, abi::IPPROTO_ICMPV6) if family == Family::Inet6 => Ok(SocketKind::Ping),
        // Deviation: raw and packet sockets, MPTCP and SCTP exist on Linux.
        (abi::SOCK_STREAM | abi::SOCK_DGRAM | abi::SOCK_RAW | SOCK_PACKET, _) => {
            Err(Errno::EPROTONOSUPPORT)
        }
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

/// `SOCK_PACKET`: with `AF_INET` the obsolete way to a packet socket (socket(2)).
const SOCK_PACKET: c_int = 10;

/// Asks the service for a description; of `kind` only the flags count.
pub(crate) fn create(family: Family, wanted: SocketKind, kind: c_int) -> Result<c_int, Errno> {
    let cloexec = kind & abi::SOCK_CLOEXEC != 0;
    let mut flags = 0;
    if kind & abi::SOCK_NONBLOCK != 0 {
        flags |= SOCKET_NONBLOCK;
    }
    if cloexec {
        flags |= SOCKET_CLOEXEC;
    }
    if wanted == SocketKind::Stream
        && let Some(taken) = ready::take(family, kind)
    {
        return taken;
    }
    let mut buf = rpc::buffer();
    let request = Request::Socket {
        family,
        flags,
        kind: wanted,
    };
    match rpc::call_for_fd(&request, &[], &mut buf, cloexec)? {
        (Reply::Socket { .. }, Some(fd)) => Ok(fd),
        (_, fd) => {
            if let Some(fd) = fd {
                let _ = sys::close(fd);
            }
            Err(Errno::EPROTO)
        }
    }
}

/// Puts a fresh description of netcon's under an fd whose native socket is used up. Options are
/// carried over; earlier dups and epoll registrations keep the old one (docs/limits.md).
pub(crate) fn renew(socket: &Socket) -> Result<(), Errno> {
    let kind = abi::SOCK_CLOEXEC | nonblock_flag(socket.fd)?;
    let fresh = create(socket.family, SocketKind::Stream, kind)?;
    carry::copy_all(socket, fresh);
    install(fresh, socket.fd)
}

/// The same with a description that the service sent for the same entry: its half of the options
/// is kept, the kernel's is copied.
pub(crate) fn replace(socket: &Socket, fresh: c_int) -> Result<(), Errno> {
    let nonblock = nonblock_flag(socket.fd)?;
    if nonblock != 0 {
        // Nobody else holds this description yet, so its flags are ours to set.
        let _ = sys::fcntl(fresh, abi::F_SETFL, nonblock);
    }
    carry::copy_native_all(socket.fd, fresh);
    install(fresh, socket.fd)
}

/// `SOCK_NONBLOCK` if the description has `O_NONBLOCK`.
pub(crate) fn nonblock_flag(fd: c_int) -> Result<c_int, Errno> {
    // The same bit (include/linux/net.h).
    Ok(sys::fcntl(fd, abi::F_GETFL, 0)? & abi::O_NONBLOCK)
}

/// Moves `fresh` to the number `fd`, which keeps its close-on-exec flag.
pub(crate) fn install(fresh: c_int, fd: c_int) -> Result<(), Errno> {
    let flags = sys::fcntl(fd, abi::F_GETFD, 0)?;
    let cloexec = if flags & abi::FD_CLOEXEC != 0 {
        abi::O_CLOEXEC
    } else {
        0
    };
    let moved = sys::dup3(fresh, fd, cloexec);
    let _ = sys::close(fresh);
    moved.map(|_| ())
}
