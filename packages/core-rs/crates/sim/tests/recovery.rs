//! Goodput and recovery of whole stacks over bad paths, in virtual time. The peer is a stack, too: its receiver
//! reports what it has (SACK). Data is verified byte by byte.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use netcon_sim::{Fault, Pair, Side, Transfer, v4, v6};
use netcon_stack::{Algorithm, Duration, PcbId, SenderInfo};
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

/// A transfer of `total` bytes over that path; Mbit/s and what the sender shows at the end.
fn transfer(algorithm: Algorithm, fault: Fault, total: u64, seed: u64) -> (f64, SenderInfo) {
    let mut pair = Pair::with(seed, |config| {
        config.congestion = algorithm;
        config.ring = 4 << 20;
    });
    // The loss is in the direction of the data, as with a relay.
    pair.ab.fault = fault;
    pair.ba.fault = Fault {
        delay: Duration::from_micros(50),
        ..Fault::default()
    };
    let (a, b) = pair.connect(v4(2, 80));
    let start = pair.now;
    let mut transfer = Transfer::new((Side::A, a), (Side::B, b), total, seed);
    transfer.finish = false;
    transfer.run(&mut pair);
    let took = (pair.now - start).total_micros() as f64;
    (total as f64 * 8.0 / took, info(&pair, a))
}

fn info(pair: &Pair, id: PcbId) -> SenderInfo {
    let info = pair.a.stack.info(id).expect("info");
    info.sender.expect("an open connection")
}

fn path(loss: f64, delay: u64) -> Fault {
    Fault {
        loss,
        delay: Duration::from_millis(delay),
        // 1 Gbit/s.
        rate: 125_000_000,
        queue: Duration::from_millis(delay.max(5)),
        ..Fault::default()
    }
}

/// What Reno makes of random loss (RFC 5348 3.1 without timeouts): MSS / RTT * sqrt(3/2p).
fn reno_rate(loss: f64, delay: u64) -> f64 {
    1460.0 * 8.0 / (delay as f64 * 1000.0 + 50.0) * (1.5 / loss).sqrt()
}

#[test]
fn random_loss_costs_what_the_algorithm_wants_and_no_more() {
    for (loss, delay, total) in [
        (0.001, 5, 24 * MIB),
        (0.01, 5, 12 * MIB),
        (0.03, 5, 6 * MIB),
        (0.01, 50, 2 * MIB),
    ] {
        let want = reno_rate(loss, delay);
        for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
            let (rate, info) = transfer(algorithm, path(loss, delay), total, 7);
            println!(
                "{} {loss} {delay} ms: {rate:.1} Mbit/s, Reno's {want:.1}; {:?}",
                algorithm.name(),
                info.stats
            );
            assert!(
                rate > 0.75 * want,
                "{algorithm:?} {loss} {delay}: {rate} of {want}"
            );
        }
    }
}

#[test]
fn bbr_fills_the_path_in_spite_of_loss() {
    for (loss, delay, least) in [(0.001, 5, 800.0), (0.01, 5, 700.0), (0.03, 5, 600.0)] {
        let (rate, info) = transfer(Algorithm::Bbr, path(loss, delay), 64 * MIB, 3);
        println!("bbr {loss} {delay} ms: {rate:.1} Mbit/s {info:?}");
        assert!(rate > least, "{loss} {delay}: {rate}");
    }
}

#[test]
fn clean_path_is_filled() {
    for algorithm in Algorithm::ALL {
        let (rate, info) = transfer(algorithm, path(0.0, 5), 128 * MIB, 1);
        println!("{} clean: {rate:.1} Mbit/s {info:?}", algorithm.name());
        assert!(rate > 750.0, "{algorithm:?}: {rate} {info:?}");
    }
}

#[test]
fn reordering_does_not_look_like_loss_for_long() {
    for algorithm in [Algorithm::Reno, Algorithm::Cubic] {
        let mut fault = path(0.0, 5);
        fault.reorder = 0.01;
        let (rate, info) = transfer(algorithm, fault, 48 * MIB, 5);
        println!("{} reordering: {rate:.1} Mbit/s {info:?}", algorithm.name());
        assert!(rate > 200.0, "{algorithm:?}: {rate} {info:?}");
    }
}

/// Jain's index of two flows: 1 is equal shares, 0.5 is all for one.
fn jain(a: f64, b: f64) -> f64 {
    (a + b).powi(2) / (2.0 * (a * a + b * b))
}

