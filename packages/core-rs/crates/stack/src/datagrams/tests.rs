use std::net::IpAddr;

use super::*;
use crate::packet::TCP;
use crate::packet::build::ip_header;

const V4: ([u8; 4], [u8; 4]) = ([10, 77, 0, 1], [10, 77, 0, 2]);

#[test]
fn inbound_packets_are_those_of_datagram_sockets() {
    let quoted = |protocol| v4(protocol, &[0; 8]);
    let error = |kind: u8, quote: &[u8]| v4(ICMP, &[&[kind, 3, 0, 0, 0, 0, 0, 0], quote].concat());
    let quoted6 = |protocol, body: &[u8]| v6(protocol, body);
    let error6 =
        |kind: u8, quote: &[u8]| v6(ICMPV6, &[&[kind, 4, 0, 0, 0, 0, 0, 0], quote].concat());
    let table = [
        (v4(UDP, &[0; 8]), true, "UDP"),
        (v4(UDP_LITE, &[0; 8]), true, "UDP-Lite"),
        (v4(TCP, &[0; 20]), false, "TCP"),
        (fragment(v4(TCP, &[0; 24])), false, "a fragment of TCP"),
        (fragment(v4(UDP, &[0; 24])), true, "a fragment of UDP"),
        (
            fragment(v4(ICMP, &[8; 24])),
            true,
            "a fragment of an echo request",
        ),
        (
            v4(ICMP, &[8, 0, 0, 0, 0, 0, 0, 0]),
            false,
            "an echo request is the stack's",
        ),
        (v4(ICMP, &[0, 0, 0, 0, 0, 0, 0, 0]), true, "an echo reply"),
        (error(3, &quoted(UDP)), true, "unreachable, about UDP"),
        (
            error(11, &quoted(ICMP)),
            true,
            "time exceeded, about an echo request",
        ),
        (error(3, &quoted(TCP)), false, "unreachable, about TCP"),
        (error(5, &quoted(UDP)), false, "a redirect"),
        (error(3, &[]), false, "an error about nothing"),
        (
            v4(IGMP, &[0x11, 0, 0, 0, 0, 0, 0, 0]),
            true,
            "a membership query",
        ),
        (v4(47, &[0; 8]), false, "GRE"),
        (v6(UDP, &[0; 8]), true, "UDP over IPv6"),
        (v6(TCP, &[0; 20]), false, "TCP over IPv6"),
        (v6(ICMPV6, &[128; 8]), false, "an echo request over IPv6"),
        (v6(ICMPV6, &[129; 8]), true, "an echo reply over IPv6"),
        (
            v6(ICMPV6, &[135; 24]),
            false,
            "neighbour discovery is the stack's",
        ),
        (
            error6(1, &quoted6(UDP, &[0; 8])),
            true,
            "unreachable, about UDP over IPv6",
        ),
        (
            error6(2, &quoted6(FRAGMENT, &[UDP; 8])),
            true,
            "too big, about a fragment of UDP",
        ),
        (
            error6(1, &quoted6(TCP, &[0; 8])),
            false,
            "unreachable, about TCP over IPv6",
        ),
        (v6(FRAGMENT, &[UDP; 16]), true, "an IPv6 fragment of UDP"),
        (v6(FRAGMENT, &[TCP; 16]), false, "an IPv6 fragment of TCP"),
        (
            v6(HOP_BY_HOP, &query(MULTICAST_QUERY)),
            true,
            "a multicast listener query",
        ),
        (
            v6(HOP_BY_HOP, &query(135)),
            false,
            "discovery behind options",
        ),
        (v6(HOP_BY_HOP, &[TCP, 0, 0, 0]), false, "TCP behind options"),
    ];
    for (packet, want, why) in table {
        let ip = IpView::parse(&packet).expect(why);
        assert_eq!(is_inbound(&ip), want, "{why}");
    }
}

#[test]
fn outbound_packets_are_what_sockets_make() {
    let table = [
        (v4(UDP, &[0; 8]), true, "UDP"),
        (fragment(v4(UDP, &[0; 24])), true, "a fragment"),
        (v4(ICMP, &[8; 8]), true, "an echo request"),
        (v4(TCP, &[0; 20]), false, "TCP"),
        (v6(UDP, &[0; 8]), true, "UDP over IPv6"),
        (v6(ICMPV6, &[128; 8]), true, "an echo request over IPv6"),
        (v6(ICMPV6, &[133; 8]), false, "a router solicitation"),
        (v6(ICMPV6, &[136; 24]), false, "a neighbour advertisement"),
        (v6(FRAGMENT, &[UDP; 16]), true, "an IPv6 fragment of UDP"),
        (v6(FRAGMENT, &[TCP; 16]), false, "an IPv6 fragment of TCP"),
        (
            v6(HOP_BY_HOP, &query(143)),
            true,
            "a multicast listener report",
        ),
    ];
    for (packet, want, why) in table {
        let ip = IpView::parse(&packet).expect(why);
        assert_eq!(is_outbound(&ip), want, "{why}");
    }
}

#[test]
fn a_vouched_checksum_is_passed_on_as_partial() {
    let vouched = RxMeta { checksum_ok: true };
    let packet = v4(UDP, &[0; 8]);
    let ip = IpView::parse(&packet).expect("well-formed");
    let partial = PartialChecksum {
        start: 20,
        offset: 6,
    };
    assert_eq!(Datagram::new(&ip, &vouched).csum, Some(partial));
    assert_eq!(Datagram::new(&ip, &RxMeta::default()).csum, None);
    let packet = fragment(v4(UDP, &[0; 24]));
    let ip = IpView::parse(&packet).expect("well-formed");
    assert_eq!(
        Datagram::new(&ip, &vouched).csum,
        None,
        "a fragment has no checksum of its own"
    );
}

fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    packet(IpAddr::from(V4.0), IpAddr::from(V4.1), protocol, payload)
}

fn v6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let at = |last| IpAddr::from([0xfd77, 0, 0, 0, 0, 0, 0, last]);
    packet(at(1), at(2), protocol, payload)
}

fn packet(src: IpAddr, dst: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    ip_header(&mut out, src, dst, protocol, 64, payload.len());
    out.extend_from_slice(payload);
    out
}

/// An IPv4 packet made the first fragment of a longer one.
fn fragment(mut packet: Vec<u8>) -> Vec<u8> {
    packet[6] = 0x20;
    packet[10..12].fill(0);
    let sum = crate::checksum::finish(crate::checksum::sum(&packet[..20]));
    packet[10..12].copy_from_slice(&sum);
    packet
}

/// Hop-by-hop options with a router alert, then an ICMPv6 message.
fn query(kind: u8) -> Vec<u8> {
    vec![ICMPV6, 0, 5, 2, 0, 0, 1, 0, kind, 0, 0, 0, 0, 0, 0, 0]
}
