//! A host of datagram sockets beside the stack: what it is given, and how its packets leave.

use super::*;
use smoltcp::time::Duration;

fn with_host() -> Puppet {
    let mut puppet = Puppet::with(|config| config.datagrams = true);
    puppet.introduce();
    puppet
}

/// What the stack gives back of a packet in a frame to `to`.
fn given(puppet: &mut Puppet, to: [u8; 6], packet: &[u8]) -> bool {
    let mut frame = framed(to, packet);
    let now = puppet.now;
    let datagram = puppet
        .stack
        .handle_frame(now, &RxMeta::default(), &mut frame)
        .map(|datagram| datagram.packet.to_vec());
    puppet.turn();
    assert!(puppet.sent.is_empty(), "the stack answers nothing itself");
    datagram.is_some_and(|given| given == packet)
}

fn udp(src: IpAddr, dst: IpAddr) -> Vec<u8> {
    let mut packet = Vec::new();
    ip_header(&mut packet, src, dst, UDP, 64, 12);
    packet.extend_from_slice(&[0x12, 0x34, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
    packet
}

#[test]
fn datagrams_for_us_groups_and_broadcasts_are_the_hosts() {
    let mut puppet = with_host();
    let v4 = |last: [u8; 4]| IpAddr::from(last);
    let from = peer(Family::Inet);
    let group_mac = [1, 0, 0x5e, 1, 2, 3];
    let group6: IpAddr = "ff02::fb".parse().expect("an address");
    let table = [
        (OWN_MAC, from, own(Family::Inet), true, "to us"),
        (
            BROADCAST,
            from,
            v4([10, 77, 0, 255]),
            true,
            "to our network",
        ),
        (BROADCAST, from, v4([255; 4]), true, "to all"),
        (group_mac, from, v4([239, 1, 2, 3]), true, "to a group"),
        (
            BROADCAST,
            v4([0; 4]),
            v4([255; 4]),
            true,
            "from who has no address yet",
        ),
        (
            OWN_MAC,
            v4([0; 4]),
            own(Family::Inet),
            false,
            "from nowhere to us",
        ),
        (
            BROADCAST,
            from,
            own(Family::Inet),
            false,
            "to one, in a frame to all",
        ),
        (
            OWN_MAC,
            from,
            v4([10, 77, 0, 200]),
            false,
            "to somebody else",
        ),
        (
            OWN_MAC,
            own(Family::Inet),
            own(Family::Inet),
            false,
            "from ourselves",
        ),
        (
            OWN_MAC,
            from,
            v4([127, 0, 0, 1]),
            false,
            "loopback from outside",
        ),
        (
            OWN_MAC,
            peer(Family::Inet6),
            own(Family::Inet6),
            true,
            "to us, IPv6",
        ),
        (
            [0x33, 0x33, 0, 0, 0, 0xfb],
            peer(Family::Inet6),
            group6,
            true,
            "to a group, IPv6",
        ),
    ];
    for (to, src, dst, want, why) in table {
        assert_eq!(given(&mut puppet, to, &udp(src, dst)), want, "{why}");
    }
    assert_eq!(puppet.stack.counters().datagrams_in, 7);
}

#[test]
fn datagrams_of_the_host_go_to_neighbours_and_groups() {
    let group: IpAddr = "239.129.2.3".parse().expect("an address");
    let group6: IpAddr = "ff02::fb".parse().expect("an address");
    let table = [
        (Family::Inet, peer(Family::Inet), PEER_MAC, "a neighbour"),
        (
            Family::Inet6,
            peer(Family::Inet6),
            PEER_MAC,
            "a neighbour, IPv6",
        ),
        (
            Family::Inet,
            group,
            [1, 0, 0x5e, 1, 2, 3],
            "a group: 23 bits of it",
        ),
        (
            Family::Inet,
            IpAddr::from([10, 77, 0, 255]),
            BROADCAST,
            "a broadcast",
        ),
        (
            Family::Inet6,
            group6,
            [0x33, 0x33, 0, 0, 0, 0xfb],
            "a group, IPv6",
        ),
    ];
    let mut puppet = with_host();
    for (family, to, mac, why) in table {
        let packet = udp(own(family), to);
        puppet.stack.send_datagram(&packet);
        puppet.turn();
        let (_, frame) = puppet.sent.pop().expect(why);
        assert_eq!(
            (&frame[..6], &frame[14..]),
            (&mac[..], &packet[..]),
            "{why}"
        );
        assert!(puppet.sent.is_empty());
    }
    assert_eq!(puppet.stack.counters().datagrams_out, 5);
}

#[test]
fn a_datagram_waits_for_its_neighbour() {
    let mut puppet = Puppet::with(|config| config.datagrams = true);
    let packet = udp(own(Family::Inet), peer(Family::Inet));
    puppet.stack.send_datagram(&packet);
    puppet.turn();
    let (_, question) = puppet.sent.pop().expect("a question");
    assert_eq!(question[12..14], ethernet::ARP.to_be_bytes());
    let (IpAddr::V4(ip), IpAddr::V4(target)) = (peer(Family::Inet), own(Family::Inet)) else {
        unreachable!()
    };
    let mut frame = ethernet::header(OWN_MAC, PEER_MAC, ethernet::ARP).to_vec();
    let reply = Arp {
        request: false,
        from: (PEER_MAC, ip),
        target,
    };
    reply.write(OWN_MAC, &mut frame);
    puppet.frame(&frame);
    let (_, frame) = puppet.sent.pop().expect("the datagram");
    assert_eq!(frame[14..], packet);
}

#[test]
fn what_the_host_may_not_send_is_refused() {
    let mut tcp = udp(own(Family::Inet), peer(Family::Inet));
    tcp[9] = crate::packet::TCP;
    fix_lengths(&mut tcp);
    let elsewhere = IpAddr::from([192, 0, 2, 1]);
    let table = [
        (tcp, "TCP"),
        (
            udp(elsewhere, peer(Family::Inet)),
            "from an address that is not ours",
        ),
        (udp(own(Family::Inet), own(Family::Inet)), "to ourselves"),
        (vec![0x45; 10], "half a header"),
    ];
    let mut puppet = with_host();
    for (packet, why) in table {
        puppet.stack.send_datagram(&packet);
        puppet.turn();
        assert!(puppet.sent.is_empty(), "{why}");
    }
    assert_eq!(puppet.stack.counters().datagrams_refused, 4);
}

#[test]
fn a_neighbour_that_does_not_answer_is_told_of_by_an_error_from_the_sender() {
    for family in [Family::Inet, Family::Inet6] {
        let mut puppet = with_host();
        let nobody: IpAddr = match family {
            Family::Inet => [10, 77, 0, 99].into(),
            Family::Inet6 => "fd77::99".parse().expect("an address"),
        };
        let packet = udp(own(family), nobody);
        puppet.stack.send_datagram(&packet);
        puppet.turn();
        for second in 1..=3 {
            assert_eq!(puppet.stack.poll_datagram(), None, "after {second} s");
            puppet.pass(Duration::from_secs(1));
        }
        let error = puppet.stack.poll_datagram().expect("an error");
        let ip = IpView::parse(&error).expect("a packet");
        assert_eq!((ip.src, ip.dst), (own(family), own(family)));
        assert!(ip.checksum_valid());
        let kind = match family {
            Family::Inet => [3, 1],
            Family::Inet6 => [1, 3],
        };
        assert_eq!(ip.payload()[..2], kind);
        assert_eq!(ip.payload()[8..], packet);
        assert!(
            crate::datagrams::is_inbound(&ip),
            "what the link may bring, its sender apart"
        );
        assert_eq!(puppet.stack.poll_datagram(), None);
    }
}

#[test]
fn only_what_may_be_told_of_is() {
    let to = IpAddr::from([10, 77, 0, 99]);
    let echo = |kind: u8| {
        let mut packet = Vec::new();
        ip_header(&mut packet, own(Family::Inet), to, ICMP, 64, 8);
        packet.extend_from_slice(&[kind, 0, 0, 0, 0, 0, 0, 0]);
        packet
    };
    let fragment = |units: u8| {
        let mut packet = udp(own(Family::Inet), to);
        // More fragments, and an offset.
        packet[6..8].copy_from_slice(&[0x20, units]);
        packet[10..12].fill(0);
        let sum = crate::checksum::finish(crate::checksum::sum(&packet[..20]));
        packet[10..12].copy_from_slice(&sum);
        packet
    };
    let table = [
        (udp(own(Family::Inet), to), true, "a datagram"),
        (fragment(0), true, "the first fragment"),
        (fragment(9), false, "another fragment"),
        (echo(8), true, "an echo request"),
        (echo(0), false, "an echo reply"),
        (echo(3), false, "an error"),
    ];
    for (packet, told, what) in table {
        let mut puppet = with_host();
        puppet.stack.send_datagram(&packet);
        puppet.turn();
        for _ in 0..4 {
            puppet.pass(Duration::from_secs(1));
        }
        assert_eq!(puppet.stack.poll_datagram().is_some(), told, "{what}");
    }
    // Without a host nobody is told.
    let mut puppet = Puppet::new();
    puppet.stack.send_datagram(&udp(own(Family::Inet), to));
    puppet.turn();
    for _ in 0..4 {
        puppet.pass(Duration::from_secs(1));
    }
    assert_eq!(puppet.stack.poll_datagram(), None);
}
