//! What the stack alone costs: bulk over loopback, bulk into a sink, small segments to many
//! connections. Run with `cargo run --release -p netcon-sim --example cost`.
#![expect(clippy::print_stdout, reason = "prints its figures")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant as Clock;

use netcon_sim::{Pair, Side, v4};
use netcon_stack::{Family, Instant, PcbId, SockAddr, TxMeta};

/// Counts and forgets.
#[derive(Default)]
struct Sink(u64);

impl netcon_stack::FrameSink for Sink {
    fn send(&mut self, _: &TxMeta, frame: &[u8]) {
        self.0 += frame.len() as u64;
    }
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some("ping-pong") {
        return ping_pong(10);
    }
    loopback();
    ping_pong(10);
    ping_pong(1_000);
    ping_pong(10_000);
}

/// 1 GiB through the loopback of one stack.
fn loopback() {
    let mut pair = Pair::with(1, |config| config.ring = 1 << 20);
    let to = SockAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
    pair.a.listen(to, 4);
    let from = pair.a.stack.open(Family::Inet).expect("open");
    pair.a.stack.connect(from, to, pair.now).expect("connect");
    pair.settle();
    let child = pair.a.accept().expect("accept");
    let (mut read, total) = (0u64, 1u64 << 30);
    let start = Clock::now();
    let mut sink = Sink::default();
    while read < total {
        let _ = pair.a.stack.write_with(from, |free| (free.len(), ()));
        pair.a.stack.poll_transmit(pair.now, 16, &mut sink);
        while pair.a.stack.poll_event().is_some() {}
        pair.now =
            Instant::from_micros(i64::try_from(start.elapsed().as_micros()).unwrap_or(i64::MAX));
        pair.a.stack.handle_timeout(pair.now);
        let got = pair
            .a
            .stack
            .read_with(child, |data| (data.len(), data.len()));
        read += got.unwrap_or(0) as u64;
    }
    let took = start.elapsed().as_secs_f64();
    let frames = pair.a.stack.counters().loop_frames;
    println!(
        "loopback: {:.1} Gbit/s, {frames} frames",
        total as f64 * 8e-9 / took
    );
}

/// One byte to and fro on many connections in turn; both stacks' work is counted.
fn ping_pong(connections: usize) {
    let mut pair = Pair::with(2, |config| {
        config.ring = 16 << 10;
        config.tso = true;
    });
    pair.b.listen(v4(2, 80), 4096);
    let mut ends: Vec<(PcbId, PcbId)> = Vec::new();
    for _ in 0..connections {
        let id = pair.a.stack.open(Family::Inet).expect("open");
        pair.a
            .stack
            .connect(id, v4(2, 80), pair.now)
            .expect("connect");
        pair.settle();
        ends.push((id, pair.b.accept().expect("accept")));
        pair.a.events.clear();
        pair.b.events.clear();
    }
    let rounds = 200_000;
    let start = Clock::now();
    for round in 0..rounds {
        let (a, b) = ends[(round * 7919) % connections];
        pair.now = Instant::from_micros(pair.now.total_micros() + 10);
        for (side, from, to) in [(Side::A, a, b), (Side::B, b, a)] {
            let _ = pair.host(side).stack.write_with(from, |free| {
                free[0] = 1;
                (1, ())
            });
            pair.settle();
            let other = if side == Side::A { Side::B } else { Side::A };
            let _ = pair
                .host(other)
                .stack
                .read_with(to, |data| (data.len(), ()));
            pair.a.events.clear();
            pair.b.events.clear();
        }
    }
    let each = start.elapsed().as_nanos() as f64 / rounds as f64 / 2.0;
    println!("{connections} connections: {each:.0} ns for a byte one way, the sim included");
}
