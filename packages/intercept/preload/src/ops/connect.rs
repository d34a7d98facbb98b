//! connect(2), blocking and not.
//!
//! Blocking: the reply comes on a socketpair of the call's own, sent along, so that the wait is a
//! recv(2) and EINTR, SA_RESTART and cancellation are the kernel's and libc's. If it is
//! interrupted, closing that pair tells the service to go on as for a non-blocking connect.

use core::ffi::{c_int, c_void};
use core::net::{IpAddr, Ipv4Addr};
use core::sync::atomic::{AtomicBool, Ordering};

use netcon_wire::{
    CONNECT_DETACH, CONNECT_NONBLOCKING, CONNECT_RELEASE, CONNECT_WAIT, Family, Reply, Request,
    SockAddr, SocketState,
};

use crate::abi::{self, Timespec};
use crate::addr::{self, Purpose};
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::{self, Errno};
use crate::identity::{self, Socket};
use crate::ops::datagrams::{self, Use};
use crate::ops::options::carry;
use crate::ops::{bypass, socket};
use crate::real::{self, Call};
use crate::{ready, rpc, spin, sys, user};

/// connect(2)
///
/// # Safety
/// As [`user::read`] for `address`.
pub(crate) unsafe fn connect(fd: c_int, address: *const c_void, len: u32) -> Detour<c_int> {
    let found = identity::socket(fd);
    if found.is_err() {
        // SAFETY: the caller's contract.
        let steered = unsafe { datagrams::steer(fd, address, len, Use::Connect) };
        if let Some(steered) = steered {
            return steered;
        }
    }
    if found.is_err() && !bypass::is_foreign(fd) {
        return Detour::Bypass(Reason::NotOurs);
    }
    // SAFETY: the caller's contract.
    let (bytes, len) = match unsafe { user::address_bytes(address, len) } {
        Ok(bytes) => bytes,
        Err(errno) => return Detour::Failed(errno),
    };
    let bytes = bytes.get(..len).unwrap_or(&[]);
    match found {
        Ok(socket) => connect_to(&socket, bytes),
        Err(_) => connect_native(bytes),
    }
}

/// A kernel Internet socket: only where a hole was opened (fail closed).
fn connect_native(bytes: &[u8]) -> Detour<c_int> {
    let bypass = &env::config().bypass;
    let is_open = [Family::Inet, Family::Inet6]
        .into_iter()
        .filter_map(|family| addr::decode(bytes, family, Purpose::Connect).ok())
        .any(|addr| bypass.contains(addr.ip));
    let disconnects = addr::family_field(bytes) == Some(abi::AF_UNSPEC);
    if is_open || disconnects || bypass.all {
        Detour::Bypass(Reason::BypassAddress)
    } else {
        Detour::Failed(Errno::ENETDOWN)
    }
}

fn connect_to(socket: &Socket, bytes: &[u8]) -> Detour<c_int> {
    // inet_stream_connect (net/ipv4/af_inet.c): family, then state, then the rest of the address.
    match addr::family_field(bytes) {
        None => return Detour::Failed(Errno::EINVAL),
        Some(abi::AF_UNSPEC) => return disconnect(socket).into(),
        Some(_) => {}
    }
    let addr = addr::decode(bytes, socket.family, Purpose::Connect).map(to_loopback);
    match socket.state {
        SocketState::Listening => return Detour::Failed(Errno::EISCONN),
        SocketState::Connected if identity::is_accepted(socket.fd) => {
            return Detour::Failed(Errno::EISCONN);
        }
        // The service knows what an earlier connect still has to report; the address may be any.
        SocketState::Connecting | SocketState::Connected | SocketState::Failed => {
            let addr = addr.unwrap_or(SockAddr::unspecified(socket.family));
            return again(socket, addr).into();
        }
        SocketState::Fresh => {}
    }
    let addr = match addr {
        Ok(addr) => addr,
        Err(errno) => return Detour::Failed(errno),
    };
    if env::config().bypass.contains(addr.ip) {
        return match bypass::to_kernel(socket) {
            Ok(()) => Detour::Bypass(Reason::BypassAddress),
            Err(errno) => Detour::Failed(errno),
        };
    }
    first(socket, addr).into()
}

/// To `INADDR_ANY` means to this host (ip_route_output_key, net/ipv4/route.c).
fn to_loopback(addr: SockAddr) -> SockAddr {
    let ip = if addr.ip == IpAddr::V4(Ipv4Addr::UNSPECIFIED) {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    } else {
        addr.ip
    };
    SockAddr { ip, ..addr }
}

/// `AF_UNSPEC` dissolves an association (connect(2)): the peer gets a reset, the fd a fresh
/// description.
fn disconnect(socket: &Socket) -> Result<c_int, Errno> {
    if socket.state != SocketState::Fresh {
        carry::reset_on_close(socket.fd);
        socket::renew(socket)?;
    }
    Ok(0)
}

