//! A path and a receiver in virtual time. The receiver is one like Linux's: SACK with the newest block first, DSACK,
//! an acknowledgement for every second segment, at once when out of order, else after 40 ms.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::number::{float, length, wire};
use crate::{Ack, Algorithm, Handshake, Segment, Sender, Span, Time};

pub(super) const MSS: u16 = 1000;
const FIRST: u32 = u32::MAX - 5000;
const PEER: u32 = 77;

/// What a path does.
#[derive(Clone, Debug)]
pub(super) struct Path {
    /// One way.
    pub(super) delay: Span,
    pub(super) jitter: Span,
    /// Octets a second; 0 is no limit.
    pub(super) rate: u64,
    /// Octets that wait before the rate.
    pub(super) queue: u64,
    pub(super) loss: f64,
    pub(super) ack_loss: f64,
    pub(super) duplicate: f64,
    /// Segments, by their number, that are lost.
    pub(super) drops: Vec<u64>,
    /// Nothing arrives in that time, in microseconds.
    pub(super) outage: (u64, u64),
    /// What leaves in that time waits until its end.
    pub(super) stall: (u64, u64),
    /// Larger segments are lost.
    pub(super) mtu: u64,
}

impl Path {
    pub(super) fn clean(delay: Span) -> Path {
        Path {
            delay,
            jitter: Span::ZERO,
            rate: 0,
            queue: u64::MAX,
            loss: 0.0,
            ack_loss: 0.0,
            duplicate: 0.0,
            drops: Vec::new(),
            outage: (0, 0),
            stall: (0, 0),
            mtu: u64::MAX,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Data {
        start: u64,
        data: Vec<u8>,
        fin: bool,
        probe: bool,
        sent: Time,
    },
    Ack {
        to: u64,
        window: u64,
        sack: Vec<(u64, u64)>,
        echo: Time,
    },
}

/// Draws of a seed (splitmix64).
#[derive(Clone, Debug)]
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.draw().checked_rem(limit).unwrap_or(0)
    }

    pub(super) fn chance(&mut self, probability: f64) -> bool {
        float(self.draw() >> 11) / float(1 << 53) <= probability && probability > 0.0
    }
}

#[derive(Debug, Default)]
pub(super) struct Receiver {
    pub(super) next: u64,
    fin_at: Option<u64>,
    blocks: Vec<(u64, u64)>,
    unacked: u32,
    ack_at: Option<Time>,
    /// Octets the program behind it has not read.
    unread: u64,
    /// When the segment left that is echoed (RFC 7323 4.3), and what was acknowledged last.
    recent: Time,
    told: u64,
    pub(super) bad: u64,
}

/// A sender, a path and a receiver.
pub(super) struct World {
    pub(super) sender: Sender<Vec<u8>>,
    pub(super) receiver: Receiver,
    pub(super) path: Path,
    pub(super) now: Time,
    pub(super) buffer: u64,
    pub(super) sack: bool,
    /// The receiver echoes timestamps.
    pub(super) stamps: bool,
    /// When so much has arrived, another algorithm takes over.
    pub(super) switch: Option<(u64, Algorithm)>,
    /// The receiving program reads nothing in that time.
    pub(super) asleep: (u64, u64),
    /// Segments that left: number, when, start, octets, again.
    pub(super) log: Vec<(Time, Segment)>,
    pub(super) total: u64,
    /// A FIN follows.
    pub(super) finish: bool,
    written: u64,
    pub(super) chunk: u64,
    flights: BinaryHeap<Reverse<(Time, u64, Event)>>,
    order: u64,
    segments: u64,
    busy: Time,
    rng: Rng,
    woken: bool,
}

pub(super) fn pattern(at: u64) -> u8 {
    let mixed = (at ^ at >> 8 ^ at >> 16).wrapping_mul(0x9e37_79b9);
    mixed.to_le_bytes()[2]
}

impl World {
    pub(super) fn new(algorithm: Algorithm, path: Path, total: u64, seed: u64) -> World {
        World::with(algorithm, path, total, seed, true)
    }

    pub(super) fn with(
        algorithm: Algorithm,
        path: Path,
        total: u64,
        seed: u64,
        sack: bool,
    ) -> World {
        let mut sender = super::sender(4 << 20, algorithm);
        let now = Time::from_micros(1_000_000);
        sender.establish(
            &Handshake {
                first: FIRST,
                peer: PEER,
                mss: MSS,
                window: u16::MAX,
                shift: 10,
                sack,
                rtt: Some(path.delay * 2),
            },
            now,
        );
        World {
            sender,
            receiver: Receiver::default(),
            path,
            now,
            buffer: 8 << 20,
            sack,
            stamps: true,
            switch: None,
            asleep: (0, 0),
            log: Vec::new(),
            total,
            finish: true,
            written: 0,
            chunk: u64::MAX,
            flights: BinaryHeap::new(),
            order: 0,
            segments: 0,
            busy: Time::default(),
            rng: Rng(seed),
            woken: false,
        }
    }

