//! read, write and their kin where AF_UNIX differs from TCP.
//!
//! The hooks make the program's own call first. Only a call that returned 0 or an error, or that
//! has an address or a rare flag, comes here.

use core::ffi::{c_int, c_void};

use netcon_wire::SocketState;

use crate::abi;
use crate::detour::{Detour, Reason};
use crate::errno::{self, Errno};
use crate::identity::{self, Socket};
use crate::ops::datagrams::{self, Use};
use crate::ops::{connect, options};
use crate::real::{self, Call};
use crate::{sandbox, sys, user};

/// Who raises `SIGPIPE` for a call that fails with `EPIPE`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sigpipe {
    /// The kernel has done it already (write, writev, sendfile).
    Kernel,
    /// The library: `MSG_NOSIGNAL` was added to the program's flags.
    Library,
    /// Nobody: the program asked for `MSG_NOSIGNAL`.
    Nobody,
}

/// Receive flags that unix sockets treat differently.
pub(crate) const RECEIVE_SPECIAL: c_int = abi::MSG_TRUNC | abi::MSG_ERRQUEUE | abi::MSG_OOB;
/// Send flags that unix sockets treat differently.
pub(crate) const SEND_SPECIAL: c_int = abi::MSG_OOB | abi::MSG_FASTOPEN;

/// Judges a receive that returned 0 or -1; returns what the program sees, with errno set.
#[cold]
pub(crate) fn received(fd: c_int, result: isize) -> isize {
    let native = (result < 0).then(errno::last);
    // Only these differ; EAGAIN and EINTR are the usual ones and cost nothing.
    if !matches!(native, None | Some(Errno::EINVAL | Errno::ECONNRESET)) || sandbox::is_entered() {
        return result;
    }
    let Ok(socket) = identity::socket(fd) else {
        return result;
    };
    match receive_outcome(&socket, native) {
        Ok(value) => value,
        Err(errno) => fail(errno),
    }
}

/// What a TCP socket gives where the unix socket gave `native` or end of file.
fn receive_outcome(socket: &Socket, native: Option<Errno>) -> Result<isize, Errno> {
    let unchanged = native.map_or(Ok(0), Err);
    match (socket.state, native) {
        // tcp_recvmsg: not connected. A unix socket says EINVAL.
        (SocketState::Fresh | SocketState::Listening, Some(Errno::EINVAL)) => Err(Errno::ENOTCONN),
        // Without a hang-up the service holds its end, shut down for writing: that is a FIN.
        (SocketState::Connected, None) if !identity::is_over(socket.fd) => Ok(0),
        // The kernel says it, once, and it is told.
        (SocketState::Connected, Some(Errno::ECONNRESET)) if socket.direct.is_some() => {
            identity::told(socket.fd);
            unchanged
        }
        (SocketState::Connected, None) if socket.direct.is_some_and(|direct| direct.parted) => {
            Ok(0)
        }
        (SocketState::Connected, None | Some(Errno::ECONNRESET)) => ending(socket, unchanged),
        // A failed connect: its error once, then end of file. The native reset only woke the
        // program up.
        (SocketState::Connecting | SocketState::Failed, None | Some(Errno::ECONNRESET)) => {
            ending(socket, Ok(0))
        }
        _ => unchanged,
    }
}

/// Why a stream ended: end of file, a reset that the unix socket couldn't show, or a failed
/// connect. Without a service the end of a stream can't be trusted: no silent truncation.
fn ending(socket: &Socket, unless_told: Result<isize, Errno>) -> Result<isize, Errno> {
    match options::service_error(socket.fd) {
        Ok(0) => unless_told,
        Ok(error) => {
            identity::told(socket.fd);
            Err(Errno(error))
        }
        // The service has forgotten it: both directions had ended. It would know a connection of the
        // service before.
        Err(Errno::ENOTSOCK) => unless_told,
        // The service had no part in it but to know of `SO_LINGER`.
        Err(_) if socket.direct.is_some() => unless_told,
        Err(_) => Err(Errno::ECONNRESET),
    }
}

/// Judges a send that returned -1; returns what the program sees, with errno set.
#[cold]
pub(crate) fn sent(fd: c_int, len: Option<usize>, result: isize, sigpipe: Sigpipe) -> isize {
    let native = errno::last();
    if !matches!(native, Errno::EPIPE | Errno::ENOTCONN | Errno::ECONNRESET)
        || sandbox::is_entered()
    {
        return result;
    }
    let (error, raises) = match identity::socket(fd) {
        Ok(socket) => match parting(&socket, native, len) {
            Some(taken) => return taken,
            None => send_error(&socket, native, sigpipe),
        },
        Err(_) => (native, sigpipe == Sigpipe::Library),
    };
    if error == Errno::EPIPE && raises {
        sys::raise(abi::SIGPIPE);
    }
    fail(error)
}

