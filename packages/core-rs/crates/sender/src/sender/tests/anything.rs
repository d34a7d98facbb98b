//! Properties over anything a network or a peer can do.

use proptest::prelude::*;

use super::at;
use super::model::{MSS, Path, World};
use crate::number::float;
use crate::{Ack, Algorithm, Handshake, Span, Verdict};

const KIB: u64 = 1024;

fn algorithms() -> impl Strategy<Value = Algorithm> {
    prop_oneof![
        Just(Algorithm::Cubic),
        Just(Algorithm::Reno),
        Just(Algorithm::Bbr)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every octet arrives once and in order, and in time.
    #[test]
    fn anything_a_network_does_is_survived(
        algorithm in algorithms(),
        sack in prop::bool::weighted(0.8),
        loss in prop_oneof![Just(0.0), Just(0.01), Just(0.1), Just(0.3)],
        ack_loss in prop_oneof![Just(0.0), Just(0.01), Just(0.1)],
        duplicate in prop_oneof![Just(0.0), Just(0.05)],
        jitter in prop_oneof![Just(0u64), Just(200), Just(4000), Just(50_000)],
        delay in prop_oneof![Just(25u64), Just(5000), Just(40_000)],
        rate in prop_oneof![Just(0u64), Just(100_000), Just(10_000_000)],
        queue in prop_oneof![Just(5000u64), Just(100_000), Just(u64::MAX)],
        buffer in prop_oneof![Just(3000u64), Just(65_000), Just(8 << 20)],
        chunk in prop_oneof![Just(100u64), Just(3000), Just(u64::MAX)],
        nodelay in any::<bool>(),
        stamps in any::<bool>(),
        switch in prop::option::of((0u64..200 * KIB, algorithms())),
        outage in prop_oneof![Just((0u64, 0u64)), Just((30_000, 2_000_000))],
        asleep in prop_oneof![Just((0u64, 0u64)), Just((20_000, 3_000_000))],
        total in 0u64..300 * KIB,
        seed in any::<u64>(),
    ) {
        let path = Path {
            delay: Span::from_micros(delay),
            jitter: Span::from_micros(jitter),
            rate,
            queue,
            loss,
            ack_loss,
            duplicate,
            drops: Vec::new(),
            outage,
            stall: (0, 0),
            mtu: u64::MAX,
        };
        let mut world = World::with(algorithm, path, total, seed, sack);
        world.buffer = buffer;
        world.asleep = asleep;
        world.chunk = chunk;
        world.stamps = stamps;
        world.switch = switch;
        world.sender.set_nodelay(nodelay);
        let took = world.run();
        // Each segment may have to be sent several times, with a timeout between that doubles: ten in a row take 205 s.
        let limit = 30.0 + 600.0 * (loss + ack_loss) + float(total) / 1000.0 * 2.0 * (1.0 + 20.0 * (loss + ack_loss));
        prop_assert!(took < limit, "{took} s for {total}");
    }

    /// Whatever a peer says, nothing breaks and nothing is let go that it did not acknowledge.
    #[test]
    fn no_acknowledgement_breaks_the_sender(
        algorithm in algorithms(),
        sack in any::<bool>(),
        steps in prop::collection::vec((any::<u32>(), any::<u16>(), 0u8..8, 0u32..40_000, 0u32..40_000), 1..200),
    ) {
        let mut sender = super::sender(64 << 10, algorithm);
        let handshake = Handshake {
            first: u32::MAX - 1000, peer: 5, mss: MSS, window: 50_000, shift: 3, sack, rtt: None,
        };
        sender.establish(&handshake, at(0));
        let mut now = at(0);
        for (wild, window, kind, a, b) in steps {
            sender.write(|free| (free.len().min(a as usize), ()));
            now += Span::from_micros(u64::from(wild) % 300_000);
            sender.handle_timeout(now);
            for _ in 0..50 {
                let Some(segment) = sender.poll_transmit(now, 20_000) else { break };
                let (x, y) = sender.payload(&segment);
                prop_assert_eq!(x.len() + y.len(), segment.len);
            }
            let una = sender.una();
            let to = match kind { 0 => wild, 1 => una, 2 => sender.nxt(), _ => una.wrapping_add(a / 4) };
            let blocks = [
                (una.wrapping_add(a), una.wrapping_add(b)),
                (una.wrapping_add(b / 2), una.wrapping_add(b)),
                (wild, wild.wrapping_add(a)),
            ];
            let before = sender.nxt();
            let verdict = sender.handle_ack(&Ack {
                seq: 5 + u32::from(kind), ack: to, window, sack: &blocks[..usize::from(kind % 4).min(3)],
                occupies: kind == 7, congested: kind == 6,
                echo: (kind % 2 == 0).then(|| now.before(Span::from_micros(u64::from(a)))),
            }, now);
            if verdict == Verdict::Unacceptable {
                prop_assert_eq!(sender.una(), una);
            }
            prop_assert_eq!(sender.nxt(), before);
            let info = sender.info();
            prop_assert!(info.cwnd >= u64::from(info.mss), "{:?}", info);
            prop_assert!(info.in_flight + info.lost + info.sacked <= info.unacked, "{:?}", info);
        }
    }
}