/// What two flows of CUBIC through one bottleneck get, the second of them beginning later.
fn shares(delay: u64) -> (f64, f64) {
    let mut pair = Pair::with(11, |config| config.ring = 4 << 20);
    pair.ab.fault = Fault {
        // 20 Mbit/s: one more flow is soon at its share.
        rate: 2_500_000,
        ..path(0.0, delay)
    };
    pair.ba.fault.delay = Duration::from_micros(50);
    let mut flows = Vec::new();
    for port in [80, 81] {
        let (a, b) = pair.connect(v4(2, port));
        let mut flow = Transfer::new((Side::A, a), (Side::B, b), u64::MAX, 1);
        flow.finish = false;
        flows.push(flow);
        run_for(&mut pair, &mut flows, Duration::from_secs(2));
    }
    run_for(&mut pair, &mut flows, Duration::from_secs(10));
    let before: Vec<u64> = flows.iter().map(|flow| flow.read).collect();
    run_for(&mut pair, &mut flows, Duration::from_secs(30));
    let got = |i: usize| (flows[i].read - before[i]) as f64;
    (got(0), got(1))
}

fn run_for(pair: &mut Pair, flows: &mut [Transfer], time: Duration) {
    let end = pair.now + time;
    pair.drive(|pair| {
        for flow in flows.iter_mut() {
            flow.pump(pair);
        }
        pair.now >= end
    });
}

#[test]
fn two_flows_share_a_bottleneck() {
    for delay in [5, 50] {
        let (a, b) = shares(delay);
        println!("{delay} ms: {a} {b}");
        assert!(jain(a, b) >= 0.9, "{delay} ms: {a} {b}");
        // 20 Mbit/s for half a minute, headers apart.
        assert!(a + b > 0.85 * 75e6, "the bottleneck is used: {a} {b}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Both ways at once over anything: everything arrives, and both ends close.
    #[test]
    fn any_path_carries_both_ways(
        seed: u64,
        bbr: bool,
        v6_too: bool,
        tso: bool,
        loss in prop_oneof![Just(0.0), Just(0.01), Just(0.1), Just(0.25)],
        duplicate in prop_oneof![Just(0.0), Just(0.05)],
        reorder in prop_oneof![Just(0.0), Just(0.05)],
        jitter in prop_oneof![Just(0u64), Just(300), Just(5_000)],
        delay in prop_oneof![Just(50u64), Just(5_000), Just(40_000)],
        rate in prop_oneof![Just(0u64), Just(1_000_000)],
        ring in prop_oneof![Just(8_192usize), Just(65_536), Just(1 << 20)],
        up in 0u64..300_000,
        down in prop_oneof![Just(0u64), 0u64..100_000],
    ) {
        let mut pair = Pair::with(seed, |config| {
            config.ring = ring;
            config.tso = tso;
            config.congestion = if bbr { Algorithm::Bbr } else { Algorithm::Cubic };
        });
        (pair.ab.cuts, pair.ba.cuts) = (tso, tso);
        let (a, b) = pair.connect(if v6_too { v6(2, 80) } else { v4(2, 80) });
        pair.faults(Fault {
            loss,
            duplicate,
            reorder,
            jitter: Duration::from_micros(jitter),
            delay: Duration::from_micros(delay),
            rate,
            queue: Duration::ZERO,
        });
        let start = pair.now;
        let mut there = Transfer::new((Side::A, a), (Side::B, b), up, 1);
        let mut back = Transfer::new((Side::B, b), (Side::A, a), down, 2);
        let done = pair.drive(|pair| there.pump(pair) & back.pump(pair));
        prop_assert!(done, "stuck: {} of {up}, {} of {down}", there.read, back.read);
        let took = (pair.now - start).total_millis();
        // A quarter lost each way: a few segments lost eight times in a row, at up to 120 s a timeout, are likely.
        let most = if loss > 0.1 { 600_000 + (up + down) * 3 } else { 60_000 + (up + down) / 2 * 3 };
        prop_assert!(took < most, "{took} ms");
        pair.a.stack.close(a);
        pair.b.stack.close(b);
        pair.faults(Fault::default());
        pair.pass(Duration::from_secs(400));
        prop_assert!(pair.a.stack.info(a).is_none());
        prop_assert!(pair.b.stack.info(b).is_none());
        prop_assert_eq!(pair.next_wake(), None);
    }
}
