//! A connection's sender: its parts, what its owner calls, and what it shows.

use crate::Algorithm;
use crate::buffer::SendBuffer;
use crate::cc::{Control, NO_THRESHOLD, Window};
use crate::info::{Info, Stats};
use crate::mtu::Mtu;
use crate::number::{length, wire};
use crate::pacer::Pacer;
use crate::prr::Prr;
use crate::rack::Rack;
use crate::rate::Estimator;
use crate::rtt::Rtt;
use crate::scoreboard::Scoreboard;
use crate::time::{Span, Time};

mod ack;
mod recovery;
mod timeout;
mod transmit;

/// What the handshake has settled.
#[derive(Clone, Copy, Debug)]
pub struct Handshake {
    /// Sequence number of the first octet.
    pub first: u32,
    /// The peer's next sequence number.
    pub peer: u32,
    /// Payload of a full segment.
    pub mss: u16,
    /// The window of the peer's SYN, which is never scaled.
    pub window: u16,
    /// How later windows are scaled (RFC 7323 2).
    pub shift: u8,
    /// The peer reports what it has (RFC 2018).
    pub sack: bool,
    /// The round trip that the handshake took, when neither SYN was repeated.
    pub rtt: Option<Span>,
}

/// An acknowledgement from the peer.
#[derive(Clone, Copy, Debug)]
pub struct Ack<'a> {
    /// Sequence number of the segment that carries it.
    pub seq: u32,
    /// What is acknowledged.
    pub ack: u32,
    /// The window as it stands in the segment.
    pub window: u16,
    /// SACK blocks, in the peer's order.
    pub sack: &'a [(u32, u32)],
    /// The segment carries data or a FIN.
    pub occupies: bool,
    /// The peer has seen congestion (RFC 3168: ECE).
    pub congested: bool,
    /// When what it answers was sent, or up to a millisecond before, by the timestamp that it echoes (RFC 7323 4).
    pub echo: Option<Time>,
}

/// What an acknowledgement was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It acknowledges something new.
    News,
    /// In order, but nothing new.
    Known,
    /// Older than another that came before.
    Old,
    /// Of what was never sent, or so old that it is forged (RFC 5961 5.2): challenge it and drop the segment.
    Unacceptable,
}

/// A segment to send, or a super-frame of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number.
    pub seq: u32,
    /// Position of its first octet, for [`Sender::payload`].
    pub start: u64,
    /// Octets of payload; none in a probe.
    pub len: usize,
    /// Ends with our FIN.
    pub fin: bool,
    /// The last that was written.
    pub push: bool,
    /// Payload of each segment it is cut into.
    pub mss: u16,
    /// Sent before.
    pub again: bool,
    /// RFC 3168 6.1.2: says that congestion was heard of.
    pub reduced: bool,
}

/// Where a connection is between a loss and its repair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Something was lost, or congestion was told: RFC 6675, RFC 3168.
    Recovery,
    /// After a timeout (RFC 5681 3.1).
    Loss,
}

/// The peer's window (RFC 9293 3.4).
#[derive(Clone, Copy, Debug, Default)]
struct PeerWindow {
    /// Nothing from that position on may be sent.
    right: u64,
    /// Of the segment that said so (SND.WL1).
    seq: u32,
    shift: u8,
    /// The largest ever (MAX.SND.WND).
    most: u64,
}

/// What a reduction can be taken back to.
#[derive(Clone, Copy, Debug)]
struct Undo {
    cwnd: u64,
    ssthresh: u64,
    /// Octets sent again since whose duplicates the peer has not reported.
    unproven: u64,
    /// When the first octets were sent again.
    resent: Option<Time>,
}

/// A probe of the tail is under way (RFC 8985 7.3).
#[derive(Clone, Copy, Debug)]
struct TailProbe {
    end: u64,
    /// It repeated something.
    again: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Timers {
    /// Retransmission (RFC 6298 5).
    rto: Option<Time>,
    /// Tail loss probe (RFC 8985 7.2).
    tail: Option<Time>,
    /// A segment that was overtaken is waited for until then (RFC 8985 6.2).
    reorder: Option<Time>,
    /// Probe of a window that is shut (RFC 9293 3.8.6.1).
    persist: Option<Time>,
    /// Pacing; set only when it has held something back.
    pace: Option<Time>,
}

/// What a timer has decided to send, whatever the windows say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forced {
    Tail,
    WindowProbe,
    /// RFC 9293 3.8.6.2.1: less than a segment, for want of better.
    Small,
}

