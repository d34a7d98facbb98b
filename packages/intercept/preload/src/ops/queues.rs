//! `SIOCOUTQ` and `SIOCOUTQNSD` (tcp(7)): what the peer has not acknowledged, or was not sent. The
//! kernel would count the memory of the unix socket underneath.

use core::ffi::{c_int, c_void};

use netcon_wire::{LEVEL_NETCON, NETCON_OUTQ, NETCON_OUTQNSD, SocketState};

use crate::detour::{Detour, Reason};
use crate::errno::Errno;
use crate::ops::options;
use crate::{identity, rpc, user};

const SIOCOUTQ: u32 = 0x5411;
const SIOCOUTQNSD: u32 = 0x894b;

/// Whether a request is about the send queue of a socket.
pub(crate) fn is_about_queues(request: u32) -> bool {
    matches!(request, SIOCOUTQ | SIOCOUTQNSD)
}

/// ioctl(2) with such a request.
///
/// # Safety
/// `arg` is what the program passed with it.
pub(crate) unsafe fn ioctl(fd: c_int, request: u32, arg: usize) -> Detour<c_int> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => return Detour::Bypass(reason),
    };
    let name = match request {
        SIOCOUTQ => NETCON_OUTQ,
        _ => NETCON_OUTQNSD,
    };
    let octets = match socket.state {
        // tcp_ioctl() (net/ipv4/tcp.c)
        SocketState::Listening => return Detour::Failed(Errno::EINVAL),
        SocketState::Fresh | SocketState::Connecting | SocketState::Failed => 0,
        // Whatever was written is at the other end.
        SocketState::Connected if socket.direct.is_some() => 0,
        SocketState::Connected => {
            let mut buf = rpc::buffer();
            match options::ask(fd, LEVEL_NETCON, name, 4, &mut buf) {
                Ok(value) => value.first_chunk().map_or(0, |n| c_int::from_ne_bytes(*n)),
                Err(Errno::ENETDOWN) => return Detour::Bypass(Reason::Native),
                Err(errno) => return Detour::Failed(errno),
            }
        }
    };
    // SAFETY: the caller's contract.
    unsafe { user::write(arg as *mut c_void, &octets.to_ne_bytes()) }
        .map(|()| 0)
        .into()
}
