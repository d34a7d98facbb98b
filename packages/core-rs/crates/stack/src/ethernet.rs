//! Ethernet, ARP (RFC 826) and neighbour discovery messages (RFC 4861), read and written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::neighbour::Mac;
use crate::packet::build::{icmp_checksum, ip_header};
use crate::packet::{ICMPV6, IpView, v6};

pub(crate) const HEADER: usize = 14;
pub(crate) const BROADCAST: Mac = [0xff; 6];
pub(crate) const IPV4: u16 = 0x0800;
pub(crate) const ARP: u16 = 0x0806;
pub(crate) const IPV6: u16 = 0x86dd;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
const SOURCE_OPTION: u8 = 1;
const TARGET_OPTION: u8 = 2;

/// Destination, source and type of a frame.
pub(crate) fn header(to: Mac, from: Mac, kind: u16) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..6].copy_from_slice(&to);
    header[6..12].copy_from_slice(&from);
    header[12..].copy_from_slice(&kind.to_be_bytes());
    header
}

/// The destination and the type of a frame.
pub(crate) fn parse(frame: &[u8]) -> Option<(Mac, u16, &[u8])> {
    let (header, payload) = frame.split_first_chunk::<HEADER>()?;
    Some((
        mac(header, 0),
        u16::from_be_bytes([header[12], header[13]]),
        payload,
    ))
}

/// A group address: broadcast included.
pub(crate) fn is_group(address: Mac) -> bool {
    address[0] & 1 != 0
}

/// An ARP packet for Ethernet and IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arp {
    pub(crate) request: bool,
    pub(crate) from: (Mac, Ipv4Addr),
    pub(crate) target: Ipv4Addr,
}

impl Arp {
    pub(crate) fn parse(packet: &[u8]) -> Option<Arp> {
        let packet = packet.get(..28).filter(|p| p[..6] == [0, 1, 8, 0, 6, 4])?;
        let request = match packet[6..8] {
            [0, REQUEST] => true,
            [0, REPLY] => false,
            _ => return None,
        };
        let ip =
            |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
        Some(Arp {
            request,
            from: (mac(packet, 8), ip(14)),
            target: ip(24),
        })
    }

    /// The packet, for the target's hardware address or zeros.
    pub(crate) fn write(&self, target: Mac, out: &mut Vec<u8>) {
        out.extend_from_slice(&[
            0,
            1,
            8,
            0,
            6,
            4,
            0,
            if self.request { REQUEST } else { REPLY },
        ]);
        out.extend_from_slice(&self.from.0);
        out.extend_from_slice(&self.from.1.octets());
        out.extend_from_slice(&target);
        out.extend_from_slice(&self.target.octets());
    }
}

/// A neighbour discovery message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ndp {
    /// Somebody looks for `target`; the source's own address may be given.
    Solicitation {
        target: Ipv6Addr,
        source: Option<Mac>,
    },
    /// `target` is at `at`.
    Advertisement { target: Ipv6Addr, at: Option<Mac> },
}

impl Ndp {
    /// RFC 4861 7.1: only with hop limit 255 and code 0, so that it never crossed a router.
    pub(crate) fn parse(ip: &IpView<'_>) -> Option<Ndp> {
        let message = ip.payload();
        if ip.hop_limit != 255 || message.len() < 24 || message[1] != 0 {
            return None;
        }
        let target = v6(message, 8);
        match message[0] {
            SOLICITATION => Some(Ndp::Solicitation {
                target,
                source: option(message, SOURCE_OPTION),
            }),
            ADVERTISEMENT => Some(Ndp::Advertisement {
                target,
                at: option(message, TARGET_OPTION),
            }),
            _ => None,
        }
    }

    /// Asks where `target` is; the IPv6 packet.
    pub(crate) fn solicit(
        out: &mut Vec<u8>,
        from: (Mac, Ipv6Addr),
        to: Ipv6Addr,
        target: Ipv6Addr,
    ) {
        write(
            out,
            from.1,
            to,
            SOLICITATION,
            0,
            target,
            (SOURCE_OPTION, from.0),
        );
    }

    /// Says that `target` is at our address; `to` is all nodes when nobody in particular asked.
    pub(crate) fn advertise(out: &mut Vec<u8>, own: Mac, target: Ipv6Addr, to: Ipv6Addr) {
        // Override always; solicited when someone is answered (RFC 4861 4.4).
        let flags = if to.is_multicast() { 0x20 } else { 0x60 };
        write(
            out,
            target,
            to,
            ADVERTISEMENT,
            flags,
            target,
            (TARGET_OPTION, own),
        );
    }
}

/// RFC 4291 2.7.1.
pub(crate) fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    )
}

/// RFC 2464 7: the Ethernet address of an IPv6 multicast address.
pub(crate) fn multicast_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    [0x33, 0x33, a, b, c, d]
}

/// The Ethernet address of a multicast or broadcast address (RFC 1112 6.4, RFC 2464 7).
pub(crate) fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(group) if group.is_multicast() => {
            let [_, b, c, d] = group.octets();
            [0x01, 0x00, 0x5e, b & 0x7f, c, d]
        }
        IpAddr::V4(_) => BROADCAST,
        IpAddr::V6(group) => multicast_mac(group),
    }
}

/// All nodes of the link.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// RFC 4291 appendix A: the link-local address made of an Ethernet address.
pub fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    let pair = u16::from_be_bytes;
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        pair([a ^ 2, b]),
        pair([c, 0xff]),
        pair([0xfe, d]),
        pair([e, f]),
    )
}

fn write(
    out: &mut Vec<u8>,
    src: Ipv6Addr,
    dst: Ipv6Addr,
    kind: u8,
    flags: u8,
    target: Ipv6Addr,
    option: (u8, Mac),
) {
    ip_header(out, IpAddr::V6(src), IpAddr::V6(dst), ICMPV6, 255, 32);
    let start = out.len();
    out.extend_from_slice(&[kind, 0, 0, 0, flags, 0, 0, 0]);
    out.extend_from_slice(&target.octets());
    out.extend_from_slice(&[option.0, 1]);
    out.extend_from_slice(&option.1);
    icmp_checksum(out, start, IpAddr::V6(src), IpAddr::V6(dst));
}

fn option(message: &[u8], kind: u8) -> Option<Mac> {
    let mut rest = message.get(24..)?;
    while let [found, units, ..] = *rest {
        let len = usize::from(units) * 8;
        // RFC 4861 4.6: an option of length 0 makes the whole packet bad.
        let whole = rest.get(..len).filter(|whole| !whole.is_empty())?;
        if found == kind {
            return Some(mac(whole, 2));
        }
        rest = &rest[len..];
    }
    None
}

fn mac(bytes: &[u8], at: usize) -> Mac {
    let mut address = [0; 6];
    address.copy_from_slice(&bytes[at..at + 6]);
    address
}
