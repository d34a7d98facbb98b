//! Datagram sockets and the holes of `NETCON_BYPASS`: which network one is for shows when it is bound,
//! connected, or sends to an address.
//!
//! A socket is netcon's (a kernel socket of the service's namespace, marked) or the program's own. One
//! that has no port yet is changed for another under the same fd; one that has stays where it is, and
//! the other network is unreachable for it. Nothing here runs where no block is given. See
//! docs/internals/udp.md.

use core::ffi::{c_int, c_void};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_wire::{Family, SocketKind};

use crate::abi::{self, Mmsghdr};
use crate::addr::{self, Purpose};
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::{self, Errno};
use crate::identity;
use crate::ops::options::carry;
use crate::ops::{message, socket};
use crate::real::{self, Call};
use crate::{sys, user};

/// What the address is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// bind(2)
    Bind,
    /// connect(2)
    Connect,
    /// sendto(2), sendmsg(2)
    Send,
}

/// A datagram socket of the Internet families.
#[derive(Clone, Copy)]
struct Datagram {
    fd: c_int,
    family: Family,
    protocol: c_int,
    is_netcons: bool,
}

/// Puts the socket into the network of the address, if it has none yet: the call may then be made.
/// `None`: no such socket, or there are no holes.
///
/// # Safety
/// As [`user::read`] for `address`.
pub(crate) unsafe fn steer<T>(
    fd: c_int,
    address: *const c_void,
    len: u32,
    purpose: Use,
) -> Option<Detour<T>> {
    let datagram = find(fd)?;
    // SAFETY: the caller's contract.
    let (bytes, len) = match unsafe { user::address_bytes(address, len) } {
        Ok(bytes) => bytes,
        Err(errno) => return Some(Detour::Failed(errno)),
    };
    let Some(ip) = target(bytes.get(..len)?, datagram.family, purpose) else {
        // Nowhere: the kernel says what is wrong with it, or dissolves an association.
        return Some(Detour::Bypass(Reason::Native));
    };
    Some(match place(&datagram, ip, purpose) {
        Ok(reason) => Detour::Bypass(reason),
        Err(errno) => Detour::Failed(errno),
    })
}

/// sendmsg(2) on a socket that is none of a stream's.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn steer_message<T>(fd: c_int, message: *const abi::Msghdr) -> Option<Detour<T>> {
    if !env::config().bypass.has_blocks() {
        return None;
    }
    // SAFETY: the caller's contract.
    let (name, len) = match unsafe { message::name_of(message) } {
        Ok(name) => name,
        Err(errno) => return Some(Detour::Failed(errno)),
    };
    if name.is_null() {
        return None;
    }
    // SAFETY: as above.
    unsafe { steer(fd, name, len, Use::Send) }
}

/// sendmmsg(2) on a socket that is none of a stream's: a message at a time, as the kernel does.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn send_many(
    fd: c_int,
    messages: *mut Mmsghdr,
    count: u32,
    flags: c_int,
) -> Option<Detour<isize>> {
    find(fd)?;
    let one = |message: *mut abi::Msghdr| {
        // SAFETY: the caller's contract.
        if let Some(Detour::Failed(errno)) = unsafe { steer_message::<()>(fd, message) } {
            return Err(errno);
        }
        let args = [sys::int(fd), message as usize, sys::int(flags), 0, 0, 0];
        // SAFETY: the caller's contract.
        match unsafe { real::call(Call::Sendmsg, args) } {
            ..0 => Err(errno::last()),
            sent => Ok(sent),
        }
    };
    // SAFETY: the caller's contract.
    Some(unsafe { message::each(messages, count, message::Empty::Counts, one) })
}

