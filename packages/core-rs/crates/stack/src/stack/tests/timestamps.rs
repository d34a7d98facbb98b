//! Timestamps (RFC 7323 3 to 5) with a peer that sends them.

use super::*;
use crate::packet::options::{self, Stamp};

/// The stamp that the peer's SYN has.
const FIRST: u32 = 7000;

fn stamped(talk: &Conversation, value: u32, echo: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let stamp = Some(Stamp { value, echo });
    let options = Options::new(stamp);
    let slice = options.as_slice();
    raw_segment(talk.flow, talk.seq, talk.ack, flags, slice, payload)
}

/// MSS 1460, SACK permitted, timestamps.
fn syn(talk: &Conversation, value: u32) -> Vec<u8> {
    let mut options = vec![2, 4, 5, 0xb4, 4, 2];
    options.extend_from_slice(&[8, 10]);
    options.extend_from_slice(&value.to_be_bytes());
    options.extend_from_slice(&[0; 4]);
    raw_segment(talk.flow, talk.seq, Seq(0), SYN, &options, b"")
}

/// A segment as the peer sees it.
struct Told {
    tcp: TcpView,
    stamp: Option<Stamp>,
    sack: Vec<(u32, u32)>,
}

fn told(puppet: &mut Puppet) -> Vec<Told> {
    let frames = std::mem::take(&mut puppet.sent);
    let seen = frames.iter().filter_map(|(_, frame)| {
        let ip = IpView::parse(ethernet::parse(frame)?.2)?;
        let tcp = TcpView::parse(ip.payload())?;
        let mut blocks = [(0, 0); 4];
        let count = crate::sack::blocks(ip.payload(), &mut blocks);
        Some(Told {
            tcp,
            stamp: options::stamp(ip.payload()),
            sack: blocks[..count].to_vec(),
        })
    });
    seen.collect()
}

fn one(puppet: &mut Puppet) -> Told {
    let mut all = told(puppet);
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn established(puppet: &mut Puppet, family: Family) -> (Conversation, Stamp) {
    puppet.introduce();
    puppet.listen(family, 80);
    let mut talk = Conversation::new(family, 4000, 80);
    puppet.packet(&syn(&talk, FIRST));
    let syn_ack = one(puppet);
    let stamp = syn_ack.stamp.expect("granted");
    (talk.ack, talk.seq) = (syn_ack.tcp.seq.plus(1), talk.seq.plus(1));
    puppet.packet(&stamped(&talk, FIRST, stamp.value, ACK, b""));
    talk.pcb = puppet.incoming();
    puppet.sent.clear();
    (talk, stamp)
}

#[test]
fn timestamps_are_for_peers_that_have_them() {
    for family in [Family::Inet, Family::Inet6] {
        let mut puppet = Puppet::new();
        let (talk, stamp) = established(&mut puppet, family);
        assert_eq!(stamp.echo, FIRST);
        let info = puppet.stack.info(talk.pcb()).expect("info");
        let headers = if family == Family::Inet { 0 } else { 20 };
        assert!(info.measures.timestamps);
        assert_eq!(info.mss, (1460 - headers - 12).min(1448));
        puppet.now += smoltcp::time::Duration::from_millis(33);
        puppet
            .stack
            .write_with(talk.pcb(), |_| (3000, ()))
            .expect("write");
        puppet.turn();
        let sent = told(&mut puppet);
        let passed = sent[0].stamp.map(|now| now.value.wrapping_sub(stamp.value));
        assert_eq!(passed, Some(33), "a tick is a millisecond");
    }
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    puppet
        .stack
        .write_with(talk.pcb(), |_| (10, ()))
        .expect("write");
    puppet.turn();
    assert_eq!(one(&mut puppet).stamp, None, "its SYN had none");
}

#[test]
fn our_syn_asks_for_timestamps() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    let id = puppet.stack.open(Family::Inet).expect("open");
    let to = SockAddr::new(peer(Family::Inet), 9);
    puppet.stack.connect(id, to, puppet.now).expect("connect");
    puppet.turn();
    let syn = one(&mut puppet);
    let stamp = syn.stamp.expect("asked for");
    assert_eq!((syn.tcp.flags, stamp.echo), (SYN, 0));
    assert_ne!(stamp.value, 0, "the time");
}

