//! accept(2) and accept4(2): the kernel's own, with the address decoded from the peer's name.

use core::ffi::{c_int, c_void};

use netcon_wire::{SEND_BUFFER, SocketState};

use crate::abi;
use crate::detour::{Detour, Reason};
use crate::errno::{self, Errno};
use crate::identity::{self, Socket};
use crate::ops::options::carry;
use crate::real::{self, Call};
use crate::{sys, user};

/// accept4(2)
///
/// # Safety
/// As [`user::write`] for `address` and `len`, which may be null.
pub(crate) unsafe fn accept(
    fd: c_int,
    address: *mut c_void,
    len: *mut u32,
    flags: c_int,
) -> Detour<c_int> {
    let socket = match identity::socket(fd) {
        Ok(socket) if socket.state == SocketState::Listening => socket,
        // EINVAL as for a TCP socket that doesn't listen.
        Ok(_) => return Detour::Bypass(Reason::Native),
        Err(reason) => return Detour::Bypass(reason),
    };
    // The kernel's check; musl's accept4 takes the connection all the same, and loses the flags.
    if flags & !(abi::SOCK_NONBLOCK | abi::SOCK_CLOEXEC) != 0 {
        return Detour::Failed(Errno::EINVAL);
    }
    let accepted = match take(&socket, flags) {
        Ok(accepted) => accepted,
        Err(errno) => return Detour::Failed(errno),
    };
    let (new, name) = accepted;
    identity::mark_accepted(new, socket.family, &name);
    // The service does the same for sockets that it creates.
    let _ = sys::setsockopt(new, abi::SOL_SOCKET, abi::SO_SNDBUF, &SEND_BUFFER);
    if socket.inherits {
        carry::inherit(fd, new);
    }
    if address.is_null() {
        return Detour::Handled(new);
    }
    // SAFETY: the caller's contract.
    match unsafe { user::put_address(address, len, &name.peer, socket.family) } {
        Ok(()) => Detour::Handled(new),
        Err(errno) => {
            // As the kernel does when it can't store the address (net/socket.c, do_accept).
            let _ = sys::close(new);
            Detour::Failed(errno)
        }
    }
}

/// Accepts until the peer is the service: a connection without its name is somebody else's, who
/// found the way to the socket's name.
fn take(socket: &Socket, flags: c_int) -> Result<(c_int, netcon_wire::SocketName), Errno> {
    loop {
        let mut buf = [0_u8; identity::UNIX_LEN];
        let mut len = u32::try_from(buf.len()).unwrap_or(0);
        let args = [
            sys::int(socket.fd),
            buf.as_mut_ptr() as usize,
            &raw mut len as usize,
            sys::int(flags),
            0,
            0,
        ];
        // SAFETY: accept4 writes at most `len` bytes to `buf`, and to `len`.
        let new = sys::narrow(unsafe { real::call(Call::Accept4, args) });
        if new < 0 {
            return Err(errno::last());
        }
        match identity::name_in(buf.get(..len as usize).unwrap_or(&[])) {
            Some(name) => return Ok((new, name.of_accepted())),
            None => {
                let _ = sys::close(new);
            }
        }
    }
}
