//! Resets and challenges: RFC 9293 3.10.7, RFC 5961.

use super::*;
use smoltcp::time::Duration;

const FAMILIES: [Family; 2] = [Family::Inet, Family::Inet6];

#[test]
fn reset_with_the_next_number_is_believed() {
    for family in FAMILIES {
        let mut puppet = Puppet::new();
        let talk = puppet.established(family);
        puppet.packet(&talk.segment(RST, b""));
        let failed = Event::Failed {
            pcb: talk.pcb(),
            cause: Cause::Reset,
        };
        assert_eq!(puppet.events, [failed]);
        assert!(puppet.segments().is_empty());
    }
}

#[test]
fn reset_elsewhere_in_the_window_is_challenged() {
    for family in FAMILIES {
        let mut puppet = Puppet::new();
        let talk = puppet.established(family);
        puppet.packet(&talk.at(talk.seq.plus(1), RST, b""));
        let challenge = puppet.only_segment();
        assert_eq!((challenge.flags, challenge.ack), (ACK, talk.seq));
        assert_eq!(challenge.seq, talk.ack);
        assert!(puppet.events.is_empty());
        puppet.packet(&talk.at(talk.seq.plus(2), RST, b""));
        assert!(puppet.segments().is_empty(), "rate-limited");
        puppet.pass(Duration::from_millis(600));
        puppet.packet(&talk.at(talk.seq.plus(3), RST, b""));
        assert_eq!(puppet.segments().len(), 1);
        assert_eq!(puppet.stack.counters().challenge_acks, 2);
    }
}

#[test]
fn reset_outside_the_window_is_dropped() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    for seq in [Seq(talk.seq.0.wrapping_sub(1)), talk.seq.plus(200_000)] {
        puppet.packet(&talk.at(seq, RST, b""));
    }
    assert!(puppet.segments().is_empty() && puppet.events.is_empty());
}

#[test]
fn next_number_counts_data_read_data_waiting_and_the_fin() {
    let mut puppet = Puppet::new();
    let mut talk = puppet.established(Family::Inet);
    let first = talk.seq;
    puppet.packet(&talk.segment(ACK | PSH, b"12345678"));
    talk.seq = talk.seq.plus(8);
    assert_eq!(puppet.stack.read_with(talk.pcb(), |_| (3, ())), Ok(()));
    puppet.packet(&talk.segment(ACK | FIN, b""));
    talk.seq = talk.seq.plus(1);
    puppet.pass(Duration::from_millis(20));
    puppet.events.clear();
    puppet.sent.clear();
    for old in 0..9 {
        puppet.packet(&talk.at(first.plus(old), RST, b""));
    }
    assert!(
        puppet.events.is_empty(),
        "numbers before the next one are old"
    );
    puppet.packet(&talk.segment(RST, b""));
    assert_eq!(
        puppet.events,
        [Event::Failed {
            pcb: talk.pcb(),
            cause: Cause::Reset
        }]
    );
    let rest = puppet
        .stack
        .read_with(talk.pcb(), |data| (data.len(), data.to_vec()));
    assert_eq!(rest.as_deref(), Ok(&b"45678"[..]));
    let end = puppet.stack.read_with(talk.pcb(), |_| (0, ()));
    assert_eq!(end, Err(IoError::Failed(Cause::Reset)));
}

#[test]
fn syn_in_a_connection_is_challenged() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    for seq in [talk.seq, talk.seq.plus(500_000)] {
        puppet.packet(&talk.at(seq, SYN, b""));
        let challenge = puppet.only_segment();
        assert_eq!((challenge.flags, challenge.ack), (ACK, talk.seq));
        puppet.pass(Duration::from_secs(1));
    }
    assert!(puppet.events.is_empty());
}

#[test]
fn reset_of_a_syn_must_acknowledge_it() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    let id = puppet.stack.open(Family::Inet).expect("open");
    let to = SockAddr::new(peer(Family::Inet), 80);
    let local = puppet.stack.connect(id, to, puppet.now).expect("connect");
    puppet.turn();
    let syn = puppet.only_segment();
    let mut talk = Conversation::new(Family::Inet, 80, local.port);
    talk.ack = syn.seq;
    puppet.packet(&talk.segment(RST | ACK, b""));
    puppet.packet(&talk.segment(RST, b""));
    assert!(puppet.events.is_empty());
    talk.ack = syn.seq.plus(1);
    puppet.packet(&talk.segment(RST | ACK, b""));
    assert_eq!(
        puppet.events,
        [Event::Failed {
            pcb: id,
            cause: Cause::Refused
        }]
    );
}

#[test]
fn unknown_segment_is_reset_as_the_rfc_says() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    let mut talk = Conversation::new(Family::Inet, 4000, 81);
    puppet.packet(&talk.syn());
    let reset = puppet.only_segment();
    assert_eq!(
        (reset.flags, reset.seq, reset.ack),
        (RST | ACK, Seq(0), talk.seq.plus(1))
    );
    talk.ack = Seq(77);
    puppet.packet(&talk.segment(ACK, b"abc"));
    let reset = puppet.only_segment();
    assert_eq!((reset.flags, reset.seq), (RST, Seq(77)));
    assert_eq!((reset.src_port, reset.dst_port), (81, 4000));
    puppet.packet(&talk.segment(RST, b""));
    assert!(puppet.segments().is_empty(), "a reset is never answered");
}

#[test]
fn abort_sends_a_reset_with_the_next_numbers() {
    let mut puppet = Puppet::new();
    let talk = puppet.established(Family::Inet);
    puppet.stack.abort(talk.pcb());
    puppet.turn();
    let reset = puppet.only_segment();
    assert_eq!(
        (reset.flags, reset.seq, reset.ack),
        (RST | ACK, talk.ack, talk.seq)
    );
    assert_eq!(puppet.events, [Event::Closed { pcb: talk.pcb() }]);
}

