//! Socket addresses as C programs pass and expect them.
//!
//! Pure conversions between `struct sockaddr_in`/`sockaddr_in6` bytes and [`SockAddr`], with
//! Linux's order of checks. Reading and writing the program's memory is [`crate::user`]'s part.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_wire::{Family, SockAddr};

use crate::abi;
use crate::errno::Errno;

/// `sizeof(struct sockaddr_in)`
pub(crate) const INET_LEN: usize = 16;
/// `sizeof(struct sockaddr_in6)`
pub(crate) const INET6_LEN: usize = 28;
/// `SIN6_LEN_RFC2133`: the kernel takes an IPv6 address without a scope (net/ipv6/af_inet6.c).
const INET6_MIN: usize = 24;
/// `sizeof(struct sockaddr_storage)`: longer addresses are `EINVAL` (net/socket.c).
pub(crate) const MAX_LEN: usize = 128;

/// What the address is for: the checks differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// bind(2)
    Bind,
    /// connect(2)
    Connect,
}

/// The address in the bytes a program passed to a socket of `family`.
pub(crate) fn decode(bytes: &[u8], family: Family, purpose: Purpose) -> Result<SockAddr, Errno> {
    match family {
        Family::Inet => decode_inet(bytes, purpose),
        Family::Inet6 => decode_inet6(bytes),
    }
}

/// The `sa_family` field, if the bytes hold one.
pub(crate) fn family_field(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().copied().map(u16::from_ne_bytes)
}

fn decode_inet(bytes: &[u8], purpose: Purpose) -> Result<SockAddr, Errno> {
    let bytes: &[u8; INET_LEN] = bytes.first_chunk().ok_or(Errno::EINVAL)?;
    let [f0, f1, p0, p1, a, b, c, d, ..] = *bytes;
    let ip = Ipv4Addr::new(a, b, c, d);
    let family = u16::from_ne_bytes([f0, f1]);
    // net/ipv4/af_inet.c: bind takes AF_UNSPEC for compatibility, with INADDR_ANY only.
    let unspecified = purpose == Purpose::Bind && family == abi::AF_UNSPEC && ip.is_unspecified();
    if family != Family::Inet.raw() && !unspecified {
        return Err(Errno::EAFNOSUPPORT);
    }
    Ok(SockAddr::new(IpAddr::V4(ip), u16::from_be_bytes([p0, p1])))
}

fn decode_inet6(bytes: &[u8]) -> Result<SockAddr, Errno> {
    let fixed: &[u8; INET6_MIN] = bytes.first_chunk().ok_or(Errno::EINVAL)?;
    let [f0, f1, p0, p1, _, _, _, _, ip @ ..] = *fixed;
    if u16::from_ne_bytes([f0, f1]) != Family::Inet6.raw() {
        return Err(Errno::EAFNOSUPPORT);
    }
    let scope = bytes
        .get(INET6_MIN..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |scope| u32::from_ne_bytes(*scope));
    Ok(SockAddr {
        ip: IpAddr::V6(Ipv6Addr::from(ip)),
        port: u16::from_be_bytes([p0, p1]),
        scope,
    })
}

/// An address in the form a socket of `family` shows, and its length.
pub(crate) fn encode(addr: &SockAddr, family: Family) -> ([u8; INET6_LEN], usize) {
    let addr = addr.as_family(family);
    let [f0, f1] = addr.family().raw().to_ne_bytes();
    let [p0, p1] = addr.port.to_be_bytes();
    let mut out = [0; INET6_LEN];
    match addr.ip {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            let head = [f0, f1, p0, p1, a, b, c, d];
            for (to, from) in out.iter_mut().zip(head) {
                *to = from;
            }
            (out, INET_LEN)
        }
        IpAddr::V6(ip) => {
            let fields = [f0, f1, p0, p1, 0, 0, 0, 0]
                .into_iter()
                .chain(ip.octets())
                .chain(addr.scope.to_ne_bytes());
            for (to, from) in out.iter_mut().zip(fields) {
                *to = from;
            }
            (out, INET6_LEN)
        }
    }
}

#[cfg(test)]
mod tests;
