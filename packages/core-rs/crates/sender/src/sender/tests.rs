//! Recovery in virtual time: rules of the RFCs one by one, then anything a network can do.

mod anything;
mod eifel;
mod model;

use self::model::{MSS, Path, World};
use super::{Ack, Handshake, Sender, Verdict};
use crate::number::whole;
use crate::{Algorithm, Span, Time};

const DELAY: Span = Span::from_millis(10);

fn world(total: u64) -> World {
    World::new(Algorithm::Cubic, Path::clean(DELAY), total, 1)
}

fn dropping(total: u64, drops: &[u64]) -> World {
    let mut world = world(total);
    world.path.drops = drops.to_vec();
    world
}

fn milliseconds(seconds: f64) -> u64 {
    whole((seconds * 1000.0).round())
}

/// RFC 6928: ten segments leave in the first round trip, 20 in the next.
#[test]
fn slow_start_begins_with_ten_segments() {
    let mut world = world(100_000);
    assert_eq!(milliseconds(world.run()), 80, "10 + 20 + 40 + 30");
    let first: usize = world
        .log
        .iter()
        .filter(|(at, _)| *at == Time::from_micros(1_000_000))
        .map(|(_, segment)| segment.len)
        .sum();
    assert_eq!(first, 10_000);
    assert_eq!(world.sender.info().stats.resent, 0);
}

/// RFC 8985 6 and RFC 6675: the hole is filled a round trip after it is seen, without a timeout.
#[test]
fn one_loss_costs_a_round_trip() {
    let mut world = dropping(20_000, &[3]);
    assert!(milliseconds(world.run()) <= 80);
    let stats = world.sender.info().stats;
    assert_eq!(
        (stats.resent, stats.timeouts, stats.recoveries),
        (1000, 0, 1)
    );
}

#[test]
fn losses_of_one_window_are_repaired_together() {
    let mut world = dropping(20_000, &[1, 3, 5, 7]);
    assert!(milliseconds(world.run()) <= 100);
    let stats = world.sender.info().stats;
    assert_eq!(
        (stats.resent, stats.timeouts, stats.recoveries),
        (4000, 0, 1)
    );
}

/// RFC 8985 7: the last segment's loss is found by a probe of two round trips, not by a timeout.
#[test]
fn lost_tail_is_probed() {
    let mut world = dropping(10_000, &[9]);
    let took = milliseconds(world.run());
    assert!((60..=200).contains(&took), "{took}");
    let stats = world.sender.info().stats;
    assert_eq!((stats.tail_probes, stats.timeouts), (1, 0));
}

/// RFC 8985 7.3: the probe carries the last data with the FIN, so the peer can report what it has.
#[test]
fn lost_tail_of_several_segments_is_found_by_its_probe() {
    let mut world = dropping(10_000, &[6, 7, 8, 9]);
    let took = milliseconds(world.run());
    assert!((60..=200).contains(&took), "{took}");
    let stats = world.sender.info().stats;
    assert_eq!((stats.tail_probes, stats.timeouts), (1, 0));
    assert!(
        stats.resent <= 4002,
        "the four, each once, and the FIN: {stats:?}"
    );
}

/// RFC 8985 7.4.2: a repaired loss was congestion all the same.
#[test]
fn probe_that_repairs_a_loss_reduces_the_window() {
    let mut world = dropping(10_000, &[9]);
    world.run();
    assert!(world.sender.info().ssthresh.is_some());
}

/// RFC 8985 1: RACK finds lost retransmissions.
#[test]
fn lost_retransmission_needs_no_timeout() {
    // Segment 10 is the first retransmission or a new one; lose a few in a row there.
    let mut world = dropping(100_000, &[0, 10, 11]);
    let took = milliseconds(world.run());
    assert!(took <= 300, "{took}");
    assert_eq!(world.sender.info().stats.timeouts, 0);
}

