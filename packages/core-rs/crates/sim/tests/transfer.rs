//! Data over good and bad links, verified byte by byte.

use netcon_sim::{Fault, Pair, Side, Transfer, v4, v6};
use netcon_stack::{Duration, Event, SockAddr};

const MIB: u64 = 1 << 20;

fn bad_link() -> Fault {
    Fault {
        loss: 0.02,
        duplicate: 0.02,
        reorder: 0.05,
        delay: Duration::from_micros(200),
        jitter: Duration::from_micros(100),
        rate: 0,
        queue: Duration::ZERO,
    }
}

fn both_ways(pair: &mut Pair, to: SockAddr, total: u64) {
    let (a, b) = pair.connect(to);
    let mut up = Transfer::new((Side::A, a), (Side::B, b), total, 1);
    let mut down = Transfer::new((Side::B, b), (Side::A, a), total, 2);
    let done = pair.drive(|pair| up.pump(pair) & down.pump(pair));
    assert!(
        done,
        "up {} down {} of {total} at {}",
        up.read, down.read, pair.now
    );
    pair.settle();
    pair.a.stack.close(a);
    pair.b.stack.close(b);
    pair.pass(Duration::from_secs(300));
    assert!(
        pair.a.events.contains(&Event::Closed { pcb: a }),
        "{:?}",
        pair.a.events
    );
    assert!(
        pair.b.events.contains(&Event::Closed { pcb: b }),
        "{:?}",
        pair.b.events
    );
    assert_eq!(pair.next_wake(), None, "an idle pair sleeps for ever");
}

#[test]
fn clean_link_ipv4_carries_both_ways() {
    both_ways(&mut Pair::new(1), v4(2, 80), 4 * MIB);
}

#[test]
fn clean_link_ipv6_carries_both_ways() {
    both_ways(&mut Pair::new(2), v6(2, 80), 4 * MIB);
}

#[test]
fn bad_link_ipv4_carries_both_ways() {
    for seed in 0..4 {
        let mut pair = Pair::new(seed);
        pair.faults(bad_link());
        both_ways(&mut pair, v4(2, 80), MIB);
    }
}

#[test]
fn bad_link_ipv6_carries_both_ways() {
    for seed in 10..14 {
        let mut pair = Pair::new(seed);
        pair.faults(bad_link());
        both_ways(&mut pair, v6(2, 80), MIB);
    }
}

#[test]
fn super_frames_carry_both_ways() {
    for to in [v4(2, 80), v6(2, 80)] {
        let mut pair = Pair::with(3, |config| config.tso = true);
        both_ways(&mut pair, to, 8 * MIB);
        let counters = pair.a.stack.counters();
        assert!(counters.tx_super_frames > 64, "{counters:?}");
    }
}

#[test]
fn super_frames_cut_by_the_link_carry_both_ways_under_loss() {
    for (seed, to) in [(4, v4(2, 80)), (5, v6(2, 80))] {
        let mut pair = Pair::with(seed, |config| config.tso = true);
        pair.faults(bad_link());
        (pair.ab.cuts, pair.ba.cuts) = (true, true);
        both_ways(&mut pair, to, MIB);
    }
}

#[test]
fn bulk_leaves_as_whole_super_frames() {
    let mut pair = Pair::with(6, |config| {
        config.tso = true;
        config.ring = 1 << 20;
    });
    let (a, b) = pair.connect(v4(2, 80));
    pair.ab.record = true;
    Transfer::new((Side::A, a), (Side::B, b), 4 * MIB, 1).run(&mut pair);
    let data: Vec<_> = pair
        .ab
        .log
        .iter()
        .filter(|(_, frame)| frame.len() > 100)
        .collect();
    let full = data
        .iter()
        .filter(|(_, frame)| frame.len() - 66 == 44 * 1448)
        .count();
    assert!(full * 10 >= data.len() * 8, "{full} full of {}", data.len());
    for (meta, frame) in data.iter().filter(|(meta, _)| meta.gso.is_some()) {
        let gso = meta.gso.expect("filtered");
        assert_eq!((gso.size, gso.hdr_len, gso.v6), (1448, 66, false));
        let csum = meta.csum.expect("segmentation implies a partial checksum");
        assert_eq!((csum.start, csum.offset), (34, 16));
        assert!(frame.len() <= 65_535 + 14);
    }
}

#[test]
fn slow_link_carries_in_order() {
    let mut pair = Pair::new(7);
    pair.faults(Fault {
        rate: 1_000_000,
        delay: Duration::from_millis(20),
        ..Fault::default()
    });
    both_ways(&mut pair, v4(2, 80), MIB);
    assert!(pair.now.total_millis() > 1000);
}

#[test]
fn different_mtus_agree_on_the_smaller_segment() {
    for tso in [false, true] {
        let mut pair = Pair::new(8);
        let mut small = netcon_sim::config(2);
        (small.mtu, small.tso) = (1280, tso);
        pair.b = netcon_sim::Host::new(small);
        let mut big = netcon_sim::config(1);
        (big.mtu, big.tso) = (9000, tso);
        pair.a = netcon_sim::Host::new(big);
        // The link itself takes no more than the smaller side.
        (pair.ab.mtu, pair.ba.mtu) = (1280, 1280);
        (pair.ab.cuts, pair.ba.cuts) = (tso, tso);
        let (a, b) = pair.connect(v4(2, 80));
        assert_eq!(pair.a.stack.info(a).expect("info").mss, 1228);
        assert_eq!(pair.b.stack.info(b).expect("info").mss, 1228);
        Transfer::new((Side::A, a), (Side::B, b), MIB, 1).run(&mut pair);
        Transfer::new((Side::B, b), (Side::A, a), MIB, 2).run(&mut pair);
    }
}

/// The window that is announced is the ring's, whatever the sequence numbers are: a peer that fills it while nothing
/// is read overruns nothing.
#[test]
fn window_is_never_more_than_the_ring_takes() {
    for seed in 0..20 {
        for way in [Side::A, Side::B] {
            let mut pair = Pair::with(seed, |config| config.ring = 1 << 20);
            let (a, b) = pair.connect(v4(2, 80));
            let (from, to) = match way {
                Side::A => ((Side::A, a), (Side::B, b)),
                Side::B => ((Side::B, b), (Side::A, a)),
            };
            let mut transfer = Transfer::new(from, to, 3 * MIB, seed);
            // Nothing is read for a while.
            for _ in 0..200 {
                transfer.write(&mut pair.host(from.0).stack);
                pair.pass(Duration::from_millis(5));
            }
            let queue = pair.host(to.0).stack.recv_queue(to.1);
            assert!((1_000_000..=1 << 20).contains(&queue), "{queue}");
            transfer.run(&mut pair);
        }
    }
}