/// The sender of one connection; `S` is the memory of its ring.
#[derive(Debug)]
pub struct Sender<S> {
    buffer: SendBuffer<S>,
    board: Scoreboard,
    rtt: Rtt,
    rack: Rack,
    rate: Estimator,
    pacer: Pacer,
    control: Box<dyn Control>,
    algorithm: Algorithm,
    window: Window,
    peer: PeerWindow,
    /// Sequence number of position 0.
    first: u32,
    established: bool,
    sack: bool,
    nodelay: bool,
    fin: bool,

    phase: Phase,
    /// The phase ends when this is acknowledged.
    recover: u64,
    prr: Prr,
    undo: Option<Undo>,
    /// The last timeout may yet be found to have been premature.
    suspect: bool,
    /// Without SACK: duplicate acknowledgements in a row, and octets they stand for.
    duplicates: u32,
    presumed: u64,
    tail_probe: Option<TailProbe>,
    forced: Option<Forced>,
    mtu: Mtu,
    /// Congestion was heard of and the peer is not told yet (CWR).
    reduced: bool,

    timers: Timers,
    /// End of the last segment that was not full (Minshall's variant of Nagle's algorithm).
    small: u64,
    /// The congestion window has held something back.
    window_limited: bool,
    last_sent: Option<Time>,
    last_rate: u64,
    stats: Stats,
}

impl<S: AsRef<[u8]> + AsMut<[u8]>> Sender<S> {
    /// A sender before the handshake, with a ring of so many octets, whose memory is lent when it is needed.
    pub fn new(capacity: usize, algorithm: Algorithm) -> Sender<S> {
        Sender {
            buffer: SendBuffer::new(capacity),
            board: Scoreboard::default(),
            rtt: Rtt::default(),
            rack: Rack::default(),
            rate: Estimator::default(),
            pacer: Pacer::default(),
            control: algorithm.start(),
            algorithm,
            window: Window::new(536),
            peer: PeerWindow::default(),
            first: 0,
            established: false,
            sack: false,
            nodelay: false,
            fin: false,
            phase: Phase::Open,
            recover: 0,
            prr: Prr::default(),
            undo: None,
            suspect: false,
            duplicates: 0,
            presumed: 0,
            tail_probe: None,
            forced: None,
            mtu: Mtu::default(),
            reduced: false,
            timers: Timers::default(),
            small: 0,
            window_limited: false,
            last_sent: None,
            last_rate: 0,
            stats: Stats::default(),
        }
    }

    /// The handshake has ended: octets may leave.
    pub fn establish(&mut self, handshake: &Handshake, now: Time) {
        self.first = handshake.first;
        self.sack = handshake.sack;
        self.window = Window::new(u64::from(handshake.mss.max(1)));
        self.peer = PeerWindow {
            right: u64::from(handshake.window),
            seq: handshake.peer,
            // RFC 7323 2.3.
            shift: handshake.shift.min(14),
            most: u64::from(handshake.window),
        };
        match handshake.rtt {
            Some(rtt) => self.rtt.sample(rtt, rtt, now),
            None => self.rtt.unmeasured(),
        }
        self.established = true;
        self.fit_buffer();
    }

    /// Lets `f` fill the contiguous free part of the ring; it gives how much it wrote, and so does this. Call again
    /// after a wrap; an empty slice is a full ring.
    pub fn write<R>(&mut self, f: impl FnOnce(&mut [u8]) -> (usize, R)) -> (usize, R) {
        if self.fin {
            return (0, f(&mut []).1);
        }
        self.buffer.write(f)
    }

    /// No more will be written: a FIN follows the last octet.
    pub fn finish(&mut self) {
        self.fin = true;
    }

    /// Whether the peer has acknowledged the FIN.
    pub fn finished(&self) -> bool {
        self.fin && self.board.una() == self.end()
    }

    /// Nagle's algorithm is off (`TCP_NODELAY`).
    pub fn set_nodelay(&mut self, nodelay: bool) {
        self.nodelay = nodelay;
    }

    /// Another algorithm takes over with the window as it is (`TCP_CONGESTION`).
    pub fn set_algorithm(&mut self, algorithm: Algorithm) {
        if algorithm != self.algorithm {
            self.algorithm = algorithm;
            self.control = algorithm.start();
            self.pacer.reset();
            self.timers.pace = None;
        }
    }

    /// Octets that may be written.
    pub fn space(&self) -> usize {
        self.buffer.free()
    }