/// A write to a direct connection whose other end is closed, or shut down for reading: TCP takes what is written
/// then, the first time or for ever, and nobody reads it. A unix socket says `EPIPE` at once.
fn parting(socket: &Socket, native: Errno, len: Option<usize>) -> Option<isize> {
    let direct = socket.direct.filter(|direct| !direct.shut)?;
    if native == Errno::ECONNRESET {
        identity::told(socket.fd);
    }
    if native != Errno::EPIPE || direct.parted {
        return None;
    }
    let taken = len.and_then(|len| isize::try_from(len).ok());
    if identity::is_over(socket.fd) {
        let pending = sys::getsockopt::<c_int>(socket.fd, abi::SOL_SOCKET, abi::SO_ERROR)
            .ok()
            .filter(|error| *error > 0)
            .or_else(|| options::service_error(socket.fd).ok())
            .filter(|error| *error > 0);
        // A write of nothing sends nothing that the other end could refuse.
        if pending.is_some() || taken != Some(0) {
            identity::told(socket.fd);
        }
        if let Some(error) = pending {
            return Some(fail(Errno(error)));
        }
    }
    taken
}

/// The error that a TCP socket gives, and whether the library has to raise `SIGPIPE` for it.
fn send_error(socket: &Socket, native: Errno, sigpipe: Sigpipe) -> (Errno, bool) {
    match (socket.state, native) {
        // sk_stream_wait_connect: EPIPE and the signal. A unix socket says ENOTCONN, silently.
        (SocketState::Fresh | SocketState::Listening, Errno::ENOTCONN) => {
            (Errno::EPIPE, sigpipe != Sigpipe::Nobody)
        }
        (SocketState::Fresh | SocketState::Listening, _) => (native, sigpipe == Sigpipe::Library),
        (SocketState::Connecting | SocketState::Connected | SocketState::Failed, _) => {
            // The error that is still to be reported (sk_stream_error), taken on both sides: the
            // kernel loses its own where a blocked write had sent a part. Of a failed connect the
            // native error means nothing.
            let told = if socket.direct.is_some() {
                0
            } else {
                options::service_error(socket.fd).unwrap_or(0)
            };
            let pending = sys::getsockopt(socket.fd, abi::SOL_SOCKET, abi::SO_ERROR).unwrap_or(0);
            let error = match (told, socket.state, pending) {
                (1.., _, _) => Errno(told),
                (_, SocketState::Connected, 1..) => Errno(pending),
                _ => native,
            };
            (error, sigpipe == Sigpipe::Library)
        }
    }
}

fn fail(errno: Errno) -> isize {
    errno::set(errno);
    -1
}

/// The flags for a send, and who raises the signal.
#[inline]
pub(crate) fn send_flags(flags: c_int) -> (c_int, Sigpipe) {
    if flags & abi::MSG_NOSIGNAL != 0 {
        (flags, Sigpipe::Nobody)
    } else if sandbox::is_entered() {
        (flags, Sigpipe::Kernel)
    } else {
        (flags | abi::MSG_NOSIGNAL, Sigpipe::Library)
    }
}

/// recvfrom(2) with an address or a rare flag.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn receive_from(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    flags: c_int,
    address: *mut c_void,
    address_len: *mut u32,
) -> Detour<isize> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => return Detour::Bypass(reason),
    };
    // SAFETY: the caller's contract.
    let result = match unsafe { special_receive(&socket, len, flags) } {
        Some(result) => result,
        None => {
            let args = [sys::int(fd), buf as usize, len, sys::int(flags), 0, 0];
            // SAFETY: the caller's contract.
            let result = unsafe { real::call(Call::Recvfrom, args) };
            judged(fd, result, len)
        }
    };
    let result = match result {
        Ok(result) => result,
        Err(errno) => return Detour::Failed(errno),
    };
    if !address.is_null() {
        // TCP gives no address: the length becomes 0 (inet_recvmsg, net/ipv4/af_inet.c).
        // SAFETY: the caller's contract.
        if let Err(errno) = unsafe { user::write(address_len.cast(), &[0; 4]) } {
            return Detour::Failed(errno);
        }
    }
    Detour::Handled(result)
}

/// A result of libc's with its errno, judged where it can hide a reset.
pub(crate) fn judged(fd: c_int, result: isize, len: usize) -> Result<isize, Errno> {
    let seen = if result > 0 || (result == 0 && len == 0) {
        result
    } else {
        received(fd, result)
    };
    if seen < 0 {
        Err(errno::last())
    } else {
        Ok(seen)
    }
}

