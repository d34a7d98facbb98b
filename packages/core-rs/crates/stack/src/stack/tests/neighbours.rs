//! ARP, NDP, echo, and what is answered at once.

use super::*;
use smoltcp::time::Duration;

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

fn v6_of(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V6(ip) => ip,
        IpAddr::V4(ip) => panic!("{ip} is not IPv6"),
    }
}

fn arp_frame(to: [u8; 6], arp: Arp) -> Vec<u8> {
    let mut frame = ethernet::header(to, arp.from.0, ethernet::ARP).to_vec();
    arp.write([0; 6], &mut frame);
    frame
}

fn sent_arps(puppet: &Puppet) -> Vec<([u8; 6], Arp)> {
    let parse = |(_, frame): &(TxMeta, Vec<u8>)| {
        let (to, kind, payload) = ethernet::parse(frame)?;
        (kind == ethernet::ARP).then(|| (to, Arp::parse(payload).expect("well-formed")))
    };
    puppet.sent.iter().filter_map(parse).collect()
}

fn dial(puppet: &mut Puppet, family: Family) -> PcbId {
    let id = puppet.stack.open(family).expect("open");
    let to = SockAddr::new(peer(family), 80);
    puppet.stack.connect(id, to, puppet.now).expect("connect");
    puppet.turn();
    id
}

#[test]
fn start_announces_every_address() {
    let config = Config {
        has_link: true,
        addresses: vec![
            Cidr::new(own(Family::Inet), 24),
            Cidr::new(own(Family::Inet6), 64),
        ],
        ..Config::default()
    };
    let mut stack = Stack::new(config, Box::new(HeapRings::default()), Instant::ZERO);
    let mut sink = Sink::default();
    stack.poll_transmit(Instant::ZERO, 64, &mut sink);
    let kinds: Vec<u16> = sink
        .0
        .iter()
        .filter_map(|(_, frame)| Some(ethernet::parse(frame)?.1))
        .collect();
    assert_eq!(
        kinds,
        [ethernet::ARP, ethernet::IPV6, ethernet::IPV6],
        "and the link-local one"
    );
}

#[test]
fn arp_request_for_us_is_answered_and_teaches() {
    let mut puppet = Puppet::new();
    let request = Arp {
        request: true,
        from: (PEER_MAC, v4(9)),
        target: v4(1),
    };
    puppet.frame(&arp_frame(BROADCAST, request));
    let reply = Arp {
        request: false,
        from: (OWN_MAC, v4(1)),
        target: v4(9),
    };
    assert_eq!(sent_arps(&puppet), [(PEER_MAC, reply)]);
    puppet.sent.clear();
    dial(&mut puppet, Family::Inet);
    assert_eq!(puppet.only_segment().flags, SYN, "without asking");
}

#[test]
fn arp_for_others_and_false_claims_are_ignored() {
    let mut puppet = Puppet::new();
    let claims = [
        (PEER_MAC, v4(9), v4(8), "for another"),
        (PEER_MAC, v4(1), v4(1), "our own address"),
        ([3, 0, 0, 0, 0, 9], v4(9), v4(1), "a group station"),
        (PEER_MAC, v4(255), v4(1), "the broadcast address"),
    ];
    for (mac, from, target, why) in claims {
        puppet.frame(&arp_frame(
            BROADCAST,
            Arp {
                request: true,
                from: (mac, from),
                target,
            },
        ));
        assert!(sent_arps(&puppet).is_empty(), "{why}");
        assert_eq!(puppet.stack.neighbours.len(), 0, "{why}");
    }
}

#[test]
fn connect_asks_and_sends_when_answered() {
    let mut puppet = Puppet::new();
    dial(&mut puppet, Family::Inet);
    let ask = Arp {
        request: true,
        from: (OWN_MAC, v4(1)),
        target: v4(9),
    };
    assert_eq!(sent_arps(&puppet), [(BROADCAST, ask)]);
    puppet.sent.clear();
    puppet.pass(Duration::from_secs(1));
    assert_eq!(sent_arps(&puppet), [(BROADCAST, ask)]);
    puppet.sent.clear();
    let answer = Arp {
        request: false,
        from: (PEER_MAC, v4(9)),
        target: v4(1),
    };
    puppet.frame(&arp_frame(OWN_MAC, answer));
    assert_eq!(puppet.only_segment().flags, SYN);
    assert!(puppet.events.is_empty());
}

#[test]
fn doubtful_neighbour_is_asked_alone_while_it_is_used() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    puppet.pass(Duration::from_secs(31));
    puppet
        .stack
        .write_with(talk.pcb(), |_| (1, ()))
        .expect("write");
    puppet.turn();
    let asked: Vec<[u8; 6]> = sent_arps(&puppet).iter().map(|(to, _)| *to).collect();
    assert_eq!(asked, [PEER_MAC]);
    assert_eq!(puppet.segments().len(), 1, "data goes on meanwhile");
}

