//! getsockopt(2) and setsockopt(2).

pub(crate) mod carry;
pub(crate) mod linger;

use core::ffi::{c_int, c_void};

use netcon_wire::{Family, MAX_OPTION_LEN, Reply, Request, SocketState};

use crate::abi::{self, Ucred};
use crate::detour::{Detour, Reason};
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::ops::names;
use crate::{addr, rpc, sys, user};

/// Who knows an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// The kernel: it means the same on the unix socket.
    Kernel,
    /// The kernel, and the service is told: it has an effect on both sides, or accept copies it.
    Both,
    /// The service.
    Service,
    /// Answered here: constants, and what would show the unix socket underneath.
    Library,
}

fn owner(level: c_int, name: c_int, state: SocketState) -> Owner {
    if level != abi::SOL_SOCKET {
        return Owner::Service;
    }
    match name {
        // While a connect is under way the send buffer is the service's gate (design.md 3).
        abi::SO_SNDBUF | abi::SO_SNDBUFFORCE if state == SocketState::Connecting => Owner::Service,
        // Clients set them on every connection. What accept copies is told before: carry::tell_timeouts.
        abi::SO_RCVTIMEO | abi::SO_SNDTIMEO | abi::SO_RCVTIMEO_NEW | abi::SO_SNDTIMEO_NEW
            if state != SocketState::Listening =>
        {
            Owner::Kernel
        }
        abi::SO_REUSEADDR
        | abi::SO_KEEPALIVE
        | abi::SO_LINGER
        | abi::SO_OOBINLINE
        | abi::SO_RCVTIMEO
        | abi::SO_SNDTIMEO
        | abi::SO_RCVTIMEO_NEW
        | abi::SO_SNDTIMEO_NEW
        | abi::SO_RCVBUF
        | abi::SO_SNDBUF
        | abi::SO_RCVBUFFORCE
        | abi::SO_SNDBUFFORCE
        | abi::SO_RCVLOWAT => Owner::Both,
        abi::SO_REUSEPORT | abi::SO_BINDTODEVICE | abi::SO_BUF_LOCK | abi::SO_MAX_PACING_RATE => {
            Owner::Service
        }
        abi::SO_DOMAIN
        | abi::SO_PROTOCOL
        | abi::SO_PEERCRED
        | abi::SO_PEERGROUPS
        | abi::SO_PEERPIDFD
        | abi::SO_PEERSEC
        | abi::SO_PEERNAME
        | abi::SO_PASSCRED
        | abi::SO_PASSSEC
        | abi::SO_PASSPIDFD
        | abi::SO_INCOMING_CPU
        | abi::SO_ERROR => Owner::Library,
        _ => Owner::Kernel,
    }
}

/// Options set on both sides of which the service knows the value that TCP shows: buffer sizes,
/// and what an accepted socket inherits but is not worth a copy for each accept.
fn is_told(name: c_int, state: SocketState) -> bool {
    match name {
        abi::SO_RCVBUF | abi::SO_SNDBUF => true,
        abi::SO_REUSEADDR => state == SocketState::Connected,
        _ => false,
    }
}

/// getsockopt(2)
///
/// # Safety
/// As [`user::write`] for both pointers.
pub(crate) unsafe fn get(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut u32,
) -> Detour<c_int> {
    let socket = match find(fd, level) {
        Ok(socket) => socket,
        Err(_) if is_mark(fd, level, name) => {
            // SAFETY: the caller's contract.
            return unsafe { user::put_option(value, len, &[0xff; 8]) }
                .map(|()| 0)
                .into();
        }
        Err(reason) => return Detour::Bypass(reason),
    };
    if !has_level(socket.family, level) {
        // ip_getsockopt and ipv6_getsockopt differ.
        return Detour::Failed(match socket.family {
            Family::Inet => Errno::EOPNOTSUPP,
            Family::Inet6 => Errno::ENOPROTOOPT,
        });
    }
    let mut buf = rpc::buffer();
    let mut owner = owner(level, name, socket.state);
    if owner == Owner::Both && is_told(name, socket.state) {
        owner = Owner::Service;
    }
    let answer = match owner {
        Owner::Kernel | Owner::Both => return Detour::Bypass(Reason::Native),
        // SAFETY: the caller's contract.
        Owner::Service => match unsafe { user::read_i32(len.cast()) } {
            // do_ipv6_getsockopt() takes the length as unsigned.
            Ok(..0) if level == abi::IPPROTO_IPV6 => {
                let answer = ask(fd, level, name, c_int::MAX, &mut buf);
                // SAFETY: the caller's contract.
                return answer
                    .and_then(|bytes| unsafe { user::put_whole_option(value, len, bytes) })
                    .map(|()| 0)
                    .into();
            }
            Ok(room) => ask(fd, level, name, room, &mut buf),
            Err(errno) => Err(errno),
        },
        Owner::Library => {
            // SAFETY: the caller's contract.
            let room = match unsafe { user::read_i32(len.cast()) } {
                Ok(room @ 0..) => room,
                Ok(_) => return Detour::Failed(Errno::EINVAL),
                Err(errno) => return Detour::Failed(errno),
            };
            let mut local = Local::new();
            return match local.value(&socket, name, room) {
                // SAFETY: the caller's contract.
                Ok(bytes) => unsafe { user::put_option(value, len, bytes) }
                    .map(|()| 0)
                    .into(),
                Err(errno) => Detour::Failed(errno),
            };
        }
    };
    match answer {
        // SAFETY: the caller's contract.
        Ok(bytes) => unsafe { user::put_option(value, len, bytes) }
            .map(|()| 0)
            .into(),
        Err(errno) => Detour::Failed(errno),
    }
}