/// RFC 6298 5: everything is lost, retransmissions come at doubling intervals.
#[test]
fn outage_doubles_the_timeout() {
    let mut world = world(100_000);
    world.path.outage = (5_000, 3_000_000);
    let took = milliseconds(world.run());
    assert!((3_000..3_900).contains(&took), "{took}");
    let stats = world.sender.info().stats;
    assert!((3..=5).contains(&stats.timeouts), "{stats:?}");
    let mut times: Vec<u64> = world
        .log
        .iter()
        .filter(|(at, segment)| segment.start == 0 && at.micros() < 3_900_000)
        .map(|(at, _)| at.micros())
        .collect();
    times.dedup();
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    for pair in gaps.windows(2).skip(1) {
        assert!(
            (19..=21).contains(&(pair[1] * 10 / pair[0])),
            "doubled: {gaps:?}"
        );
    }
}

/// RFC 5682: the path is slow for once; the window comes back.
#[test]
fn premature_timeout_is_taken_back() {
    let mut world = world(3_000_000);
    world.pass(Span::from_millis(150));
    let before = world.sender.info();
    assert!(before.cwnd > 100_000);
    // Everything sent now is up to 400 ms late.
    world.path.stall = (150_000, 550_000);
    world.run();
    let info = world.sender.info();
    assert!(info.stats.timeouts >= 1, "{info:?}");
    assert!(info.stats.undone >= 1, "{info:?}");
    assert!(info.cwnd >= before.cwnd, "{info:?}");
}

/// RFC 2883, RFC 3708: every retransmission is reported as a duplicate, so nothing was lost.
#[test]
fn reordering_taken_for_loss_is_taken_back() {
    let mut world = world(2_000_000);
    world.pass(Span::from_millis(100));
    world.path.delay = Span::from_millis(18);
    world.step();
    world.transmit();
    world.path.delay = DELAY;
    world.run();
    let info = world.sender.info();
    assert_eq!(info.stats.timeouts, 0);
    if info.stats.recoveries > 0 {
        assert!(info.stats.undone > 0, "{info:?}");
        assert!(info.reordering);
    }
}

/// RFC 8985 6.2: with reordering seen, the patience grows, and needless retransmissions end.
#[test]
fn reordering_path_is_learnt() {
    let mut world = world(4_000_000);
    world.path.jitter = Span::from_millis(4);
    world.path.rate = 2_000_000;
    world.run();
    let info = world.sender.info();
    assert!(info.reordering);
    assert!(
        info.stats.resent < 4_000_000 / 20,
        "under 5 % sent again: {info:?}"
    );
}

/// RFC 9293 3.8.6.1: a window that is shut is probed until it opens, at doubling intervals.
#[test]
fn shut_window_is_probed() {
    let mut world = world(200_000);
    world.buffer = 30_000;
    world.asleep = (0, 5_000_000);
    world.path.ack_loss = 0.0;
    let took = milliseconds(world.run());
    assert!((5_000..5_700).contains(&took), "{took}");
    let stats = world.sender.info().stats;
    assert!((3..=6).contains(&stats.window_probes), "{stats:?}");
    assert_eq!((stats.resent, stats.timeouts), (0, 0));
}

/// The update that opens the window is lost: the next probe finds it open.
#[test]
fn lost_window_update_costs_one_probe() {
    let mut world = world(200_000);
    world.buffer = 30_000;
    world.asleep = (0, 1_000_000);
    world.path.outage = (999_000, 1_001_000);
    let took = milliseconds(world.run());
    assert!((1_000..2_500).contains(&took), "{took}");
}

/// RFC 9293 3.7.4: small writes wait for the acknowledgement of the one before.
#[test]
fn nagle_lets_one_small_segment_be_under_way() {
    for (nodelay, most) in [(false, 50), (true, 101)] {
        let mut world = world(1000);
        world.sender.set_nodelay(nodelay);
        world.chunk = 10;
        for _ in 0..10 {
            world.write_and_send();
        }
        let sent = world.log.len();
        assert_eq!(sent, if nodelay { 10 } else { 1 });
        world.run();
        assert!(world.log.len() <= most, "{}", world.log.len());
    }
}

/// RFC 6582: without SACK a hole a round trip, without timeouts.
#[test]
fn peer_without_sack_recovers_by_partial_acknowledgements() {
    let mut world = World::with(Algorithm::Reno, Path::clean(DELAY), 20_000, 1, false);
    world.path.drops = vec![2, 5];
    let took = milliseconds(world.run());
    assert!(took <= 140, "{took}");
    let stats = world.sender.info().stats;
    assert_eq!(
        (stats.resent, stats.timeouts, stats.recoveries),
        (2000, 0, 1)
    );
}

