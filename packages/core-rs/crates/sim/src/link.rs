//! One direction of a link.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use netcon_stack::{Duration, FrameSink, Instant, RxMeta, TxMeta};

use crate::{Rng, cut};

/// What a link does to frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fault {
    /// Probability that a frame is lost.
    pub loss: f64,
    /// Probability that a frame comes twice.
    pub duplicate: f64,
    /// Probability that a frame is held back so that later ones overtake it.
    pub reorder: f64,
    /// How long a frame travels.
    pub delay: Duration,
    /// Up to that much more, drawn for each frame.
    pub jitter: Duration,
    /// Bytes a second; 0 is no limit.
    pub rate: u64,
    /// How long a frame may wait for its turn at that rate before it is lost; zero is for ever.
    pub queue: Duration,
}

/// When it arrives, its number, whether its checksum is vouched for, the frame.
type Flight = (Instant, u64, bool, Vec<u8>);

/// A link in one direction. Frames with segmentation metadata are cut and summed on the way when
/// [`Link::cuts`] says so, as a network card would; otherwise they arrive whole, as between two
/// taps of one kernel.
#[derive(Debug)]
pub struct Link {
    /// What it does to frames.
    pub fault: Fault,
    /// Cut super-frames.
    pub cuts: bool,
    /// The largest IP packet it carries; larger frames (metadata apart) are a bug of the sender.
    pub mtu: usize,
    /// Loses every frame.
    pub down: bool,
    /// Loses TCP only: neighbours still answer each other.
    pub mute: bool,
    /// Frames sent into it and their metadata, when [`Link::record`] is set.
    pub log: Vec<(TxMeta, Vec<u8>)>,
    /// Keep [`Link::log`].
    pub record: bool,
    /// Frames sent into it.
    pub sent: u64,
    /// Frames lost.
    pub lost: u64,
    rng: Rng,
    now: Instant,
    busy_until: Instant,
    order: u64,
    flying: BinaryHeap<Reverse<Flight>>,
}

impl Link {
    /// A link without faults.
    pub fn new(seed: u64) -> Link {
        Link {
            fault: Fault::default(),
            cuts: false,
            mtu: 1500,
            down: false,
            mute: false,
            log: Vec::new(),
            record: false,
            sent: 0,
            lost: 0,
            rng: Rng::new(seed),
            now: Instant::ZERO,
            busy_until: Instant::ZERO,
            order: 0,
            flying: BinaryHeap::new(),
        }
    }

    /// Moves the link's clock.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// When the next frame arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.flying.peek().map(|Reverse((at, ..))| *at)
    }

    /// Takes a frame that has arrived.
    pub fn arrive(&mut self, now: Instant) -> Option<(RxMeta, Vec<u8>)> {
        self.next_arrival().filter(|at| *at <= now)?;
        let Reverse((_, _, checksum_ok, frame)) = self.flying.pop()?;
        Some((RxMeta { checksum_ok }, frame))
    }

    fn fly(&mut self, checksum_ok: bool, frame: Vec<u8>) {
        self.sent += 1;
        if self.down || (self.mute && is_tcp(&frame)) || self.rng.chance(self.fault.loss) {
            self.lost += 1;
            return;
        }
        if self.rng.chance(self.fault.duplicate) {
            self.depart(checksum_ok, frame.clone());
        }
        self.depart(checksum_ok, frame);
    }

    fn depart(&mut self, checksum_ok: bool, frame: Vec<u8>) {
        let start = self.busy_until.max(self.now);
        let full = self.fault.queue != Duration::ZERO && start - self.now > self.fault.queue;
        if full {
            self.lost += 1;
            return;
        }
        let sending = (frame.len() as u64 * 1_000_000).checked_div(self.fault.rate);
        self.busy_until = start + Duration::from_micros(sending.unwrap_or(0));
        let mut at = self.busy_until + self.fault.delay;
        at += Duration::from_micros(self.rng.below(self.fault.jitter.total_micros()));
        if self.rng.chance(self.fault.reorder) {
            at += Duration::from_micros(500 + self.rng.below(5_000));
        }
        self.order += 1;
        self.flying
            .push(Reverse((at, self.order, checksum_ok, frame)));
    }
}

fn is_tcp(frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => frame.get(23) == Some(&6),
        Some([0x86, 0xdd]) => frame.get(20) == Some(&6),
        _ => false,
    }
}

impl FrameSink for Link {
    fn send(&mut self, meta: &TxMeta, frame: &[u8]) {
        if self.record {
            self.log.push((*meta, frame.to_vec()));
        }
        assert!(
            meta.gso.is_some() || frame.len() <= self.mtu + 14,
            "a frame of {} bytes without segmentation on a link of {}",
            frame.len(),
            self.mtu
        );
        if self.cuts && (meta.gso.is_some() || meta.csum.is_some()) {
            for piece in cut(meta, frame) {
                assert!(
                    piece.len() <= self.mtu + 14,
                    "a segment of {} bytes",
                    piece.len()
                );
                self.fly(false, piece);
            }
        } else {
            self.fly(meta.csum.is_some(), frame.to_vec());
        }
    }
}
