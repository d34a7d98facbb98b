//! Sequence numbers, segment sizes, metadata, ICMP errors about connections.

use super::*;
use smoltcp::time::Duration;

fn connect(puppet: &mut Puppet, family: Family, port: u16) -> (PcbId, Conversation, Seen) {
    let id = puppet.stack.open(family).expect("open");
    let to = SockAddr::new(peer(family), port);
    let local = puppet.stack.connect(id, to, puppet.now).expect("connect");
    puppet.turn();
    let syn = puppet.only_segment();
    assert_eq!(syn.flags, SYN);
    let mut talk = Conversation::new(family, port, local.port);
    talk.ack = syn.seq.plus(1);
    (id, talk, syn)
}

#[test]
fn initial_numbers_are_those_of_rfc_6528() {
    for family in [Family::Inet, Family::Inet6] {
        let mut puppet = Puppet::new();
        puppet.introduce();
        puppet.listen(family, 80);
        let key = SipKey::derive([7, 8], FOR_ISN);
        for port in 4000..4008 {
            puppet.now += Duration::from_micros(234_567);
            puppet.packet(&Conversation::new(family, port, 80).syn());
            let flow = FlowKey::new(own(family), 80, peer(family), port);
            let want = crate::isn::initial(&key, &flow, puppet.now);
            let segments = puppet.segments();
            let ours = segments
                .iter()
                .find(|seen| seen.dst_port == port)
                .expect("SYN-ACK");
            assert_eq!((ours.flags, ours.seq), (SYN | ACK, want), "passive");
        }
        for _ in 0..8 {
            puppet.now += Duration::from_micros(123_456);
            let id = puppet.stack.open(family).expect("open");
            let to = SockAddr::new(peer(family), 443);
            let local = puppet.stack.connect(id, to, puppet.now).expect("connect");
            puppet.turn();
            let flow = FlowKey::new(own(family), local.port, peer(family), 443);
            let want = crate::isn::initial(&key, &flow, puppet.now);
            let syn = puppet
                .segments()
                .into_iter()
                .find(|seen| seen.src_port == local.port);
            assert_eq!(syn.expect("SYN").seq, want, "active");
        }
    }
}

#[test]
fn syn_offers_the_links_segment_size_not_smoltcps() {
    for (family, want) in [(Family::Inet, 1460), (Family::Inet6, 1440)] {
        for tso in [false, true] {
            let mut puppet = Puppet::with(|config| config.tso = tso);
            puppet.introduce();
            let (_, _, syn) = connect(&mut puppet, family, 80);
            assert_eq!(syn.mss, Some(want));
            puppet.listen(family, 81);
            puppet.packet(&Conversation::new(family, 4000, 81).syn());
            assert_eq!(puppet.only_segment().mss, Some(want));
        }
    }
}

#[test]
fn max_segment_limits_what_is_offered_and_sent() {
    let mut puppet = Puppet::with(|config| config.tso = true);
    puppet.introduce();
    let id = puppet.stack.open(Family::Inet).expect("open");
    puppet.stack.set_options(
        id,
        PcbOptions {
            max_segment: Some(600),
            ..PcbOptions::default()
        },
    );
    let to = SockAddr::new(peer(Family::Inet), 80);
    let local = puppet.stack.connect(id, to, puppet.now).expect("connect");
    puppet.turn();
    let syn = puppet.only_segment();
    assert_eq!(syn.mss, Some(600));
    let mut talk = Conversation::new(Family::Inet, 80, local.port);
    talk.ack = syn.seq.plus(1);
    let mss = [2, 4, 5, 0xb4];
    puppet.packet(&raw_segment(
        talk.flow,
        talk.seq,
        talk.ack,
        SYN | ACK,
        &mss,
        b"",
    ));
    puppet.segments();
    puppet.stack.write_with(id, |_| (5000, ())).expect("write");
    puppet.turn();
    let data = puppet.only_segment();
    assert_eq!(
        (data.len, data.meta.gso.map(|gso| gso.size)),
        (5000, Some(600))
    );
}