/// RFC 7661, RFC 6298: after silence the window is the initial one again.
#[test]
fn silence_shrinks_the_window() {
    let mut world = world(400_000);
    world.chunk = 400_000;
    world.total = 300_000;
    world.finish = false;
    while world.receiver.next < 300_000 {
        world.step();
    }
    assert!(world.sender.info().cwnd > 100_000);
    world.total = 400_000;
    world.now += Span::from_secs(60);
    let from = world.log.len();
    world.transmit_more();
    let burst: usize = world.log[from..].iter().map(|(_, s)| s.len).sum();
    assert_eq!(burst, 10_000);
}

/// RFC 4821: larger segments vanish without an ICMP error.
#[test]
fn black_hole_is_found_and_left() {
    let mut world = world(300_000);
    world.sender = sender(1 << 20, Algorithm::Cubic);
    world.establish(1460);
    world.path.mtu = 1100;
    let took = world.run();
    assert!(took < 6.0, "{took}");
    assert_eq!(world.sender.info().mss, 1024);
}

/// An outage looks like a black hole at first; the size comes back.
#[test]
fn outage_does_not_leave_small_segments() {
    let mut world = world(3_000_000);
    world.sender = sender(1 << 20, Algorithm::Cubic);
    world.establish(1460);
    world.path.rate = 500_000;
    world.path.outage = (50_000, 4_000_000);
    world.run();
    assert_eq!(world.sender.info().mss, 1460);
}

/// RFC 1191 6.4: what was too large is sent again at once, and that is no congestion.
#[test]
fn told_segment_size_is_used_at_once() {
    let mut world = world(30_000);
    world.path.drops = (0..10).collect();
    world.step();
    world.sender.limit_segments(500);
    let cwnd = world.sender.info().cwnd;
    assert!(milliseconds(world.run()) <= 120);
    let stats = world.sender.info().stats;
    assert_eq!((stats.timeouts, stats.recoveries), (0, 0));
    assert!(world.sender.info().cwnd >= cwnd);
}

/// RFC 3168 6.1.2: one reduction a window, nothing sent again.
#[test]
fn congestion_that_is_told_reduces_once_a_window() {
    let mut sender = established();
    write(&mut sender, 10_000);
    while sender.poll_transmit(at(0), 64_000).is_some() {}
    let before = sender.info().cwnd;
    let mut told = 0;
    for n in 1..=10 {
        // The peer repeats it until it is answered.
        sender.handle_ack(&ack(n * 1000, &[], n < 10), at(20));
        write(&mut sender, 1000);
        while let Some(segment) = sender.poll_transmit(at(20), 64_000) {
            told += u32::from(segment.reduced);
        }
    }
    let info = sender.info();
    assert_eq!((info.stats.marks, told, info.stats.resent), (1, 1, 0));
    assert_eq!(info.cwnd, before * 7 / 10);
}

/// RFC 5961 5.2.
#[test]
fn acknowledgements_of_what_was_never_sent_are_refused() {
    let mut sender = established();
    write(&mut sender, 5000);
    sender.poll_transmit(at(0), 2000);
    for (to, want, why) in [
        (0, Verdict::Known, "nothing new"),
        (1000, Verdict::News, "half of it"),
        (500, Verdict::Old, "late"),
        (2001, Verdict::Unacceptable, "not sent yet"),
        (
            u32::MAX - 100_000_000,
            Verdict::Old,
            "before the connection",
        ),
        (2000, Verdict::News, "all of it"),
    ] {
        assert_eq!(
            sender.handle_ack(&ack(to, &[], false), at(10)),
            want,
            "{why}"
        );
    }
}