/// Receives that need more than the program's own call; `None` if the flags are ordinary.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn special_receive(
    socket: &Socket,
    len: usize,
    flags: c_int,
) -> Option<Result<isize, Errno>> {
    if flags & abi::MSG_ERRQUEUE != 0 {
        // Nothing is ever queued: no timestamps, no zero-copy completions (recvmsg(2)).
        return Some(Err(Errno::EAGAIN));
    }
    if flags & abi::MSG_OOB != 0 {
        // Deviation: no urgent data, so there is none to read (tcp_recv_urg: EINVAL).
        return Some(Err(Errno::EINVAL));
    }
    if flags & abi::MSG_TRUNC != 0 {
        return Some(discard(socket.fd, len, flags & !abi::MSG_TRUNC));
    }
    None
}

/// tcp(7): with `MSG_TRUNC` data is thrown away and no buffer is needed.
fn discard(fd: c_int, len: usize, flags: c_int) -> Result<isize, Errno> {
    let mut scratch = [0_u8; 4096];
    let mut total = 0_usize;
    let mut flags = flags;
    while total < len {
        let want = (len - total).min(scratch.len());
        let args = [
            sys::int(fd),
            scratch.as_mut_ptr() as usize,
            want,
            sys::int(flags),
            0,
            0,
        ];
        // SAFETY: the kernel writes at most `want` bytes, which is at most the buffer's size.
        let result = unsafe { real::call(Call::Recvfrom, args) };
        let got = match usize::try_from(result) {
            Ok(got) if got > 0 => got,
            _ if total > 0 => break,
            _ => return judged(fd, result, want),
        };
        total += got;
        if got < want || flags & abi::MSG_PEEK != 0 {
            break;
        }
        // Only what is there already, as one call would.
        flags = (flags | abi::MSG_DONTWAIT) & !abi::MSG_WAITALL;
    }
    Ok(isize::try_from(total).unwrap_or(isize::MAX))
}

/// sendto(2) with an address or a rare flag.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn send_to(
    fd: c_int,
    buf: *const c_void,
    len: usize,
    flags: c_int,
    address: *const c_void,
    address_len: u32,
) -> Detour<isize> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) if !address.is_null() => {
            // SAFETY: the caller's contract.
            return unsafe { datagrams::steer(fd, address, address_len, Use::Send) }
                .unwrap_or(Detour::Bypass(reason));
        }
        Err(reason) => return Detour::Bypass(reason),
    };
    // SAFETY: the caller's contract.
    if let Err(errno) = unsafe { open_fast(&socket, flags, address, address_len) } {
        return Detour::Failed(errno);
    }
    let (flags, sigpipe) = send_flags(flags & !SEND_SPECIAL);
    // A connected TCP socket ignores the address (tcp_sendmsg).
    let args = [sys::int(fd), buf as usize, len, sys::int(flags), 0, 0];
    // SAFETY: the caller's contract.
    let result = unsafe { real::call(Call::Sendto, args) };
    finish_send(fd, Some(len), result, sigpipe)
}

/// Turns a send's result, judged, into a detour.
pub(crate) fn finish_send(
    fd: c_int,
    len: Option<usize>,
    result: isize,
    sigpipe: Sigpipe,
) -> Detour<isize> {
    if result >= 0 {
        return Detour::Handled(result);
    }
    match sent(fd, len, result, sigpipe) {
        taken @ 0.. => Detour::Handled(taken),
        _ => Detour::Failed(errno::last()),
    }
}

/// `MSG_FASTOPEN` on a fresh socket connects first (tcp(7)); the data follows the handshake.
///
/// # Safety
/// As [`connect::connect`].
pub(crate) unsafe fn open_fast(
    socket: &Socket,
    flags: c_int,
    address: *const c_void,
    len: u32,
) -> Result<(), Errno> {
    if flags & abi::MSG_FASTOPEN == 0 || address.is_null() || socket.state != SocketState::Fresh {
        return Ok(());
    }
    // SAFETY: the caller's contract.
    match unsafe { connect::connect(socket.fd, address, len) } {
        Detour::Handled(_) => Ok(()),
        Detour::Failed(errno) => Err(errno),
        // The fd has become a kernel socket, which is not connected yet.
        Detour::Bypass(Reason::BypassAddress) => {
            let args = [sys::int(socket.fd), address as usize, len as usize, 0, 0, 0];
            // SAFETY: the caller's contract.
            match unsafe { real::call(Call::Connect, args) } {
                0 => Ok(()),
                _ => Err(errno::last()),
            }
        }
        Detour::Bypass(_) => Ok(()),
    }
}