#[test]
fn super_frame_has_metadata_when_the_link_cuts() {
    for (family, mss, headers, start) in
        [(Family::Inet, 1460, 54, 34), (Family::Inet6, 1440, 74, 54)]
    {
        let mut puppet = Puppet::with(|config| config.tso = true);
        let talk = puppet.established(family);
        puppet
            .stack
            .write_with(talk.pcb(), |_| (14_000, ()))
            .expect("write");
        puppet.turn();
        let data = puppet.only_segment();
        assert_eq!(data.len, 14_000);
        let gso = data.meta.gso.expect("segmentation");
        // The peer's MSS option said 1460, whatever the family.
        assert_eq!(
            (gso.size, gso.hdr_len, gso.v6),
            (mss, headers, family == Family::Inet6)
        );
        let csum = data.meta.csum.expect("partial checksum");
        assert_eq!((csum.start, csum.offset), (start, 16));
    }
}

#[test]
fn super_frame_is_cut_when_the_link_does_not() {
    for (family, mss) in [(Family::Inet, 1460), (Family::Inet6, 1440)] {
        let mut puppet = Puppet::new();
        let talk = puppet.established(family);
        puppet
            .stack
            .write_with(talk.pcb(), |_| (14_000, ()))
            .expect("write");
        puppet.turn();
        let pieces = puppet.segments();
        assert_eq!(pieces.iter().map(|seen| seen.len).sum::<u32>(), 14_000);
        let mut next = talk.ack;
        for (index, piece) in pieces.iter().enumerate() {
            assert_eq!(piece.seq, next);
            assert!(piece.len <= mss && piece.meta == TxMeta::default());
            let last = index == pieces.len() - 1;
            assert_eq!(piece.flags & PSH != 0, last, "PSH on the last only");
            next = next.plus(piece.len);
        }
    }
}

#[test]
fn received_super_frame_is_taken_whole() {
    let mut puppet = Puppet::with(|config| config.tso = true);
    let talk = puppet.established(Family::Inet);
    let payload: Vec<u8> = (0..60_000u32).map(|at| at.to_le_bytes()[0]).collect();
    let mut packet = talk.segment(ACK | PSH, &payload);
    // A checksum that was never completed.
    packet[36..38].copy_from_slice(&[0xde, 0xad]);
    let mut frame = framed(OWN_MAC, &packet);
    puppet.frame(&frame);
    assert_eq!(
        puppet.stack.recv_queue(talk.pcb()),
        0,
        "nobody vouched for it"
    );
    assert_eq!(puppet.stack.counters().rx_bad, 1);
    puppet
        .stack
        .handle_frame(puppet.now, &RxMeta { checksum_ok: true }, &mut frame);
    puppet.turn();
    assert_eq!(puppet.events, [Event::Readable { pcb: talk.pcb() }]);
    let got = puppet
        .stack
        .read_with(talk.pcb(), |data| (data.len(), data.to_vec()));
    assert_eq!(got, Ok(payload));
}

#[test]
fn one_segment_is_acknowledged_after_ten_milliseconds() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    puppet.packet(&talk.segment(ACK | PSH, b"hello"));
    assert!(puppet.segments().is_empty());
    assert_eq!(
        puppet.stack.poll_timeout(),
        Some(puppet.now + Duration::from_millis(10))
    );
    puppet.pass(Duration::from_millis(10));
    assert_eq!(puppet.only_segment().ack, talk.seq.plus(5));
    assert_eq!(puppet.stack.poll_timeout(), None);
}

#[test]
fn received_super_frame_is_acknowledged_at_once() {
    let mut puppet = Puppet::new();
    let mut talk = puppet.established(Family::Inet);
    puppet.packet(&talk.segment(ACK | PSH, &[7; 2920]));
    talk.seq = talk.seq.plus(2920);
    assert_eq!(puppet.only_segment().ack, talk.seq);
    // Behind a small one that waits, too.
    puppet.packet(&talk.segment(ACK | PSH, b"x"));
    assert!(puppet.segments().is_empty());
    talk.seq = talk.seq.plus(1);
    puppet.packet(&talk.segment(ACK | PSH, &[7; 2920]));
    assert_eq!(puppet.only_segment().ack, talk.seq.plus(2920));
}