/// setsockopt(2)
///
/// # Safety
/// As [`user::read`] for `value`.
pub(crate) unsafe fn set(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: u32,
) -> Detour<c_int> {
    let socket = match find(fd, level) {
        Ok(socket) => socket,
        Err(_) if is_mark(fd, level, name) => return Detour::Handled(0),
        Err(reason) => return Detour::Bypass(reason),
    };
    if !has_level(socket.family, level) {
        return Detour::Failed(Errno::ENOPROTOOPT);
    }
    let owner = owner(level, name, socket.state);
    if owner == Owner::Kernel {
        // SAFETY: the caller's contract.
        if unsafe { is_early_timestamping(&socket, name, value) } {
            return Detour::Failed(Errno::EINVAL);
        }
        return Detour::Bypass(Reason::Native);
    }
    let size = len as usize;
    if size > MAX_OPTION_LEN {
        return Detour::Failed(Errno::EINVAL);
    }
    // SAFETY: the caller's contract.
    let bytes = match unsafe { user::read::<MAX_OPTION_LEN>(value, size) } {
        Ok(bytes) => bytes,
        // do_ipv6_setsockopt(): null is 0, but for control messages.
        Err(Errno::EFAULT)
            if level == abi::IPPROTO_IPV6
                && name != abi::IPV6_2292PKTOPTIONS
                && value.is_null() =>
        {
            [0; MAX_OPTION_LEN]
        }
        Err(errno) => return Detour::Failed(errno),
    };
    let bytes = bytes.get(..size).unwrap_or(&[]);
    if let Some(told) = no_delay(&socket, level, name, bytes) {
        return Detour::Handled(told);
    }
    let waits = !is_certain(level, name, bytes) || !is_private(socket.state);
    match owner {
        Owner::Library => hidden(name, bytes).into(),
        Owner::Service => match tell(fd, level, name, bytes, waits) {
            // Of a direct connection the service only keeps what is set: it goes on without.
            Err(Errno::ENETDOWN) if socket.direct.is_some() => Ok(0),
            answer => answer,
        }
        .into(),
        Owner::Both | Owner::Kernel => {
            if socket.direct.is_some() && (level, name) == (abi::SOL_SOCKET, abi::SO_LINGER) {
                linger::noted(bytes);
            }
            both(fd, level, name, bytes, waits).into()
        }
    }
}

/// `SOF_TIMESTAMPING_OPT_ID` counts bytes of a connection, and none is there yet
/// (sock_set_timestamping, net/core/sock.c).
///
/// # Safety
/// As [`user::read`] for `value`.
unsafe fn is_early_timestamping(socket: &Socket, name: c_int, value: *const c_void) -> bool {
    const OPT_ID: c_int = 1 << 7;
    matches!(name, abi::SO_TIMESTAMPING | abi::SO_TIMESTAMPING_NEW)
        && matches!(socket.state, SocketState::Fresh | SocketState::Listening)
        // SAFETY: the caller's contract.
        && unsafe { user::read_i32(value) }.is_ok_and(|flags| flags & OPT_ID != 0)
}

/// The option that holds the mark of a datagram socket: hidden, and without effect as without a
/// fair queue on the device (socket(7) knows it for TCP only).
fn is_mark(fd: c_int, level: c_int, name: c_int) -> bool {
    (level, name) == (abi::SOL_SOCKET, abi::SO_MAX_PACING_RATE) && identity::is_datagram(fd)
}