    fn in_time(&self, (from, to): (u64, u64)) -> bool {
        (from..to).contains(&(self.now.micros() - 1_000_000))
    }

    fn write(&mut self) {
        let mut left = self.chunk;
        while self.written < self.total && left > 0 {
            let (at, most) = (self.written, (self.total - self.written).min(left));
            let (wrote, ()) = self.sender.write(|free| {
                let len = free.len().min(length(most));
                for (n, octet) in free[..len].iter_mut().enumerate() {
                    *octet = pattern(at + n as u64);
                }
                (len, ())
            });
            if wrote == 0 {
                break;
            }
            self.written += wrote as u64;
            left -= wrote as u64;
        }
        if self.written == self.total && self.finish {
            self.sender.finish();
        }
    }

    /// Sends what may leave.
    pub(super) fn transmit(&mut self) {
        let mut guard = 0;
        while let Some(segment) = self.sender.poll_transmit(self.now, 64_000) {
            guard += 1;
            assert!(guard < 100_000, "never stops sending");
            self.log.push((self.now, segment));
            let (a, b) = self.sender.payload(&segment);
            let data = [a, b].concat();
            assert_eq!(data.len(), segment.len);
            let mss = usize::from(segment.mss);
            let count = data.len().div_ceil(mss).max(1);
            for n in 0..count {
                let part = &data[n * mss..data.len().min((n + 1) * mss)];
                let event = Event::Data {
                    start: segment.start + (n * mss) as u64,
                    data: part.to_vec(),
                    fin: segment.fin && n + 1 == count,
                    probe: segment.len == 0 && !segment.fin,
                    sent: self.now,
                };
                self.depart(event, part.len() as u64 + 40);
            }
        }
    }

    fn depart(&mut self, event: Event, octets: u64) {
        let number = self.segments;
        self.segments += 1;
        if self.in_time(self.path.stall) {
            self.busy = self
                .busy
                .max(Time::from_micros(1_000_000 + self.path.stall.1));
        }
        let start = self.busy.max(self.now);
        let took = (octets * 1_000_000)
            .checked_div(self.path.rate)
            .unwrap_or(0);
        let waiting = start.since(self.now).micros() * self.path.rate / 1_000_000;
        let lost = self.path.drops.contains(&number)
            || self.rng.chance(self.path.loss)
            || self.in_time(self.path.outage)
            || octets > self.path.mtu
            || waiting > self.path.queue;
        if lost {
            return;
        }
        self.busy = start + Span::from_micros(took);
        let copies = 1 + u64::from(self.rng.chance(self.path.duplicate));
        for _ in 0..copies {
            let jitter = Span::from_micros(self.rng.below(self.path.jitter.micros() + 1));
            self.fly(self.busy + self.path.delay + jitter, event.clone());
        }
    }

    fn fly(&mut self, at: Time, event: Event) {
        self.order += 1;
        self.flights.push(Reverse((at, self.order, event)));
    }

    fn acknowledge(&mut self, duplicate: Option<(u64, u64)>) {
        self.receiver.unacked = 0;
        self.receiver.ack_at = None;
        let mut sack: Vec<(u64, u64)> = duplicate.into_iter().collect();
        if self.sack {
            sack.extend(self.receiver.blocks.iter().rev());
            sack.truncate(4);
        } else {
            sack.clear();
        }
        let waiting: u64 = self.receiver.blocks.iter().map(|(s, e)| e - s).sum();
        let window = self
            .buffer
            .saturating_sub(self.receiver.unread + waiting)
            .min(65_535 << 10);
        let to = self.receiver.next + u64::from(self.receiver.fin_at == Some(self.receiver.next));
        if self.rng.chance(self.path.ack_loss) || self.in_time(self.path.outage) {
            return;
        }
        let at = self.now + self.path.delay;
        self.receiver.told = to;
        let echo = self.receiver.recent;
        self.fly(
            at,
            Event::Ack {
                to,
                window,
                sack,
                echo,
            },
        );
    }

    fn receive(&mut self, start: u64, data: &[u8], fin: bool, probe: bool) {
        for (n, octet) in data.iter().enumerate() {
            self.receiver.bad += u64::from(*octet != pattern(start + n as u64));
        }
        let end = start + data.len() as u64;
        let r = &mut self.receiver;
        if fin {
            r.fin_at = Some(end);
        }
        if probe {
            return self.acknowledge(None);
        }
        let known = end <= r.next || r.blocks.iter().any(|(s, e)| *s <= start && end <= *e);
        if known && !data.is_empty() {
            return self.acknowledge(Some((start, end)));
        }
        if end > r.next + self.buffer.saturating_sub(r.unread) {
            return self.acknowledge(None);
        }
        let before = r.next;
        if start <= r.next {
            r.next = r.next.max(end);
            r.blocks.sort_unstable();
            while let Some(&(s, e)) = r.blocks.first() {
                if s > r.next {
                    break;
                }
                r.next = r.next.max(e);
                r.blocks.remove(0);
            }
            r.unread += r.next - before;
            let hole = !r.blocks.is_empty() || r.next > end;
            r.unacked += 1;
            if hole || r.unacked >= 2 || fin {
                self.read();
                return self.acknowledge(None);
            }
            r.ack_at.get_or_insert(self.now + Span::from_millis(40));
            self.read();
        } else {
            // The newest block is the last.
            let mut block = (start, end);
            r.blocks.retain(|(s, e)| {
                let apart = *e < block.0 || *s > block.1;
                if !apart {
                    block = (block.0.min(*s), block.1.max(*e));
                }
                apart
            });
            r.blocks.push(block);
            self.acknowledge(None);
        }
    }