#[test]
fn nagle_holds_small_segments_back_unless_told_not_to() {
    for nodelay in [false, true] {
        let mut puppet = Puppet::new();
        let talk = puppet.established(Family::Inet);
        puppet.stack.set_options(
            talk.pcb(),
            PcbOptions {
                nodelay,
                ..PcbOptions::default()
            },
        );
        for _ in 0..2 {
            puppet
                .stack
                .write_with(talk.pcb(), |_| (10, ()))
                .expect("write");
            puppet.turn();
        }
        assert_eq!(puppet.segments().len(), if nodelay { 2 } else { 1 });
    }
}

#[test]
fn fragmentation_needed_lowers_the_segment_size_of_its_flow() {
    for tso in [false, true] {
        let mut puppet = Puppet::with(|config| config.tso = tso);
        let talk = puppet.established(Family::Inet);
        puppet
            .stack
            .write_with(talk.pcb(), |_| (5000, ()))
            .expect("write");
        puppet.turn();
        puppet.sent.clear();
        let quote = |seq| raw_segment(reversed(talk.flow), seq, talk.seq, ACK, &[], &[0; 100]);
        puppet.packet(&icmp_v4(3, 4, 600, &quote(talk.ack.plus(90_000))));
        let mss = |puppet: &Puppet| puppet.stack.info(talk.pcb()).expect("pcb").mss;
        assert_eq!(
            mss(&puppet),
            1460,
            "a stranger guessed the sequence number wrong"
        );
        puppet.packet(&icmp_v4(3, 4, 600, &quote(talk.ack)));
        assert_eq!(mss(&puppet), 560);
        // It is sent again at once, cut anew.
        let again = puppet.segments();
        assert_eq!(again.iter().map(|seen| seen.len).sum::<u32>(), 5000);
        for seen in again {
            let size = seen.meta.gso.map_or(seen.len, |gso| u32::from(gso.size));
            assert!(size <= 560, "{seen:?}");
        }
    }
}

#[test]
fn packet_too_big_lowers_the_segment_size_of_its_flow() {
    let mut puppet = Puppet::with(|config| config.tso = true);
    let talk = puppet.established(Family::Inet6);
    puppet
        .stack
        .write_with(talk.pcb(), |_| (5000, ()))
        .expect("write");
    puppet.turn();
    let quoted = raw_segment(reversed(talk.flow), talk.ack, talk.seq, ACK, &[], &[0; 100]);
    puppet.packet(&icmp_v6(2, 0, 1280, &quoted));
    assert_eq!(puppet.stack.info(talk.pcb()).expect("pcb").mss, 1220);
}

#[test]
fn unreachable_ends_an_attempt() {
    let table = [
        (Family::Inet, 3, 0, Cause::NetUnreachable),
        (Family::Inet, 3, 1, Cause::HostUnreachable),
        (Family::Inet, 3, 2, Cause::ProtocolUnreachable),
        (Family::Inet, 3, 3, Cause::Refused),
        (Family::Inet, 3, 13, Cause::HostUnreachable),
        (Family::Inet6, 1, 0, Cause::NetUnreachable),
        (Family::Inet6, 1, 1, Cause::Denied),
        (Family::Inet6, 1, 3, Cause::HostUnreachable),
        (Family::Inet6, 1, 4, Cause::Refused),
    ];
    for (family, kind, code, cause) in table {
        let mut puppet = Puppet::new();
        puppet.introduce();
        let (id, talk, syn) = connect(&mut puppet, family, 80);
        let quoted = raw_segment(reversed(talk.flow), syn.seq, Seq(0), SYN, &[], b"");
        let error = match family {
            Family::Inet => icmp_v4(kind, code, 0, &quoted),
            Family::Inet6 => icmp_v6(kind, code, 0, &quoted),
        };
        puppet.packet(&error);
        assert_eq!(
            puppet.events,
            [Event::Failed { pcb: id, cause }],
            "{family:?} {kind} {code}"
        );
    }
}

