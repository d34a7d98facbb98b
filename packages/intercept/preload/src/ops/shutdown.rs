//! shutdown(2).

use core::ffi::c_int;

use netcon_wire::{Request, SockAddr, SocketState};

use crate::abi::{self, Timespec};
use crate::detour::{Detour, Reason};
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::ops::{names, socket};
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
        // TCP_CLOSE again, once both directions have ended.
        SocketState::Connected if identity::has_ended(&socket) => Detour::Failed(Errno::ENOTCONN),
        SocketState::Connected if socket.direct.is_some() && how != abi::SHUT_RD => {
            // Noted first: a write that fails for it looks there.
            identity::note(fd, |direct| direct.shut = true);
            Detour::Bypass(Reason::Native)
        }
        SocketState::Connected => Detour::Bypass(Reason::Native),
        // inet_shutdown: TCP_CLOSE is not connected.
        SocketState::Fresh | SocketState::Failed => Detour::Failed(Errno::ENOTCONN),
        // A listener ignores SHUT_WR; SHUT_RD ends it and wakes its accepts with EINVAL.
        SocketState::Listening if how == abi::SHUT_WR => Detour::Handled(0),
        SocketState::Listening => end_listening(&socket, wire_how).into(),
        // SYN-SENT is given up (the service does it and the program sees a hang-up).
        SocketState::Connecting => tell(fd, wire_how).into(),
    }
}

/// A unix listener cannot go back: it is shut down, which wakes its accepts, and the fd gets a fresh
/// description bound to the same address. Connections that nobody accepted end with the old one.
/// Deviation: dups and epoll registrations keep the old description (docs/limits.md).
fn end_listening(socket: &Socket, how: u8) -> Result<c_int, Errno> {
    let bound = names::local(socket);
    tell(socket.fd, how)?;
    sys::shutdown(socket.fd, abi::SHUT_RDWR)?;
    socket::renew(socket)?;
    if let Ok(addr) = bound {
        rebind(socket.fd, addr);
    }
    Ok(0)
}

/// Binds the fresh description. The service first has to see that the connections nobody accepted
/// are gone, which takes it a turn of its loop; the address stays taken where another process
/// shares the old description.
fn rebind(fd: c_int, addr: SockAddr) {
    for _ in 0..REBIND_TRIES {
        let mut buf = rpc::buffer();
        let bound = rpc::call(&Request::Bind { addr }, &[fd], &mut buf).map(|_| ());
        if bound != Err(Errno::EADDRINUSE) {
            return;
        }
        let pause = Timespec {
            sec: 0,
            nsec: REBIND_PAUSE_NS,
        };
        // An fd of -1 is ignored (poll(2)): this only sleeps.
        let _ = sys::poll(-1, 0, Some(pause));
    }
}

const REBIND_TRIES: u32 = 4;
const REBIND_PAUSE_NS: i64 = 500_000;

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
