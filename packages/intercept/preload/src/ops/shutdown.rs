//! shutdown(2).

use core::ffi::c_int;

use netcon_wire::{Request, SocketState};

use crate::abi;
use crate::detour::{Detour, Reason};
use crate::errno::Errno;
use crate::identity;
use crate::{rpc, sys};

/// shutdown(2): a connected socket's is the kernel's own; the rest is TCP's rules.
pub(crate) fn shutdown(fd: c_int, how: c_int) -> Detour<c_int> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => return Detour::Bypass(reason),
    };
    let Some(wire_how) = direction(how) else {
        return Detour::Failed(Errno::EINVAL);
    };
    match socket.state {
        SocketState::Connected => Detour::Bypass(Reason::Native),
        // inet_shutdown: TCP_CLOSE is not connected.
        SocketState::Fresh | SocketState::Failed => Detour::Failed(Errno::ENOTCONN),
        // A listener ignores SHUT_WR; SHUT_RD ends it and wakes its accepts with EINVAL.
        SocketState::Listening if how == abi::SHUT_WR => Detour::Handled(0),
        SocketState::Listening => {
            let told = tell(fd, wire_how);
            let woken = sys::shutdown(fd, how);
            told.and(woken).into()
        }
        // SYN-SENT is given up (the service does it and the program sees a hang-up).
        SocketState::Connecting => tell(fd, wire_how).into(),
    }
}

fn direction(how: c_int) -> Option<u8> {
    match how {
        abi::SHUT_RD => Some(0),
        abi::SHUT_WR => Some(1),
        abi::SHUT_RDWR => Some(2),
        _ => None,
    }
}

fn tell(fd: c_int, how: u8) -> Result<c_int, Errno> {
    let mut buf = rpc::buffer();
    rpc::call(&Request::Shutdown { how }, &[fd], &mut buf).map(|_| 0)
}