/// RFC 7323 4.3: of a segment behind a gap nothing is echoed, of one that fills it is; SACK stands beside.
#[test]
fn what_advances_is_echoed() {
    let mut puppet = Puppet::new();
    let (talk, _) = established(&mut puppet, Family::Inet);
    let ahead = Conversation {
        seq: talk.seq.plus(1000),
        ..talk
    };
    puppet.packet(&stamped(&ahead, FIRST + 50, 0, ACK, &[0; 500]));
    let answer = one(&mut puppet);
    assert_eq!(answer.stamp.map(|stamp| stamp.echo), Some(FIRST));
    let block = (talk.seq.0 + 1000, talk.seq.0 + 1500);
    assert_eq!(answer.sack, [block]);
    // A part of the gap: answered at once, with the block.
    puppet.packet(&stamped(&talk, FIRST + 20, 0, ACK, &[0; 400]));
    let answer = one(&mut puppet);
    assert_eq!(answer.stamp.map(|stamp| stamp.echo), Some(FIRST + 20));
    assert_eq!(
        (answer.tcp.ack, answer.sack),
        (talk.seq.plus(400), vec![block])
    );
}

/// RFC 7323 5.3 R1.
#[test]
fn segments_of_an_old_incarnation_are_acknowledged_and_dropped() {
    let mut puppet = Puppet::new();
    let (talk, _) = established(&mut puppet, Family::Inet);
    let received = |puppet: &Puppet| puppet.stack.info(talk.pcb()).expect("info").recv_queue;
    puppet.packet(&stamped(&talk, FIRST - 100, 0, ACK, b"old"));
    let answer = one(&mut puppet);
    assert_eq!((answer.tcp.flags, answer.tcp.ack), (ACK, talk.seq));
    assert_eq!(received(&puppet), 0);
    puppet.packet(&stamped(&talk, FIRST + 1, 0, ACK, b"new"));
    assert_eq!(received(&puppet), 3);
    puppet.sent.clear();
    // What has come before is told as a duplicate (RFC 2883).
    puppet.packet(&stamped(&talk, FIRST - 100, 0, ACK, b"new"));
    assert_eq!(one(&mut puppet).sack, [(talk.seq.0, talk.seq.0 + 3)]);
    // A reset is not bound to it (RFC 7323 5.2).
    let reset = Conversation {
        seq: talk.seq.plus(3),
        ..talk
    };
    puppet.packet(&stamped(&reset, FIRST - 100, 0, RST, b""));
    assert!(
        puppet
            .events
            .iter()
            .any(|event| matches!(event, Event::Failed { .. }))
    );
}

/// RFC 6191 2.
#[test]
fn tombstone_gives_way_to_a_later_syn_and_to_no_older_one() {
    let mut puppet = Puppet::new();
    let (mut talk, _) = established(&mut puppet, Family::Inet);
    let listener = puppet
        .stack
        .pcbs()
        .find(|(_, info)| info.state == TcpState::Listen);
    puppet.stack.close(listener.expect("listener").0);
    puppet.stack.close(talk.pcb());
    puppet.turn();
    talk.ack = one(&mut puppet).tcp.seq.plus(1);
    puppet.packet(&stamped(&talk, FIRST + 10, 0, ACK | FIN, b""));
    assert_eq!(
        one(&mut puppet).stamp.map(|stamp| stamp.echo),
        Some(FIRST + 10),
        "the last ACK has them, too"
    );
    for (seq, value, flags) in [
        (900_000, FIRST - 100, ACK),
        (1000, FIRST + 10, ACK),
        (1000, FIRST + 11, RST | ACK),
    ] {
        let new = Conversation {
            seq: Seq(seq),
            ..Conversation::new(Family::Inet, 4000, 80)
        };
        puppet.packet(&syn(&new, value));
        assert_eq!(one(&mut puppet).tcp.flags, flags, "{seq} {value}");
    }
}