#[test]
fn unreachable_only_explains_the_end_of_a_connection() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    puppet
        .stack
        .write_with(talk.pcb(), |_| (100, ()))
        .expect("write");
    puppet.turn();
    let quoted = raw_segment(reversed(talk.flow), talk.ack, talk.seq, ACK, &[], b"");
    puppet.packet(&icmp_v4(3, 0, 0, &quoted));
    assert!(puppet.events.is_empty(), "soft");
    for _ in 0..1000 {
        // The neighbour stays known.
        puppet.introduce();
        puppet.pass(Duration::from_secs(1));
    }
    let failed = Event::Failed {
        pcb: talk.pcb(),
        cause: Cause::NetUnreachable,
    };
    assert_eq!(puppet.events, [failed]);
}

fn reversed(flow: FlowKey) -> FlowKey {
    let ((a, ap), (b, bp)) = (flow.local(), flow.remote());
    FlowKey::new(b, bp, a, ap)
}

fn icmp_v4(kind: u8, code: u8, mtu: u16, quoted: &[u8]) -> Vec<u8> {
    let [a, b] = mtu.to_be_bytes();
    // As little as RFC 792 promises.
    icmp(
        Family::Inet,
        ICMP,
        [kind, code, 0, 0, 0, 0, a, b],
        &quoted[..28],
    )
}

fn icmp_v6(kind: u8, code: u8, mtu: u32, quoted: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = mtu.to_be_bytes();
    icmp(
        Family::Inet6,
        ICMPV6,
        [kind, code, 0, 0, a, b, c, d],
        quoted,
    )
}

fn icmp(family: Family, protocol: u8, head: [u8; 8], quoted: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    let (src, dst) = (peer(family), own(family));
    ip_header(&mut packet, src, dst, protocol, 64, 8 + quoted.len());
    let start = packet.len();
    packet.extend_from_slice(&head);
    packet.extend_from_slice(quoted);
    icmp_checksum(&mut packet, start, src, dst);
    packet
}

/// A peer that ignores the window, before anything was acknowledged.
#[test]
fn more_than_the_ring_takes_is_dropped() {
    let mut puppet = Puppet::new();
    let mut talk = puppet.established(Family::Inet);
    for _ in 0..4 {
        let mut frame = framed(OWN_MAC, &talk.segment(ACK, &[7; 60_000]));
        puppet
            .stack
            .handle_frame(puppet.now, &RxMeta { checksum_ok: true }, &mut frame);
        talk.seq = talk.seq.plus(60_000);
    }
    puppet.turn();
    assert_eq!(puppet.stack.recv_queue(talk.pcb()), 120_000);
}

/// The window of a SYN-ACK is not scaled, and what is sent repeats it: there would be more to tell, but smoltcp has told it.
#[test]
fn connection_that_has_only_sent_sleeps() {
    let mut puppet = Puppet::with(|config| config.ring = 4 << 20);
    let mut talk = puppet.established(Family::Inet);
    let wrote = puppet.stack.write_with(talk.pcb(), |free| {
        free[..5].copy_from_slice(b"hello");
        (5, ())
    });
    wrote.expect("written");
    puppet.turn();
    talk.ack = talk.ack.plus(5);
    puppet.packet(&talk.segment(ACK, b""));
    puppet.pass(Duration::from_secs(1));
    assert_eq!(puppet.stack.poll_timeout(), None);
    puppet.sent.clear();
    puppet.packet(&talk.segment(ACK, b"x"));
    let told = &puppet.sent.last().expect("an acknowledgement").1;
    let window = u16::from_be_bytes([told[14 + 20 + 14], told[14 + 20 + 15]]);
    assert!(window > 511, "the first octet opens it: {window}");
}
