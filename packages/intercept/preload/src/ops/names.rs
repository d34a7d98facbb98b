//! getsockname(2) and getpeername(2).

use core::ffi::{c_int, c_void};

use netcon_wire::{Reply, Request, SockAddr, SocketState};

use crate::detour::Detour;
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::{rpc, user};

/// Which of the two addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// getsockname(2)
    Local,
    /// getpeername(2)
    Peer,
}

/// getsockname(2) and getpeername(2)
///
/// # Safety
/// As [`user::write`] for both pointers.
pub(crate) unsafe fn name(
    fd: c_int,
    side: Side,
    address: *mut c_void,
    len: *mut u32,
) -> Detour<c_int> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        // A unix socket without a mark may have been accepted past the hooks.
        Err(_) => match identity::adopt(fd) {
            Ok(socket) => socket,
            Err(reason) => return Detour::Bypass(reason),
        },
    };
    match lookup(&socket, side) {
        // SAFETY: the caller's contract.
        Ok(addr) => unsafe { user::put_address(address, len, &addr, socket.family) }
            .map(|()| 0)
            .into(),
        Err(errno) => Detour::Failed(errno),
    }
}

/// The address that getsockname(2) shows.
pub(crate) fn local(socket: &Socket) -> Result<SockAddr, Errno> {
    lookup(socket, Side::Local)
}

/// The address that getpeername(2) shows.
pub(crate) fn peer(socket: &Socket) -> Result<SockAddr, Errno> {
    lookup(socket, Side::Peer)
}

fn lookup(socket: &Socket, side: Side) -> Result<SockAddr, Errno> {
    let connected = socket.state == SocketState::Connected;
    // inet_getname: no peer before the handshake, and none in TCP_CLOSE.
    if side == Side::Peer && (!connected || identity::has_ended(socket)) {
        return Err(Errno::ENOTCONN);
    }
    if matches!(
        socket.state,
        SocketState::Connected | SocketState::Connecting
    ) && let Some(name) = identity::name_of(socket.fd)
    {
        return Ok(match side {
            Side::Local => name.local,
            Side::Peer => name.peer,
        });
    }
    let request = match side {
        Side::Local => Request::GetSockName,
        Side::Peer => Request::GetPeerName,
    };
    let mut buf = rpc::buffer();
    let Reply::Addr(addr) = rpc::call(&request, &[socket.fd], &mut buf)? else {
        return Err(Errno::EPROTO);
    };
    Ok(addr)
}
