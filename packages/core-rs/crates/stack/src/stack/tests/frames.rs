//! Frames that are not for us, and frames that nobody should send.

use super::*;
use proptest::prelude::*;
use smoltcp::time::Duration;

#[test]
fn frames_for_others_are_ignored() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    let syn = Conversation::new(Family::Inet, 4000, 81).syn();
    puppet.frame(&framed([2, 0, 0, 0, 0, 5], &syn));
    puppet.frame(&framed(BROADCAST, &syn));
    let table: [([u8; 4], [u8; 4], &str); 8] = [
        ([10, 77, 0, 9], [10, 77, 0, 3], "another host"),
        ([10, 77, 0, 9], [127, 0, 0, 1], "loopback from outside"),
        ([10, 77, 0, 1], [10, 77, 0, 1], "ourselves from outside"),
        ([127, 0, 0, 1], [10, 77, 0, 1], "from loopback"),
        ([10, 77, 0, 255], [10, 77, 0, 1], "from a broadcast address"),
        ([10, 77, 0, 9], [10, 77, 0, 255], "to a broadcast address"),
        ([10, 77, 0, 9], [224, 0, 0, 1], "to a group"),
        ([0, 0, 0, 0], [10, 77, 0, 1], "from nowhere"),
    ];
    for (src, dst, why) in table {
        let flow = FlowKey::new(IpAddr::from(src), 4000, IpAddr::from(dst), 81);
        puppet.packet(&raw_segment(flow, Seq(1), Seq(0), SYN, &[], b""));
        assert!(puppet.sent.is_empty(), "{why}");
    }
    assert_eq!(puppet.stack.counters().rx_ignored, 10);
}

#[test]
fn fragments_are_ignored() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    let mut packet = Conversation::new(Family::Inet, 4000, 81).syn();
    packet[6] = 0x20;
    fix_lengths(&mut packet);
    puppet.packet(&packet);
    assert!(puppet.sent.is_empty());
}

#[test]
fn wrong_checksums_are_dropped() {
    for family in [Family::Inet, Family::Inet6] {
        let mut puppet = Puppet::new();
        puppet.introduce();
        let mut packet = Conversation::new(family, 4000, 81).syn();
        let end = packet.len() - 1;
        packet[end] ^= 0x40;
        puppet.packet(&packet);
        assert!(puppet.sent.is_empty());
        assert_eq!(puppet.stack.counters().rx_bad, 1);
    }
    let mut puppet = Puppet::new();
    let mut packet = Conversation::new(Family::Inet, 4000, 81).syn();
    packet[8] ^= 1;
    puppet.packet(&packet);
    assert_eq!(puppet.stack.counters().rx_bad, 1, "the IP header's own");
}

#[test]
fn padding_behind_the_packet_is_cut() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    let mut packet = talk.segment(ACK | PSH, b"x");
    packet.extend_from_slice(&[0; 5]);
    puppet.packet(&packet);
    assert_eq!(puppet.stack.recv_queue(talk.pcb()), 1);
}

/// One thing that happens near a live connection.
#[derive(Clone, Debug)]
struct Near {
    seq: i32,
    ack: i32,
    flags: u8,
    len: usize,
    options: Vec<u8>,
    action: u8,
    millis: u64,
}

fn near() -> impl Strategy<Value = Near> {
    let distance = prop_oneof![-3..4i32, -70_000..70_000i32, any::<i32>()];
    let options = proptest::collection::vec(any::<u8>(), 0..10);
    let len = prop_oneof![0..3usize, 0..4000usize];
    let flags = prop_oneof![Just(ACK), Just(ACK | PSH), Just(ACK | FIN), any::<u8>()];
    (
        distance.clone(),
        distance,
        flags,
        len,
        options,
        any::<u8>(),
        0..70_000u64,
    )
        .prop_map(|(seq, ack, flags, len, mut options, action, millis)| {
            options.truncate(options.len() / 4 * 4);
            Near {
                seq,
                ack,
                flags,
                len,
                options,
                action,
                millis,
            }
        })
}

/// What the program does meanwhile.
fn act(puppet: &mut Puppet, pcb: PcbId, step: &Near) {
    match step.action % 8 {
        0 => drop(
            puppet
                .stack
                .write_with(pcb, |free| (free.len().min(step.len), ())),
        ),
        1 => drop(
            puppet
                .stack
                .read_with(pcb, |data| (data.len().min(step.len), ())),
        ),
        2 if step.action > 200 => puppet.stack.shutdown_write(pcb),
        3 if step.action > 240 => puppet.stack.close(pcb),
        4 => puppet.pass(Duration::from_millis(step.millis)),
        _ => {}
    }
    puppet.turn();
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn arbitrary_frames_never_panic(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..20),
        kind in prop_oneof![Just(ethernet::ARP), Just(ethernet::IPV4), Just(ethernet::IPV6)],
        checksum_ok: bool,
    ) {
        let mut puppet = Puppet::new();
        puppet.introduce();
        for mut payload in payloads {
            puppet.stack.handle_frame(puppet.now, &RxMeta { checksum_ok }, &mut payload.clone());
            let mut frame = ethernet::header(OWN_MAC, PEER_MAC, kind).to_vec();
            frame.append(&mut payload);
            puppet.stack.handle_frame(puppet.now, &RxMeta { checksum_ok }, &mut frame);
            puppet.turn();
        }
    }

    #[test]
    fn mangled_packets_never_panic(
        cuts in proptest::collection::vec((any::<u16>(), any::<u8>(), 0..100usize), 1..40),
        v6: bool,
    ) {
        let family = if v6 { Family::Inet6 } else { Family::Inet };
        let mut puppet = Puppet::new();
        let talk = puppet.established(family);
        let good = [talk.syn(), talk.segment(ACK | PSH, b"payload"), talk.segment(ACK | FIN, b"")];
        for (at, byte, cut) in cuts {
            let mut packet = good[usize::from(byte) % 3].clone();
            let at = usize::from(at) % packet.len();
            packet[at] = byte;
            packet.truncate(packet.len().saturating_sub(cut).max(1));
            let fixed = packet.len() >= 40 && (packet[0] == 0x45 || packet[0] == 0x60);
            if fixed && at != 0 {
                fix_lengths(&mut packet);
            }
            let mut frame = framed(OWN_MAC, &packet);
            puppet.stack.handle_frame(puppet.now, &RxMeta { checksum_ok: true }, &mut frame);
            puppet.turn();
        }
    }

    #[test]
    fn segments_near_a_connection_never_panic(steps in proptest::collection::vec(near(), 1..60)) {
        let mut puppet = Puppet::with(|config| config.ring = 16 << 10);
        let mut talk = puppet.established(Family::Inet);
        for step in steps {
            act(&mut puppet, talk.pcb(), &step);
            // Now and then what the stack has sent is acknowledged.
            let sent = puppet.segments();
            if let Some(last) = sent.last().filter(|_| step.action % 3 == 0) {
                talk.ack = last.seq.plus(last.len + u32::from(last.flags & FIN != 0));
                if last.flags & ACK != 0 {
                    talk.seq = last.ack;
                }
            }
            let seq = talk.seq.plus(step.seq.cast_unsigned());
            let ack = talk.ack.plus(step.ack.cast_unsigned());
            let payload = vec![1; step.len];
            puppet.packet(&raw_segment(talk.flow, seq, ack, step.flags, &step.options, &payload));
        }
    }
}
