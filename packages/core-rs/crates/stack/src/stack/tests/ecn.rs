//! Explicit congestion notification (RFC 3168) with a peer that asks for it.

use super::*;
use crate::packet::build::set_ecn;
use crate::packet::{CE, CWR, ECE, ECT};

/// A connection whose peer asks for ECN, or not; the flags of our SYN-ACK.
fn established(puppet: &mut Puppet, family: Family, asks: bool) -> (Conversation, u8) {
    puppet.introduce();
    puppet.listen(family, 80);
    let mut talk = Conversation::new(family, 4000, 80);
    let flags = if asks { SYN | ECE | CWR } else { SYN };
    let options = [2, 4, 5, 0xb4, 4, 2, 1, 1];
    puppet.packet(&raw_segment(
        talk.flow,
        talk.seq,
        Seq(0),
        flags,
        &options,
        b"",
    ));
    let syn_ack = puppet.only_segment();
    (talk.ack, talk.seq) = (syn_ack.seq.plus(1), talk.seq.plus(1));
    puppet.packet(&talk.segment(ACK, b""));
    talk.pcb = puppet.incoming();
    (talk, syn_ack.flags)
}

/// The ECN fields and flags of the segments sent.
fn sent(puppet: &mut Puppet) -> Vec<(u8, u8)> {
    let frames = std::mem::take(&mut puppet.sent);
    let seen = frames.iter().filter_map(|(_, frame)| {
        let ip = IpView::parse(ethernet::parse(frame)?.2)?;
        let tcp = TcpView::parse(ip.payload())?;
        Some((ip.ecn(), tcp.flags))
    });
    seen.collect()
}

fn write(puppet: &mut Puppet, talk: &Conversation, len: usize) {
    puppet
        .stack
        .write_with(talk.pcb(), |_| (len, ()))
        .expect("write");
    puppet.turn();
}

#[test]
fn ecn_is_for_peers_that_ask() {
    for family in [Family::Inet, Family::Inet6] {
        for asks in [false, true] {
            let mut puppet = Puppet::new();
            let (talk, flags) = established(&mut puppet, family, asks);
            assert_eq!(flags & (ECE | CWR), if asks { ECE } else { 0 });
            puppet.sent.clear();
            write(&mut puppet, &talk, 100);
            let want = if asks { ECT } else { 0 };
            assert_eq!(sent(&mut puppet), [(want, ACK | PSH)]);
            // Sent again, it is not ECN-capable: RFC 3168 6.1.5.
            puppet.pass(smoltcp::time::Duration::from_secs(1));
            assert!(sent(&mut puppet).iter().all(|(ecn, _)| *ecn == 0));
        }
    }
}

#[test]
fn congestion_on_the_way_here_is_echoed_until_it_is_heard() {
    let mut puppet = Puppet::new();
    let (mut talk, _) = established(&mut puppet, Family::Inet, true);
    puppet.sent.clear();
    let mut hear = |flags: u8, ecn: u8| {
        let mut packet = talk.segment(flags, &[1; 2920]);
        set_ecn(&mut packet, ecn);
        talk.seq = talk.seq.plus(2920);
        let mut frame = framed(OWN_MAC, &packet);
        let vouched = RxMeta { checksum_ok: true };
        puppet.stack.handle_frame(puppet.now, &vouched, &mut frame);
        puppet.turn();
        sent(&mut puppet)
    };
    assert_eq!(hear(ACK, ECT), [(0, ACK)]);
    assert_eq!(hear(ACK, CE), [(0, ACK | ECE)]);
    assert_eq!(hear(ACK, ECT), [(0, ACK | ECE)], "until it is heard");
    assert_eq!(hear(ACK | CWR, ECT), [(0, ACK)]);
    assert_eq!(
        hear(ACK | CWR, CE),
        [(0, ACK | ECE)],
        "the newest word counts"
    );
}

#[test]
fn congestion_on_the_way_there_reduces_the_window_and_is_answered() {
    let mut puppet = Puppet::new();
    let (mut talk, _) = established(&mut puppet, Family::Inet, true);
    write(&mut puppet, &talk, 10 * 1460);
    puppet.sent.clear();
    let id = talk.pcb();
    let threshold = |puppet: &Puppet| {
        let info = puppet.stack.info(id).expect("info");
        info.sender.expect("open").ssthresh
    };
    assert_eq!(threshold(&puppet), None);
    talk.ack = talk.ack.plus(5 * 1460);
    puppet.packet(&talk.segment(ACK | ECE, b""));
    assert_eq!(threshold(&puppet), Some(10 * 1460 * 7 / 10));
    write(&mut puppet, &talk, 20 * 1460);
    let flags: Vec<u8> = sent(&mut puppet).iter().map(|(_, flags)| *flags).collect();
    assert!(flags[0] & CWR != 0, "{flags:?}");
    assert!(
        flags[1..].iter().all(|flags| flags & CWR == 0),
        "once: {flags:?}"
    );
}