/// Whether a TCP socket of that family has options of that level.
fn has_level(family: Family, level: c_int) -> bool {
    match level {
        abi::SOL_SOCKET | abi::IPPROTO_IP | abi::IPPROTO_TCP => true,
        abi::IPPROTO_IPV6 => family == Family::Inet6,
        _ => false,
    }
}

/// Other levels than `SOL_SOCKET` fail natively on an unmarked unix socket: adopt it first.
fn find(fd: c_int, level: c_int) -> Result<Socket, Reason> {
    if level == abi::SOL_SOCKET {
        return identity::socket(fd);
    }
    identity::socket(fd).or_else(|reason| {
        let domain = sys::getsockopt::<c_int>(fd, abi::SOL_SOCKET, abi::SO_DOMAIN);
        if domain == Ok(c_int::from(abi::AF_UNIX)) {
            identity::adopt(fd)
        } else {
            Err(reason)
        }
    })
}

/// Options that only the library knows: accepted and without effect, or refused as those of unix
/// sockets are.
fn hidden(name: c_int, value: &[u8]) -> Result<c_int, Errno> {
    if value.len() < size_of::<c_int>() {
        return Err(Errno::EINVAL);
    }
    match name {
        abi::SO_INCOMING_CPU | abi::SO_PASSCRED | abi::SO_PASSSEC => Ok(0),
        abi::SO_PASSPIDFD => Err(Errno::EOPNOTSUPP),
        // Read-only (net/core/sock.c).
        _ => Err(Errno::ENOPROTOOPT),
    }
}

/// Options that the service cannot refuse once the kernel has taken them, or that any number is good
/// for: every server and client sets them on every connection, so it is not waited for the answer.
fn is_certain(level: c_int, name: c_int, value: &[u8]) -> bool {
    match (level, name) {
        (abi::SOL_SOCKET, abi::SO_REUSEADDR | abi::SO_KEEPALIVE) => true,
        (abi::IPPROTO_TCP, abi::TCP_NODELAY) => value.len() >= size_of::<c_int>(),
        _ => false,
    }
}

/// `TCP_NODELAY`, which nearly every connection sets: told without the description, and without an answer.
/// `None`: in the ordinary way.
fn no_delay(socket: &Socket, level: c_int, name: c_int, value: &[u8]) -> Option<c_int> {
    let is_it = (level, name) == (abi::IPPROTO_TCP, abi::TCP_NODELAY);
    if !is_it || !is_certain(level, name, value) || socket.direct.is_some() {
        return None;
    }
    let (id, token) = match socket.state {
        SocketState::Connected => {
            let name = identity::name_of(socket.fd)?;
            (name.id, name.token)
        }
        SocketState::Fresh | SocketState::Connecting => (u32::MAX, sys::cookie(socket.fd)?),
        SocketState::Listening | SocketState::Failed => return None,
    };
    let on = value
        .first_chunk()
        .is_some_and(|v| i32::from_ne_bytes(*v) != 0);
    rpc::say(&Request::NoDelay { id, token, on })
        .ok()
        .map(|()| 0)
}

/// Whether what comes of an option is seen by later requests only, which are served in order. What a
/// listener's sockets inherit is in its mark, which the next accept reads.
fn is_private(state: SocketState) -> bool {
    matches!(state, SocketState::Fresh | SocketState::Connected)
}

fn both(fd: c_int, level: c_int, name: c_int, value: &[u8], waits: bool) -> Result<c_int, Errno> {
    set_native(fd, level, name, value)?;
    match tell(fd, level, name, value, waits) {
        // The kernel's half is done; without a service there is no other.
        Err(Errno::ENETDOWN | Errno::ENOPROTOOPT) => Ok(0),
        answer => answer,
    }
}

fn set_native(fd: c_int, level: c_int, name: c_int, value: &[u8]) -> Result<c_int, Errno> {
    let args = [
        sys::int(fd),
        sys::int(level),
        sys::int(name),
        value.as_ptr() as usize,
        value.len(),
        0,
    ];
    // SAFETY: the kernel reads `value.len()` bytes.
    unsafe { sys::call(sys::nr::SETSOCKOPT, args) }
}

fn tell(fd: c_int, level: c_int, name: c_int, value: &[u8], waits: bool) -> Result<c_int, Errno> {
    let mut buf = rpc::buffer();
    let request = Request::SetSockOpt { level, name, value };
    if waits {
        rpc::call(&request, &[fd], &mut buf).map(|_| 0)
    } else {
        rpc::tell(&request, &[fd], &mut buf).map(|()| 0)
    }
}