#[test]
fn replies_wait_for_their_neighbour() {
    let mut puppet = Puppet::new();
    let talk = Conversation::new(Family::Inet, 4000, 81);
    for _ in 0..40 {
        puppet.packet(&talk.syn());
    }
    assert_eq!(puppet.sent.len(), 1, "asked once, no reset yet");
    let answer = Arp {
        request: false,
        from: (PEER_MAC, v4(9)),
        target: v4(1),
    };
    puppet.frame(&arp_frame(OWN_MAC, answer));
    assert_eq!(puppet.segments().len(), 16, "the queue is bounded");
}

#[test]
fn neighbour_solicitation_is_answered() {
    let (ours, theirs) = (v6_of(own(Family::Inet6)), v6_of(peer(Family::Inet6)));
    let group = solicited_node(ours);
    let table = [
        (theirs, group, theirs, "by the group"),
        (theirs, ours, theirs, "directly"),
        (
            Ipv6Addr::UNSPECIFIED,
            group,
            ALL_NODES,
            "duplicate address detection",
        ),
    ];
    for (from, to, answered, why) in table {
        let mut puppet = Puppet::new();
        puppet.introduce();
        let mut packet = Vec::new();
        Ndp::solicit(&mut packet, (PEER_MAC, from), to, ours);
        let mac = if to == group {
            multicast_mac(group)
        } else {
            OWN_MAC
        };
        puppet.frame(&framed(mac, &packet));
        let (_, frame) = puppet.sent.pop().expect(why);
        let ip = IpView::parse(&frame[14..]).expect("well-formed");
        assert!(ip.checksum_valid(), "{why}");
        assert_eq!(
            (ip.src, ip.dst),
            (IpAddr::V6(ours), IpAddr::V6(answered)),
            "{why}"
        );
        let want = Ndp::Advertisement {
            target: ours,
            at: Some(OWN_MAC),
        };
        assert_eq!(Ndp::parse(&ip), Some(want), "{why}");
    }
}

#[test]
fn ipv6_connect_solicits_and_sends_when_answered() {
    let mut puppet = Puppet::new();
    let (ours, theirs) = (v6_of(own(Family::Inet6)), v6_of(peer(Family::Inet6)));
    dial(&mut puppet, Family::Inet6);
    let (_, frame) = puppet.sent.pop().expect("a solicitation");
    assert_eq!(frame[..6], multicast_mac(solicited_node(theirs)));
    let mut packet = Vec::new();
    Ndp::advertise(&mut packet, PEER_MAC, theirs, ours);
    puppet.packet(&packet);
    assert_eq!(puppet.only_segment().flags, SYN);
}

#[test]
fn ndp_from_beyond_a_router_is_ignored() {
    let mut puppet = Puppet::new();
    let (ours, theirs) = (v6_of(own(Family::Inet6)), v6_of(peer(Family::Inet6)));
    let mut packet = Vec::new();
    Ndp::solicit(&mut packet, (PEER_MAC, theirs), ours, ours);
    packet[7] = 64;
    puppet.packet(&packet);
    assert!(puppet.sent.is_empty());
    assert_eq!(puppet.stack.neighbours.len(), 0);
}

#[test]
fn echo_is_answered() {
    for (family, protocol, request, reply) in [
        (Family::Inet, ICMP, 8, 0),
        (Family::Inet6, ICMPV6, 128, 129),
    ] {
        let mut puppet = Puppet::new();
        puppet.introduce();
        let mut packet = Vec::new();
        let (src, dst) = (peer(family), own(family));
        ip_header(&mut packet, src, dst, protocol, 64, 64);
        let start = packet.len();
        packet.extend_from_slice(&[request, 0, 0, 0, 1, 2, 3, 4]);
        packet.extend_from_slice(&[0xa5; 56]);
        icmp_checksum(&mut packet, start, src, dst);
        puppet.packet(&packet);
        let (_, frame) = puppet.sent.pop().expect("a reply");
        let ip = IpView::parse(&frame[14..]).expect("well-formed");
        assert!(ip.checksum_valid());
        assert_eq!((ip.src, ip.dst, ip.payload()[0]), (dst, src, reply));
        assert_eq!(ip.payload()[4..], packet[start + 4..]);
        packet[start + 20] ^= 1;
        puppet.packet(&packet);
        assert!(puppet.sent.is_empty(), "a wrong checksum");
    }
}

#[test]
fn udp_is_unreachable_at_a_bounded_rate() {
    for (family, head) in [(Family::Inet, [3, 3]), (Family::Inet6, [1, 4])] {
        let mut puppet = Puppet::new();
        puppet.introduce();
        let mut packet = Vec::new();
        ip_header(&mut packet, peer(family), own(family), UDP, 64, 12);
        packet.extend_from_slice(&[0x12, 0x34, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]);
        for _ in 0..300 {
            puppet.packet(&packet);
        }
        assert_eq!(puppet.sent.len(), 100);
        let (_, frame) = &puppet.sent[0];
        let ip = IpView::parse(&frame[14..]).expect("well-formed");
        assert!(ip.checksum_valid());
        assert_eq!(ip.payload()[..2], head);
        assert_eq!(ip.payload()[8..], packet);
        puppet.sent.clear();
        puppet.pass(Duration::from_secs(1));
        puppet.packet(&packet);
        assert_eq!(puppet.sent.len(), 1);
    }
}