#[test]
fn reset_in_syn_received_frees_the_embryo_silently() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    let listener = puppet.listen(Family::Inet, 80);
    let mut talk = Conversation::new(Family::Inet, 4000, 80);
    puppet.packet(&talk.syn());
    talk.seq = talk.seq.plus(1);
    puppet.packet(&talk.segment(RST, b""));
    assert_eq!(puppet.events, [Event::SynReceived { listener }]);
    assert_eq!(puppet.stack.pcbs().count(), 1, "the listener alone");
    assert_eq!(puppet.stack.poll_timeout(), None);
}

#[test]
fn repeated_syn_of_an_embryo_makes_no_second_one() {
    let mut puppet = Puppet::new();
    puppet.introduce();
    puppet.listen(Family::Inet, 80);
    let talk = Conversation::new(Family::Inet, 4000, 80);
    puppet.packet(&talk.syn());
    puppet.packet(&talk.syn());
    assert_eq!(puppet.stack.pcbs().count(), 2);
    assert_eq!(puppet.segments().len(), 1);
}

fn time_waits(puppet: &Puppet) -> usize {
    puppet
        .stack
        .pcbs()
        .filter(|(_, info)| info.state == TcpState::TimeWait)
        .count()
}

#[test]
fn tombstone_ignores_resets_and_acknowledges_fins() {
    let mut puppet = Puppet::new();
    let mut talk = puppet.established(Family::Inet);
    puppet.stack.close(talk.pcb());
    puppet.turn();
    let fin = puppet.only_segment();
    assert_eq!(fin.flags & FIN, FIN);
    talk.ack = fin.seq.plus(1);
    puppet.packet(&talk.segment(ACK | FIN, b""));
    let last = puppet.only_segment();
    assert_eq!((last.flags, last.ack), (ACK, talk.seq.plus(1)));
    assert_eq!(time_waits(&puppet), 1);
    puppet.packet(&talk.at(talk.seq.plus(1), RST, b""));
    assert_eq!(time_waits(&puppet), 1, "RFC 1337");
    puppet.pass(Duration::from_secs(50));
    puppet.introduce();
    puppet.packet(&talk.segment(ACK | FIN, b""));
    assert_eq!(puppet.only_segment().ack, talk.seq.plus(1));
    puppet.packet(&talk.at(talk.seq.plus(1), ACK, b""));
    assert!(puppet.segments().is_empty(), "a bare ACK is not answered");
    puppet.pass(Duration::from_secs(50));
    assert_eq!(time_waits(&puppet), 1, "the FIN began the wait anew");
    puppet.pass(Duration::from_secs(11));
    assert_eq!(time_waits(&puppet), 0);
}

#[test]
fn tombstone_gives_way_to_a_higher_syn_only() {
    let mut puppet = Puppet::new();
    let mut talk = puppet.established(Family::Inet);
    puppet.stack.close(talk.pcb());
    puppet.turn();
    talk.ack = puppet.only_segment().seq.plus(1);
    puppet.packet(&talk.segment(ACK | FIN, b""));
    puppet.segments();
    let old = Conversation {
        seq: Seq(1_000),
        ..Conversation::new(Family::Inet, 4000, 80)
    };
    puppet.packet(&old.syn());
    assert_eq!(
        puppet.only_segment().flags,
        ACK,
        "an old SYN meets the last ACK"
    );
    let new = Conversation {
        seq: Seq(900_000),
        ..Conversation::new(Family::Inet, 4000, 80)
    };
    puppet.packet(&new.syn());
    assert_eq!(
        puppet.only_segment().flags,
        RST | ACK,
        "a new one finds that nobody listens"
    );
}

#[test]
fn listener_takes_a_new_connection_over_a_tombstone() {
    let mut puppet = Puppet::new();
    let mut talk = puppet.established_keeping_the_listener(Family::Inet);
    puppet.stack.close(talk.pcb());
    puppet.turn();
    talk.ack = puppet.only_segment().seq.plus(1);
    puppet.packet(&talk.segment(ACK | FIN, b""));
    puppet.segments();
    puppet.now += Duration::from_secs(1);
    let new = Conversation {
        seq: Seq(900_000),
        ..Conversation::new(Family::Inet, 4000, 80)
    };
    puppet.packet(&new.syn());
    let syn_ack = puppet.only_segment();
    assert_eq!((syn_ack.flags, syn_ack.ack), (SYN | ACK, Seq(900_001)));
    assert!(
        syn_ack.seq.after(talk.ack),
        "the clock has moved our number on, too"
    );
}

/// RFC 9293 3.10.7.4: a blind guess at the acknowledgement alone must not take octets out of the send queue.
#[test]
fn acknowledgement_outside_the_window_is_not_believed() {
    for family in FAMILIES {
        let mut puppet = Puppet::new();
        let mut talk = puppet.established(family);
        let id = talk.pcb();
        puppet.stack.write_with(id, |_| (3000, ())).expect("write");
        puppet.turn();
        let queued = |puppet: &Puppet| puppet.stack.info(id).expect("info").send_queue;
        assert_eq!(queued(&puppet), 3000);
        talk.ack = talk.ack.plus(1000);
        for seq in [Seq(talk.seq.0.wrapping_sub(1)), talk.seq.plus(500_000)] {
            puppet.packet(&talk.at(seq, ACK, b""));
            assert_eq!(queued(&puppet), 3000, "{family:?} {seq:?}");
        }
        puppet.packet(&talk.segment(ACK, b""));
        assert_eq!(queued(&puppet), 2000);
    }
}