    fn read(&mut self) {
        if !self.in_time(self.asleep) {
            self.receiver.unread = 0;
        }
    }

    fn hear(&mut self, to: u64, window: u64, sack: &[(u64, u64)], echo: Time) {
        let seq = |at: u64| FIRST.wrapping_add(wire(at));
        let sack: Vec<(u32, u32)> = sack.iter().map(|(s, e)| (seq(*s), seq(*e))).collect();
        let ack = Ack {
            seq: PEER,
            ack: seq(to),
            window: u16::try_from(window >> 10).unwrap_or(u16::MAX),
            sack: &sack,
            occupies: false,
            congested: false,
            // Counted in milliseconds.
            echo: (self.stamps && echo != Time::default())
                .then(|| Time::from_micros(echo.micros() / 1000 * 1000)),
        };
        self.sender.handle_ack(&ack, self.now);
    }

    /// One step; false when nothing will happen any more.
    pub(super) fn step(&mut self) -> bool {
        if let Some((_, algorithm)) = self.switch.take_if(|(at, _)| self.receiver.next >= *at) {
            self.sender.set_algorithm(algorithm);
        }
        self.write();
        self.transmit();
        let mut next = self.sender.poll_timeout();
        let wake = [
            self.flights.peek().map(|Reverse((at, ..))| *at),
            self.receiver.ack_at,
        ];
        for at in wake.into_iter().flatten() {
            next = Some(next.map_or(at, |next| next.min(at)));
        }
        let awake = Time::from_micros(1_000_000 + self.asleep.1);
        if self.asleep.1 > 0 && !self.woken && next.is_none_or(|next| next >= awake) {
            // The program wakes up, and the window opens.
            self.woken = true;
            self.now = self.now.max(awake);
            self.receiver.unread = 0;
            self.acknowledge(None);
            return true;
        }
        let Some(next) = next else { return false };
        self.now = self.now.max(next);
        while let Some(Reverse((at, ..))) = self.flights.peek()
            && *at <= self.now
        {
            let Some(Reverse((_, _, event))) = self.flights.pop() else {
                break;
            };
            match event {
                Event::Data {
                    start,
                    data,
                    fin,
                    probe,
                    sent,
                } => {
                    let r = &mut self.receiver;
                    if start <= r.told {
                        r.recent = r.recent.max(sent);
                    }
                    self.receive(start, &data, fin, probe);
                }
                Event::Ack {
                    to,
                    window,
                    sack,
                    echo,
                } => self.hear(to, window, &sack, echo),
            }
        }
        if self.receiver.ack_at.is_some_and(|at| at <= self.now) {
            self.acknowledge(None);
        }
        self.sender.handle_timeout(self.now);
        true
    }

    /// Runs until everything has arrived, FIN included, and gives the seconds it took.
    pub(super) fn run(&mut self) -> f64 {
        let start = self.now;
        for _ in 0..5_000_000u64 {
            if self.sender.finished() {
                assert_eq!((self.receiver.next, self.receiver.bad), (self.total, 0));
                return self.now.since(start).seconds();
            }
            assert!(
                self.step() && self.now.since(start) < Span::from_secs(7200),
                "stuck at {} of {} after {:?}: {:?} {:?}",
                self.receiver.next,
                self.total,
                self.now.since(start),
                self.sender.info(),
                self.sender.timers,
            );
        }
        panic!("too many steps: {:?}", self.sender.info());
    }

    /// Steps until that much time has passed.
    pub(super) fn pass(&mut self, span: Span) {
        let end = self.now + span;
        while self.now < end && self.step() {}
    }
}

impl World {
    /// The program writes a piece and it is sent, if it may be.
    pub(super) fn write_and_send(&mut self) {
        self.write();
        self.transmit();
    }

    /// What a burst after a change of `total` sends.
    pub(super) fn transmit_more(&mut self) {
        self.write_and_send();
    }

    /// The handshake again, with larger segments.
    pub(super) fn establish(&mut self, mss: u16) {
        let handshake = Handshake {
            first: FIRST,
            peer: PEER,
            mss,
            window: u16::MAX,
            shift: 10,
            sack: true,
            rtt: Some(self.path.delay * 2),
        };
        self.sender.establish(&handshake, self.now);
    }
}
