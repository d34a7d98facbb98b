//! Which packets belong to the host that serves datagram sockets beside this stack: UDP, UDP-Lite,
//! answers to its echo requests, errors about either, group membership, and the fragments of all of
//! them. TCP never does. See docs/internals/udp.md.

use std::net::IpAddr;

use crate::packet::{ICMP, ICMPV6, IpView, UDP};
use crate::{PartialChecksum, RxMeta};

const UDP_LITE: u8 = 136;
const IGMP: u8 = 2;
/// IPv6 extension headers (RFC 8200 4.3, 4.5).
const HOP_BY_HOP: u8 = 0;
const FRAGMENT: u8 = 44;
/// Offset of the checksum in a UDP header (RFC 768).
const UDP_CHECKSUM: u16 = 6;

/// A packet from the link for the host of datagram sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The whole IP packet.
    pub packet: &'a [u8],
    /// The checksum need not be right: it never left this host, or the link has checked it. Offsets
    /// count from the start of the packet.
    pub csum: Option<PartialChecksum>,
}

impl<'a> Datagram<'a> {
    pub(crate) fn new(ip: &IpView<'a>, meta: &RxMeta) -> Datagram<'a> {
        let vouched = meta.checksum_ok && ip.protocol == UDP && !ip.fragment;
        Datagram {
            packet: ip.packet,
            csum: vouched.then(|| PartialChecksum {
                start: u16::try_from(ip.header_len).unwrap_or(u16::MAX),
                offset: UDP_CHECKSUM,
            }),
        }
    }
}

/// Whether a packet from the link is the datagram host's.
pub(crate) fn is_inbound(ip: &IpView<'_>) -> bool {
    match (ip.protocol, ip.dst) {
        (UDP | UDP_LITE, _) | (IGMP, IpAddr::V4(_)) => true,
        (ICMP, IpAddr::V4(_)) => ip.fragment || is_inbound_icmp(ip.payload()),
        (ICMPV6, IpAddr::V6(_)) => is_inbound_icmpv6(ip.payload()),
        (FRAGMENT, IpAddr::V6(_)) => fragments(ip),
        // A query for group members carries the router alert option (RFC 3810 5).
        (HOP_BY_HOP, IpAddr::V6(_)) => behind_options(ip.payload())
            .is_some_and(|message| message.first() == Some(&MULTICAST_QUERY)),
        _ => false,
    }
}

/// Whether a packet of the datagram host may go out: only what its sockets make. Neighbour and
/// router discovery are this stack's own.
pub(crate) fn is_outbound(ip: &IpView<'_>) -> bool {
    match (ip.protocol, ip.src) {
        (UDP | UDP_LITE, _) | (IGMP | ICMP, IpAddr::V4(_)) => true,
        (ICMPV6, IpAddr::V6(_)) => ip
            .payload()
            .first()
            .is_some_and(|kind| !is_discovery(*kind)),
        (FRAGMENT, IpAddr::V6(_)) => fragments(ip),
        (HOP_BY_HOP, IpAddr::V6(_)) => behind_options(ip.payload())
            .and_then(<[u8]>::first)
            .is_some_and(|kind| !is_discovery(*kind)),
        _ => false,
    }
}

/// Whether a packet of the datagram host that could not be sent is told of: not if it is an error or an
/// answer itself, nor of fragments but the first (RFC 1122 3.2.2, RFC 4443 2.4).
pub(crate) fn is_reported(ip: &IpView<'_>) -> bool {
    let kind = ip.packet.get(ip.header_len).copied();
    match (ip.protocol, ip.dst) {
        (UDP | UDP_LITE, _) => is_first(ip),
        (ICMP, IpAddr::V4(_)) => kind == Some(ECHO_REQUEST) && is_first(ip),
        (ICMPV6, IpAddr::V6(_)) => kind == Some(ECHO_REQUEST_V6),
        (FRAGMENT, IpAddr::V6(_)) => fragments(ip) && is_first(ip),
        _ => false,
    }
}

/// Whether there is no fragment before it (RFC 791 3.1, RFC 8200 4.5).
fn is_first(ip: &IpView<'_>) -> bool {
    let (at, offset) = match ip.dst {
        IpAddr::V4(_) => (6, 0x1fff),
        IpAddr::V6(_) if ip.protocol == FRAGMENT => (ip.header_len + 2, 0xfff8),
        IpAddr::V6(_) => return true,
    };
    let field = ip.packet.get(at..).and_then(|rest| rest.first_chunk());
    field.is_some_and(|field| u16::from_be_bytes(*field) & offset == 0)
}

const ECHO_REQUEST: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;
const MULTICAST_QUERY: u8 = 130;

/// RFC 4861 4: router and neighbour solicitations and advertisements, redirects.
fn is_discovery(kind: u8) -> bool {
    (133..=137).contains(&kind)
}

/// RFC 792: echo reply; unreachable, source quench, time exceeded, parameter problem.
fn is_inbound_icmp(message: &[u8]) -> bool {
    match message.first().copied() {
        Some(0) => true,
        Some(3 | 4 | 11 | 12) => quotes(message, ICMP),
        _ => false,
    }
}

/// RFC 4443: echo reply; unreachable, too big, time exceeded, parameter problem.
fn is_inbound_icmpv6(message: &[u8]) -> bool {
    match message.first().copied() {
        Some(129 | MULTICAST_QUERY) => true,
        Some(1..=4) => quotes(message, ICMPV6),
        _ => false,
    }
}

/// Whether an error is about a packet of the datagram host.
fn quotes(message: &[u8], icmp: u8) -> bool {
    let Some(quoted) = message.get(8..).and_then(IpView::parse_quoted) else {
        return false;
    };
    match quoted.protocol {
        UDP | UDP_LITE => true,
        FRAGMENT if quoted.dst.is_ipv6() => fragments(&quoted),
        protocol => protocol == icmp,
    }
}

/// Whether a fragment header (RFC 8200 4.5) stands before something of the datagram host's.
fn fragments(ip: &IpView<'_>) -> bool {
    let next = ip.packet.get(ip.header_len);
    matches!(next, Some(&(UDP | UDP_LITE | ICMPV6)))
}

/// The ICMPv6 message behind hop-by-hop options.
fn behind_options(payload: &[u8]) -> Option<&[u8]> {
    let &[ICMPV6, units, ..] = payload else {
        return None;
    };
    payload.get((usize::from(units) + 1) * 8..)
}

#[cfg(test)]
mod tests;
