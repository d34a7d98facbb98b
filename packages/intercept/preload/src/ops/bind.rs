//! bind(2) and listen(2): the service does both on the description passed to it.

use core::ffi::{c_int, c_void};

use netcon_wire::{Request, SocketState};

use crate::addr::{self, Purpose};
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::ops::bypass;
use crate::ops::datagrams::{self, Use};
use crate::ops::options::carry;
use crate::{rpc, user};

/// bind(2)
///
/// # Safety
/// As [`user::read`] for `address`.
pub(crate) unsafe fn bind(fd: c_int, address: *const c_void, len: u32) -> Detour<c_int> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => {
            // SAFETY: the caller's contract.
            return unsafe { datagrams::steer(fd, address, len, Use::Bind) }
                .unwrap_or_else(|| bypass::guard_native(fd, reason));
        }
    };
    // SAFETY: the caller's contract.
    let bytes = match unsafe { user::address_bytes(address, len) } {
        Ok(bytes) => bytes,
        Err(errno) => return Detour::Failed(errno),
    };
    let (bytes, len) = bytes;
    bind_to(&socket, bytes.get(..len).unwrap_or(&[]))
}

fn bind_to(socket: &Socket, bytes: &[u8]) -> Detour<c_int> {
    let addr = match addr::decode(bytes, socket.family, Purpose::Bind) {
        Ok(addr) => addr,
        Err(errno) => return Detour::Failed(errno),
    };
    // inet_bind: only a closed, unbound socket; whether it is bound the service knows.
    if socket.state != SocketState::Fresh && socket.state != SocketState::Failed {
        return Detour::Failed(Errno::EINVAL);
    }
    if env::config().bypass.contains(addr.ip) {
        return match bypass::to_kernel(socket) {
            Ok(()) => Detour::Bypass(Reason::BypassAddress),
            Err(errno) => Detour::Failed(errno),
        };
    }
    let mut buf = rpc::buffer();
    let reply = rpc::call(&Request::Bind { addr }, &[socket.fd], &mut buf);
    reply.map(|_| 0).into()
}

/// listen(2)
pub(crate) fn listen(fd: c_int, backlog: c_int) -> Detour<c_int> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => return bypass::guard_native(fd, reason),
    };
    if socket.state == SocketState::Connected || socket.state == SocketState::Connecting {
        return Detour::Failed(Errno::EINVAL);
    }
    if socket.state == SocketState::Fresh {
        carry::tell_timeouts(fd);
    }
    let mut buf = rpc::buffer();
    let reply = rpc::call(&Request::Listen { backlog }, &[fd], &mut buf);
    reply.map(|_| 0).into()
}