    /// Octets that may wait in all.
    pub fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Octets written and not acknowledged.
    pub fn queued(&self) -> usize {
        self.buffer.len()
    }

    /// Whether the peer has to acknowledge something, sent or not.
    pub fn owes(&self) -> bool {
        self.board.una() < self.end()
    }

    /// Sequence number of the oldest octet not acknowledged (SND.UNA).
    pub fn una(&self) -> u32 {
        self.wire(self.board.una())
    }

    /// Sequence number behind what was sent (SND.NXT).
    pub fn nxt(&self) -> u32 {
        self.wire(self.board.nxt())
    }

    /// The octets of a segment, in the up to two pieces that the ring has.
    pub fn payload(&self, segment: &Segment) -> (&[u8], &[u8]) {
        self.buffer.read(segment.start, segment.len)
    }

    /// When to call [`Sender::handle_timeout`] and [`Sender::poll_transmit`] next.
    pub fn poll_timeout(&self) -> Option<Time> {
        let Timers {
            rto,
            tail,
            reorder,
            persist,
            pace,
        } = self.timers;
        let mut next = rto;
        for timer in [tail, reorder, persist, pace] {
            if timer.is_some() && (next.is_none() || timer < next) {
                next = timer;
            }
        }
        next
    }

    /// Whether [`Sender::poll_transmit`] may have something now. What a window or the pacer holds back counts, too.
    pub fn has_work(&self) -> bool {
        self.established
            && (self.forced.is_some() || self.board.lost() > 0 || self.board.nxt() < self.end())
    }

    /// Whether the ring has memory: without, [`Sender::write`] offers no room.
    pub fn has_memory(&self) -> bool {
        self.buffer.has_memory()
    }

    /// Gives the ring memory; comes back when it has some, or when the size is not the one that was said.
    pub fn lend(&mut self, memory: S) -> Result<(), S> {
        self.buffer.lend(memory)
    }

    /// The memory of a ring in which nothing waits, and how many octets from its start on were written to.
    pub fn reclaim(&mut self) -> Option<(S, usize)> {
        self.buffer.reclaim()
    }

    /// The memory again, if it has any, and how many octets from its start on were written to.
    pub fn into_memory(self) -> Option<(S, usize)> {
        self.buffer.into_memory()
    }

    /// What it shows.
    pub fn info(&self) -> Info {
        let board = &self.board;
        Info {
            algorithm: self.algorithm,
            cwnd: self.window.cwnd,
            ssthresh: (self.window.ssthresh < NO_THRESHOLD).then_some(self.window.ssthresh),
            srtt: self.rtt.smoothed(),
            rttvar: self.rtt.variance(),
            min_rtt: self.rtt.least(),
            rto: self.rtt.rto(),
            backoff: self.rtt.backoff(),
            in_flight: self.pipe(),
            lost: board.lost(),
            sacked: board.sacked(),
            unacked: board.nxt() - board.una(),
            unsent: self.end() - board.nxt(),
            peer_window: self.peer.right.saturating_sub(board.una()),
            mss: u16::try_from(self.window.mss).unwrap_or(u16::MAX),
            pacing_rate: self.control.pacing_rate(),
            delivery_rate: self.last_rate,
            delivered: self.rate.delivered(),
            recovering: self.phase != Phase::Open,
            timed_out: self.phase == Phase::Loss,
            reordering: self.rack.reordering(),
            stats: self.stats,
        }
    }

    /// Behind everything there is to send, the FIN included.
    fn end(&self) -> u64 {
        self.buffer.end() + u64::from(self.fin)
    }

    /// Octets believed to be under way.
    fn pipe(&self) -> u64 {
        self.board.flying().saturating_sub(self.presumed)
    }

    fn wire(&self, position: u64) -> u32 {
        self.first.wrapping_add(wire(position))
    }

    /// The position of a sequence number near the oldest octet not acknowledged.
    fn position(&self, seq: u32) -> Option<u64> {
        let una = self.board.una();
        let distance = i64::from(seq.wrapping_sub(self.wire(una)).cast_signed());
        una.checked_add_signed(distance)
    }

    /// Lets the program write ahead of the window by as much again (Linux's `tcp_sndbuf_expand`).
    fn fit_buffer(&mut self) {
        let wanted = self.window.cwnd.saturating_mul(2);
        if length(wanted) > self.buffer.capacity() {
            self.buffer.set_limit(wanted);
        }
    }
}

#[cfg(test)]
mod tests;