/// RFC 9293 3.10.7.4: an old segment does not move the window, one that only opens it does.
#[test]
fn window_follows_the_newest_segment() {
    let mut sender = established();
    write(&mut sender, 5000);
    sender.poll_transmit(at(0), 2000);
    let mut hear = |seq: u32, to: u32, window: u16| {
        let ack = Ack {
            seq: 77 + seq,
            window,
            ..ack(to, &[], false)
        };
        sender.handle_ack(&ack, at(10));
        sender.info().peer_window
    };
    assert_eq!(hear(10, 0, 5000), 5000);
    assert_eq!(hear(5, 0, 9000), 5000, "older than what is known");
    assert_eq!(hear(10, 0, 7000), 7000, "opened");
    assert_eq!(
        hear(10, 0, 6000),
        7000,
        "the same number does not shrink it"
    );
    assert_eq!(hear(10, 1000, 2000), 2000, "an acknowledgement does");
}

/// RFC 6298 3 (Karn): the trap of an acknowledgement that covers old and new.
#[test]
fn round_trip_is_not_measured_by_what_was_sent_again() {
    let mut world = world(2_000_000);
    world.path.loss = 0.05;
    world.run();
    let srtt = world.sender.info().srtt.expect("measured");
    assert!(srtt < Span::from_millis(70), "{srtt:?}");
}

/// BBR sets no threshold: CUBIC, chosen in the middle of a recovery, must not take its absence for a window.
#[test]
fn algorithm_chosen_in_a_recovery_keeps_a_window() {
    let mut sender = established_with(Algorithm::Bbr);
    write(&mut sender, 10_000);
    while sender.poll_transmit(at(0), 64_000).is_some() {}
    sender.handle_ack(&ack(0, &[(1000, 10_000)], false), at(20));
    assert!(sender.info().recovering);
    sender.set_algorithm(Algorithm::Cubic);
    while sender.poll_transmit(at(20), 64_000).is_some() {}
    sender.handle_ack(&ack(10_000, &[], false), at(40));
    let info = sender.info();
    assert!(!info.recovering);
    assert!(info.cwnd <= 20_000, "{}", info.cwnd);
}

/// RFC 2883, RFC 3708: everything sent again was reported twice, while something else is still to be sent again.
#[test]
fn reduction_taken_back_with_losses_left_keeps_a_window() {
    let mut sender = established();
    write(&mut sender, 10_000);
    while sender.poll_transmit(at(0), 64_000).is_some() {}
    sender.handle_ack(&ack(0, &[(7000, 10_000)], false), at(20));
    let segment = sender.poll_transmit(at(20), 1000).expect("sent again");
    assert!(segment.again && segment.len == 1000);
    // The first has come after all, and then once more.
    let twice = [(0, 1000), (7000, 10_000)];
    sender.handle_ack(&ack(1000, &twice, false), at(40));
    let info = sender.info();
    assert!(info.stats.undone == 1 && info.lost > 0, "{info:?}");
    while sender.poll_transmit(at(40), 64_000).is_some() {}
    sender.handle_ack(&ack(10_000, &[], false), at(60));
    let info = sender.info();
    assert!(!info.recovering && info.lost == 0);
    assert!((10_000..=20_000).contains(&info.cwnd), "{}", info.cwnd);
}

fn at(ms: u64) -> Time {
    Time::from_micros(1_000_000 + ms * 1000)
}

fn ack<'a>(to: u32, sack: &'a [(u32, u32)], congested: bool) -> Ack<'a> {
    Ack {
        seq: 77,
        ack: to,
        window: u16::MAX,
        sack,
        occupies: false,
        congested,
        echo: None,
    }
}

fn sender(capacity: usize, algorithm: Algorithm) -> Sender<Vec<u8>> {
    let mut sender = Sender::new(capacity, algorithm);
    sender.lend(vec![0; capacity]).expect("it has none");
    sender
}

fn established() -> Sender<Vec<u8>> {
    established_with(Algorithm::Cubic)
}

fn established_with(algorithm: Algorithm) -> Sender<Vec<u8>> {
    let mut sender = sender(1 << 20, algorithm);
    let handshake = Handshake {
        first: 0,
        peer: 77,
        mss: MSS,
        window: u16::MAX,
        shift: 0,
        sack: true,
        rtt: Some(Span::from_millis(20)),
    };
    sender.establish(&handshake, at(0));
    sender
}

fn write(sender: &mut Sender<Vec<u8>>, octets: usize) {
    let (wrote, ()) = sender.write(|free| {
        assert!(free.len() >= octets);
        (octets, ())
    });
    assert_eq!(wrote, octets);
}
