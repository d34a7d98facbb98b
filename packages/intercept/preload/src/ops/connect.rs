//! connect(2), blocking and not.
//!
//! Blocking: the reply comes on a socketpair of the call's own, sent along, so that the wait is a
//! recv(2) and EINTR, SA_RESTART and cancellation are the kernel's and libc's. If it is
//! interrupted, closing that pair tells the service to go on as for a non-blocking connect.

use core::ffi::{c_int, c_void};

use netcon_wire::{
    CONNECT_NONBLOCKING, CONNECT_WAIT, Family, Reply, Request, SockAddr, SocketState,
};

use crate::abi;
use crate::addr::{self, Purpose};
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::{self, Errno};
use crate::identity::{self, Socket};
use crate::ops::{bypass, socket};
use crate::real::{self, Call};
use crate::{rpc, sys, user};

/// connect(2)
///
/// # Safety
/// As [`user::read`] for `address`.
pub(crate) unsafe fn connect(fd: c_int, address: *const c_void, len: u32) -> Detour<c_int> {
    let found = identity::socket(fd);
    if found.is_err() && !bypass::is_internet(fd) {
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
    let addr = addr::decode(bytes, socket.family, Purpose::Connect);
    match socket.state {
        SocketState::Listening => return Detour::Failed(Errno::EISCONN),
        // The service knows whether an earlier non-blocking connect is still to be reported.
        SocketState::Connecting | SocketState::Connected => {
            let addr = addr.unwrap_or(SockAddr::unspecified(socket.family));
            return again(socket, addr).into();
        }
        SocketState::Fresh | SocketState::Failed => {}
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
    fresh(socket, addr).into()
}

fn fresh(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    if socket.state == SocketState::Failed {
        socket::renew(socket)?;
    }
    ask(socket, addr)
}

/// connect(2) once more on a socket that has begun or finished one.
fn again(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    match ask(socket, addr) {
        // Without a service nothing is known but that it was connected.
        Err(Errno::ENETDOWN) if socket.state == SocketState::Connected => Err(Errno::EISCONN),
        answer => answer,
    }
}

/// `AF_UNSPEC` dissolves an association (connect(2)): the fd gets a fresh description.
fn disconnect(socket: &Socket) -> Result<c_int, Errno> {
    if socket.state != SocketState::Fresh {
        socket::renew(socket)?;
    }
    Ok(0)
}

fn ask(socket: &Socket, addr: SockAddr) -> Result<c_int, Errno> {
    let mut buf = rpc::buffer();
    if identity::is_nonblocking(socket.fd)? {
        let flags = CONNECT_NONBLOCKING;
        let request = Request::Connect { addr, flags };
        return rpc::call(&request, &[socket.fd], &mut buf).map(|_| 0);
    }
    let pair = sys::socketpair(abi::SOCK_SEQPACKET);
    let [mine, theirs] = pair.map_err(|_| Errno::ENOBUFS)?;
    copy_timeout(socket.fd, mine);
    let flags = CONNECT_WAIT;
    let posted = rpc::post(
        &Request::Connect { addr, flags },
        &[socket.fd, theirs],
        &mut buf,
    );
    let _ = sys::close(theirs);
    let answer = posted.and_then(|()| wait(mine, &mut buf));
    let _ = sys::close(mine);
    answer
}

/// `SO_SNDTIMEO` bounds a blocking connect (socket(7)): here it bounds the wait for the reply.
fn copy_timeout(from: c_int, to: c_int) {
    let timeout = sys::getsockopt::<[i64; 2]>(from, abi::SOL_SOCKET, abi::SO_SNDTIMEO);
    if let Ok(timeout) = timeout {
        let _ = sys::setsockopt(to, abi::SOL_SOCKET, abi::SO_RCVTIMEO, &timeout);
    }
}

fn wait(mine: c_int, buf: &mut rpc::Buffer) -> Result<c_int, Errno> {
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
    let len = match usize::try_from(received) {
        // The service has gone.
        Ok(0) => return Err(Errno::ENETDOWN),
        Ok(len) => len,
        Err(_) => {
            return Err(match errno::last() {
                // The time-out of SO_SNDTIMEO; connect goes on (connect(2)).
                Errno::EAGAIN => Errno::EINPROGRESS,
                Errno::ECONNRESET => Errno::ENETDOWN,
                other => other,
            });
        }
    };
    let reply = rpc::parse(buf.get(..len).unwrap_or(&[]))?;
    let Reply::Connect { .. } = reply else {
        return Err(Errno::EPROTO);
    };
    Ok(0)
}