fn find(fd: c_int) -> Option<Datagram> {
    if !env::config().bypass.has_blocks() {
        return None;
    }
    let option = |name| sys::getsockopt::<c_int>(fd, abi::SOL_SOCKET, name).ok();
    let family = match option(abi::SO_DOMAIN)? {
        abi::AF_INET => Family::Inet,
        abi::AF_INET6 => Family::Inet6,
        _ => return None,
    };
    (option(abi::SO_TYPE)? == abi::SOCK_DGRAM).then_some(Datagram {
        fd,
        family,
        protocol: option(abi::SO_PROTOCOL)?,
        is_netcons: identity::is_datagram(fd),
    })
}

/// Where the kernel would go with these bytes. It is generous: an IPv6 socket takes IPv4 addresses
/// (udpv6_sendmsg, __ip6_datagram_connect), and one of IPv4 sends by `AF_UNSPEC` too (udp_sendmsg).
fn target(bytes: &[u8], family: Family, purpose: Use) -> Option<IpAddr> {
    let inet = Family::Inet.raw();
    let found = match (addr::family_field(bytes)?, family) {
        (field, Family::Inet6) if field == Family::Inet6.raw() => {
            addr::decode(bytes, Family::Inet6, Purpose::Connect)
        }
        (field, _) if field == inet => addr::decode(bytes, Family::Inet, Purpose::Connect),
        (abi::AF_UNSPEC, Family::Inet) if purpose != Use::Connect => {
            let mut copy = [0; addr::INET_LEN];
            for (to, from) in copy.iter_mut().zip(bytes) {
                *to = *from;
            }
            let [low, high] = inet.to_ne_bytes();
            let [first, second, ..] = &mut copy;
            (*first, *second) = (low, high);
            let whole = copy.get(..bytes.len().min(copy.len()))?;
            addr::decode(whole, Family::Inet, Purpose::Connect)
        }
        _ => return None,
    };
    let ip = found.ok()?.ip.to_canonical();
    // To nowhere means to this host (ip_route_output_key_hash_rcu, ip6_datagram_send_ctl).
    Some(match ip {
        IpAddr::V4(v4) if purpose != Use::Bind && v4.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(v6) if purpose != Use::Bind && v6.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    })
}

/// Sees to it that the socket is in the network of `ip`.
fn place(datagram: &Datagram, ip: IpAddr, purpose: Use) -> Result<Reason, Errno> {
    let to_kernel = env::config().bypass.contains(ip);
    let reason = if to_kernel {
        Reason::BypassAddress
    } else {
        Reason::NotOurs
    };
    if to_kernel != datagram.is_netcons {
        return Ok(reason);
    }
    if has_port(datagram.fd) {
        return match purpose {
            // It is bound already (inet_bind).
            Use::Bind => Err(Errno::EINVAL),
            Use::Connect | Use::Send => Err(Errno::ENETUNREACH),
        };
    }
    change(datagram, to_kernel)?;
    Ok(reason)
}

/// Bound, by bind(2), connect(2) or the first datagram. What cannot be told is.
fn has_port(fd: c_int) -> bool {
    let mut name = [0; addr::INET6_LEN];
    let len = sys::address_of(sys::nr::GETSOCKNAME, fd, &mut name);
    let [_, _, high, low, ..] = name;
    len.is_err() || (high, low) != (0, 0)
}

/// Puts a socket of the other network under the fd, with the same options and flags.
fn change(old: &Datagram, to_kernel: bool) -> Result<(), Errno> {
    let flags = abi::SOCK_CLOEXEC | socket::nonblock_flag(old.fd)?;
    let fresh = if to_kernel {
        let family = c_int::from(old.family.raw());
        sys::socket(family, abi::SOCK_DGRAM | flags, old.protocol)?
    } else {
        let kind = match old.protocol {
            abi::IPPROTO_UDP => SocketKind::Udp,
            abi::IPPROTO_UDPLITE => SocketKind::UdpLite,
            _ => SocketKind::Ping,
        };
        socket::create(old.family, kind, flags)?
    };
    carry::copy_datagram(old.fd, fresh);
    socket::install(fresh, old.fd)
}

#[cfg(test)]
mod tests;