pub(crate) fn ask(
    fd: c_int,
    level: c_int,
    name: c_int,
    room: c_int,
    buf: &mut rpc::Buffer,
) -> Result<&[u8], Errno> {
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    let len = u16::try_from(room.min(MAX_OPTION_LEN)).unwrap_or(0);
    let request = Request::GetSockOpt { level, name, len };
    let Reply::Value(value) = rpc::call(&request, &[fd], buf)? else {
        return Err(Errno::EPROTO);
    };
    Ok(value)
}

/// The socket's pending error as the service knows it, 0 if none; asking takes it.
pub(crate) fn service_error(fd: c_int) -> Result<c_int, Errno> {
    let mut buf = rpc::buffer();
    let value = ask(fd, abi::SOL_SOCKET, abi::SO_ERROR, 4, &mut buf)?;
    let bytes = value.first_chunk().ok_or(Errno::EPROTO)?;
    Ok(c_int::from_ne_bytes(*bytes))
}

/// Room for the values answered here.
struct Local([u8; addr::INET6_LEN]);

impl Local {
    const fn new() -> Self {
        Local([0; addr::INET6_LEN])
    }

    fn value(&mut self, socket: &Socket, name: c_int, room: c_int) -> Result<&[u8], Errno> {
        let number = match name {
            abi::SO_DOMAIN => c_int::from(socket.family.raw()),
            abi::SO_PROTOCOL => abi::IPPROTO_TCP,
            abi::SO_ERROR => pending_error(socket)?,
            abi::SO_PASSCRED | abi::SO_PASSSEC | abi::SO_PASSPIDFD => 0,
            // No packet has come in on a CPU.
            abi::SO_INCOMING_CPU => -1,
            // What a TCP socket says of its peer (net/core/sock.c: cred_to_ucred of none).
            abi::SO_PEERCRED => {
                let none = Ucred {
                    pid: 0,
                    uid: u32::MAX,
                    gid: u32::MAX,
                };
                let mut bytes = [0; 12];
                let fields = [
                    none.pid.to_ne_bytes(),
                    none.uid.to_ne_bytes(),
                    none.gid.to_ne_bytes(),
                ];
                for (to, from) in bytes.iter_mut().zip(fields.as_flattened()) {
                    *to = *from;
                }
                return Ok(self.put(&bytes));
            }
            abi::SO_PEERGROUPS | abi::SO_PEERPIDFD => return Err(Errno::ENODATA),
            abi::SO_PEERNAME => {
                let peer = names::peer(socket)?;
                let (bytes, len) = addr::encode(&peer, socket.family);
                // The kernel wants to fill what it is given (sk_getsockopt, net/core/sock.c).
                return match bytes.get(..len) {
                    Some(bytes) if usize::try_from(room).is_ok_and(|room| room <= len) => {
                        Ok(self.put(bytes))
                    }
                    _ => Err(Errno::EINVAL),
                };
            }
            _ => return Err(Errno::ENOPROTOOPT),
        };
        Ok(self.put(&number.to_ne_bytes()))
    }

    fn put(&mut self, bytes: &[u8]) -> &[u8] {
        let mut len = 0;
        for (to, from) in self.0.iter_mut().zip(bytes) {
            *to = *from;
            len += 1;
        }
        self.0.get(..len).unwrap_or(&[])
    }
}

/// `SO_ERROR`: the kernel's where data flows, unless it says that the service ended the stream.
fn pending_error(socket: &Socket) -> Result<c_int, Errno> {
    let native = sys::getsockopt::<c_int>(socket.fd, abi::SOL_SOCKET, abi::SO_ERROR)?;
    if native != 0 && socket.direct.is_some() {
        identity::told(socket.fd);
    }
    let asks = match socket.state {
        SocketState::Connecting | SocketState::Failed => true,
        // The kernel alone knows.
        SocketState::Connected if socket.direct.is_some() => false,
        SocketState::Connected => native != 0,
        SocketState::Fresh | SocketState::Listening => false,
    };
    if !asks {
        return Ok(native);
    }
    match service_error(socket.fd) {
        Ok(0) if socket.state == SocketState::Connected => Ok(native),
        // The native error of a failed connect is only how the kernel woke the program.
        Ok(error) => Ok(error),
        // No service: the connect can't succeed any more.
        Err(errno) if socket.state == SocketState::Connecting => Ok(errno.0),
        Err(_) => Ok(native),
    }
}
