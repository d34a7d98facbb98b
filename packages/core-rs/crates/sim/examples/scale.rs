//! What a segment costs with many connections open: nanoseconds per segment, both stacks and the simulator
//! included, as lines of JSON. Arguments: numbers of connections. Run by `bench/scale.mjs`, or with
//! `cargo run --release -p netcon-sim --example scale -- 10 1000 10000 100000`.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use std::time::Instant as Clock;

use netcon_sim::{Pair, Side, v4};
use netcon_stack::{Family, Instant, PcbId};

/// Connections of one pair of addresses and a port: fewer than there are ephemeral ports.
const PER_PORT: usize = 20_000;
/// One byte there and one back: two segments, and as many acknowledgements in them.
const ROUNDS: usize = 200_000;
/// Connections that are in use when the others are idle.
const BUSY: usize = 10;

fn main() {
    for arg in std::env::args().skip(1) {
        let count = arg.parse().expect("a number of connections");
        let (mut pair, ends) = open(count);
        // Once on all, for memory that was never touched is slow.
        ping_pong(&mut pair, &ends, count);
        let idle = ping_pong(&mut pair, &ends[..BUSY.min(count)], ROUNDS);
        let all = ping_pong(&mut pair, &ends, ROUNDS);
        println!("{{\"connections\":{count},\"othersIdle\":{idle:.0},\"allInTurn\":{all:.0}}}");
    }
}

/// So many connections between two stacks.
fn open(count: usize) -> (Pair, Vec<(PcbId, PcbId)>) {
    let mut pair = Pair::with(2, |config| {
        config.ring = 4096;
        config.tso = true;
        config.max_connections = count + 1;
    });
    let mut ends = Vec::with_capacity(count);
    for at in 0..count {
        let port = 80 + u16::try_from(at / PER_PORT).expect("few ports");
        if at % PER_PORT == 0 {
            pair.b.listen(v4(2, port), 4096);
        }
        let id = pair.a.stack.open(Family::Inet).expect("open");
        let started = pair.a.stack.connect(id, v4(2, port), pair.now);
        started.expect("connect");
        pair.now = Instant::from_micros(pair.now.total_micros() + 10);
        pair.settle();
        ends.push((id, pair.b.accept().expect("accept")));
        pair.a.events.clear();
        pair.b.events.clear();
    }
    (pair, ends)
}

/// A byte to and fro on the connections in turn; nanoseconds for one way.
fn ping_pong(pair: &mut Pair, ends: &[(PcbId, PcbId)], rounds: usize) -> f64 {
    let start = Clock::now();
    for round in 0..rounds {
        // Not in the order in which they lie in memory.
        let (a, b) = ends[(round * 7919) % ends.len()];
        pair.now = Instant::from_micros(pair.now.total_micros() + 10);
        for (side, other, from, to) in [(Side::A, Side::B, a, b), (Side::B, Side::A, b, a)] {
            let wrote = pair.host(side).stack.write_with(from, |free| {
                free[0] = 1;
                (1, ())
            });
            wrote.expect("written");
            pair.settle();
            let read = pair
                .host(other)
                .stack
                .read_with(to, |data| (data.len(), data.len()));
            assert_eq!(read, Ok(1), "a byte has come");
            pair.a.events.clear();
            pair.b.events.clear();
        }
    }
    start.elapsed().as_nanos() as f64 / rounds as f64 / 2.0
}