/// connect(2) of a socket that has not begun one.
fn first(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    if identity::is_nonblocking(socket.fd)? {
        BEGUN.store(true, Ordering::Relaxed);
        return begin(socket, addr);
    }
    let pair = sys::socketpair(abi::SOCK_SEQPACKET);
    let [mine, theirs] = pair.map_err(|_| Errno::ENOBUFS)?;
    if let Some(timeout) = send_timeout(socket.fd) {
        let _ = sys::setsockopt(mine, abi::SOL_SOCKET, abi::SO_RCVTIMEO, &timeout);
    }
    let mut buf = rpc::buffer();
    let flags = CONNECT_WAIT;
    let posted = rpc::post(
        &Request::Connect { addr, flags },
        &[socket.fd, theirs],
        &mut buf,
    );
    let _ = sys::close(theirs);
    let answer = posted.and_then(|()| wait(mine, &mut buf));
    if matches!(answer, Err(Errno::EINTR | Errno::EINPROGRESS)) {
        // connect(2): it goes on, and poll tells when it is done; so it must be silent from now on.
        let flags = CONNECT_DETACH;
        let _ = rpc::call(&Request::Connect { addr, flags }, &[socket.fd], &mut buf);
    }
    let _ = sys::close(mine);
    match answer {
        Err(Errno::EPIPE) => again(socket, addr),
        answer => answer,
    }
}

/// Whether this process, or one that it descends from, has begun a connect that it does not wait for.
pub(crate) fn has_begun() -> bool {
    BEGUN.load(Ordering::Relaxed)
}

static BEGUN: AtomicBool = AtomicBool::new(false);

fn begin(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    if let Some(told) = ready::connect(socket, addr) {
        return Err(told);
    }
    let answer = ask(socket, addr);
    let is_direct = || identity::socket(socket.fd).is_ok_and(|socket| socket.direct.is_some());
    if answer == Err(Errno::EINPROGRESS) && !is_direct() {
        ready::reached(addr.ip);
    }
    answer
}

/// The program closes a socket whose connect is under way: the service lets go of it first, or it would stay
/// in the program's epoll sets.
pub(crate) fn before_closing(socket: &Socket) {
    let mut buf = rpc::buffer();
    let request = Request::Connect {
        addr: SockAddr::unspecified(socket.family),
        flags: CONNECT_RELEASE,
    };
    let _ = rpc::call(&request, &[socket.fd], &mut buf);
}

/// connect(2) of a socket that has begun or finished one, or one that the service would not wait
/// for: the reply comes at once, and a blocking socket sleeps in poll until it is another.
fn again(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    let waits = !identity::is_nonblocking(socket.fd)?;
    loop {
        match ask(socket, addr) {
            Err(Errno::EALREADY | Errno::EINPROGRESS) if waits => {
                let timeout = send_timeout(socket.fd).map(|[sec, usec]| Timespec {
                    sec,
                    nsec: usec.wrapping_mul(1000),
                });
                match sys::poll(socket.fd, abi::POLLOUT, timeout) {
                    Ok(()) => {}
                    Err(Errno::EAGAIN) => return Err(Errno::EINPROGRESS),
                    Err(errno) => return Err(errno),
                }
            }
            // Without a service nothing is known but that it was connected.
            Err(Errno::ENETDOWN) if socket.state == SocketState::Connected => {
                return Err(Errno::EISCONN);
            }
            // The native socket is used up and its error reported: a fresh one is in its place.
            Err(Errno::ESTALE) => {
                let fresh = Socket {
                    state: SocketState::Fresh,
                    ..*socket
                };
                return first(&fresh, addr);
            }
            answer => return answer,
        }
    }
}

/// One CONNECT whose reply comes on the channel. `ESTALE`: the description was renewed.
fn ask(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    let mut buf = rpc::buffer();
    let flags = CONNECT_NONBLOCKING;
    let request = Request::Connect { addr, flags };
    let (reply, fd) = rpc::exchange(&request, &[socket.fd], &mut buf, true)?;
    match (reply, fd) {
        (Err(Errno::ESTALE), Some(fresh)) => {
            socket::replace(socket, fresh)?;
            Err(Errno::ESTALE)
        }
        // A service that says ESTALE and sends nothing: no endless loop.
        (Err(Errno::ESTALE), None) => Err(Errno::EPROTO),
        (reply, _) => reply.map(|_| 0),
    }
}

/// `SO_SNDTIMEO` bounds a blocking connect (socket(7)): a struct timeval, if it is set.
fn send_timeout(fd: c_int) -> Option<[i64; 2]> {
    let timeout = sys::getsockopt(fd, abi::SOL_SOCKET, abi::SO_SNDTIMEO).ok()?;
    (timeout != [0, 0]).then_some(timeout)
}

/// Waits for the reply on a socket of the call's own. `EPIPE`: it was closed without one.
fn wait(mine: c_int, buf: &mut rpc::Buffer) -> Result<c_int, Errno> {
    let received = spin::wait(|wait| {
        if !wait {
            return sys::try_recv(mine, buf);
        }
        let args = [
            sys::int(mine),
            buf.as_mut_ptr() as usize,
            buf.len(),
            0,
            0,
            0,
        ];
        // SAFETY: the kernel writes at most `buf.len()` bytes.
        let received = unsafe { real::call(Call::Recvfrom, args) };
        usize::try_from(received).map_err(|_| errno::last())
    });
    let received = match received {
        // Sent and closed at once; the kernel may see the end before the record (unix_dgram_recvmsg looks at the
        // queue and then at the shutdown).
        Ok(0) => sys::try_recv(mine, buf),
        other => other,
    };
    let len = match received {
        Ok(0) => return Err(Errno::EPIPE),
        Ok(len) => len,
        // The time-out of SO_SNDTIMEO; connect goes on (connect(2)).
        Err(Errno::EAGAIN) => return Err(Errno::EINPROGRESS),
        Err(Errno::ECONNRESET) => return Err(Errno::EPIPE),
        Err(other) => return Err(other),
    };
    let reply = rpc::parse(buf.get(..len).unwrap_or(&[]))?;
    let Reply::Connect { .. } = reply else {
        return Err(Errno::EPROTO);
    };
    Ok(0)
}
