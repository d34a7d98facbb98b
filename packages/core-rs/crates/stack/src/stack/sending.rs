//! A connection's segments: smoltcp receives and has the state, the sender sends, and here they are joined.
//!
//! smoltcp believes that it has sent a SYN and, at the end, a FIN, and no octet between. What it emits is not
//! sent, SYNs apart: it says what is to be acknowledged. Bare acknowledgements are not shown to it. See
//! docs/internals/recovery.md.

use netcon_sender::{Ack, Handshake, Segment as Sending, Time, Verdict};
use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};

use super::segments::MIN_MSS;
use crate::device::Largest;
use crate::ethernet::HEADER;
use crate::packet::build::{HOP_LIMIT, Segment, set_ecn};
use crate::packet::options::{self, Block, Options, Stamp};
use crate::packet::{ACK, CE, CWR, ECE, ECT, FIN, IpView, PSH, RST, SYN, TcpView, tcp_option};
use crate::pcb::Conn;
use crate::sack;
use crate::seq::Seq;

/// RFC 9293 3.8.6.3 allows 500 ms.
const ACK_DELAY: Duration = Duration::from_millis(10);
/// Acknowledged at once where segments are large, as on loopback.
const MANY_BYTES: u32 = 16 << 10;
/// TCP options (RFC 7323 2, RFC 2018 2).
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;

/// A packet in the scratch buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Composed {
    /// Its length, 0 when there is none.
    pub(super) len: usize,
    /// Payload of each segment it is cut into.
    pub(super) mss: u16,
    /// The data, where they were left in the ring: only the headers stand in the buffer.
    pub(super) data: Option<Sending>,
}

impl Conn {
    /// Remembers what the peer's SYN offers.
    pub(super) fn offered(&mut self, tcp: &TcpView, segment: &[u8]) {
        // Only who asks gets it, as with Linux's `tcp_ecn` 2: our own SYNs do not ask.
        self.opening.ecn = tcp.flags & (SYN | ACK | ECE | CWR) == SYN | ECE | CWR;
        self.opening.window = window(segment);
        self.opening.shift = match tcp_option(segment, WINDOW_SCALE) {
            Some((at, 1)) => segment[at],
            _ => 0,
        };
        self.opening.sack = tcp_option(segment, SACK_PERMITTED).is_some();
    }

    /// Notes what the network and the peer say of congestion on the way here (RFC 3168 6.1.3).
    pub(super) fn see_congestion(&mut self, tcp: &TcpView, ecn: u8) {
        if !self.opening.ecn {
            return;
        }
        if tcp.has(CWR) {
            self.spoken.echo = false;
        }
        self.spoken.echo |= ecn == CE;
    }

    /// Flags that every acknowledgement carries.
    fn echo(&self) -> u8 {
        if self.spoken.echo { ECE } else { 0 }
    }

    /// Lets the sender begin when the handshake has ended. True when it just has.
    pub(super) fn open(&mut self, now: Instant) -> bool {
        let ended = match self.tcb.state() {
            tcp::State::Closed
            | tcp::State::Listen
            | tcp::State::SynSent
            | tcp::State::SynReceived => false,
            tcp::State::Established
            | tcp::State::FinWait1
            | tcp::State::FinWait2
            | tcp::State::CloseWait
            | tcp::State::Closing
            | tcp::State::LastAck
            | tcp::State::TimeWait => true,
        };
        if self.opening.done || !ended {
            return false;
        }
        self.opening.done = true;
        // Karn's rule: which of two SYNs was answered is not known.
        let measured = self.opening.sent.filter(|_| self.opening.syns == 1);
        let handshake = Handshake {
            first: self.iss.plus(1).0,
            peer: self.irs.plus(1).0,
            mss: self.mss,
            window: self.opening.window,
            shift: self.opening.shift,
            sack: self.opening.sack,
            rtt: measured.map(|sent| time(now).since(time(sent))),
        };
        self.snd_una = self.iss.plus(1);
        if !self.opening.answered {
            // Our SYN acknowledged nothing, and the window in it is forgotten: smoltcp tells another at once.
            self.spoken.edge = self.irs.plus(1);
            self.spoken.sent_ack = self.irs;
        }
        self.sender.establish(&handshake, time(now));
        true
    }

    /// Whether a segment lies where the peer may be (RFC 9293 3.10.7.4, first check): only then is anything in it
    /// believed (RFC 5961 5). As Linux's `tcp_sequence`: what ends where the peer was last told is late, not forged.
    pub(super) fn is_acceptable(&self, tcp: &TcpView) -> bool {
        let free = self
            .tcb
            .get(|socket| socket.recv_capacity() - socket.recv_queue());
        let right = self.rcv_nxt().plus(u32::try_from(free).unwrap_or(u32::MAX));
        !self.spoken.sent_ack.after(tcp.end()) && !tcp.seq.after(right)
    }

    /// Gives the sender an acknowledgement.
    pub(super) fn take_ack(&mut self, tcp: &TcpView, segment: &[u8], now: Instant) -> Verdict {
        let mut blocks = [(0, 0); sack::BLOCKS];
        let count = sack::blocks(segment, &mut blocks);
        let window = window(segment);
        let stamp = options::stamp(segment);
        let echo = stamp.and_then(|theirs| self.stamps.echoed(theirs, now));
        let ack = Ack {
            seq: tcp.seq.0,
            ack: tcp.ack.0,
            window,
            sack: &blocks[..count],
            occupies: tcp.len() > 0,
            congested: self.opening.ecn && tcp.has(ECE),
            echo: echo.map(time),
        };
        let verdict = self.sender.handle_ack(&ack, time(now));
        match verdict {
            Verdict::News => {
                self.snd_una = Seq(self.sender.una());
                self.soft = None;
                self.progress = now;
                self.meter.acknowledged(now);
            }
            // A peer that answers probes is alive, however long it reads nothing (RFC 1122
            // 4.2.2.17).
            Verdict::Known if window == 0 => self.progress = now,
            Verdict::Known | Verdict::Old | Verdict::Unacceptable => {}
        }
        verdict
    }

    /// Takes note of a packet that smoltcp wants to send. True when it has to leave as it is.
    pub(super) fn announce(&mut self, packet: &mut [u8], now: Instant) -> bool {
        let Some((tcp, segment)) = parse(packet) else {
            return false;
        };
        if tcp.has(SYN | RST) || !self.opening.done {
            let segment_at = packet.len() - segment.len();
            self.opening.syns += 1;
            self.opening.sent.get_or_insert(now);
            if tcp.has(ACK) {
                self.opening.answered = true;
                self.spoken.sent_ack = tcp.ack;
                // Not scaled: the next acknowledgement tells more in time, none is sent for it.
                self.spoken.sent_window = window(segment);
                self.spoken.edge = tcp.ack.plus(u32::from(window(segment)));
                if self.opening.ecn && tcp.has(SYN) {
                    packet[segment_at + 13] |= ECE;
                }
            }
            self.restamp(&mut packet[segment_at..], now);
            return true;
        }
        self.spoken.edge = self.edge(&tcp, segment);
        false
    }

    /// Puts the time into a segment of smoltcp's, which has none.
    fn restamp(&self, segment: &mut [u8], now: Instant) {
        if let Some(at) = options::stamp_at(segment) {
            segment[at..at + 4].copy_from_slice(&self.stamps.value(now).to_be_bytes());
        }
    }

    /// What a segment that may be so large carries beside its options.
    pub(super) fn payload(&self, mss: u16) -> u16 {
        mss.saturating_sub(self.stamps.len()).max(MIN_MSS)
    }

    /// Whether a segment's timestamp is from before what has come (RFC 7323 5.3). As in Linux (`tcp_disordered_ack`) a
    /// bare acknowledgement that was overtaken within a timeout is not.
    pub(super) fn is_old(&self, tcp: &TcpView, theirs: Stamp, now: Instant) -> bool {
        if !self.stamps.is_old(theirs, now) {
            return false;
        }
        let bare = tcp.len() == 0 && tcp.seq == self.rcv_nxt();
        !(bare && self.stamps.lateness(theirs).micros() <= self.sender.info().rto.micros())
    }

    /// The right edge of the window that a segment of ours announces.
    fn edge(&self, tcp: &TcpView, segment: &[u8]) -> Seq {
        tcp.ack.plus(u32::from(window(segment)) << self.shift)
    }

    /// The window that may be announced: smoltcp takes nothing beyond the edge it knows of.
    fn announced(&self, next: Seq) -> u16 {
        let left = u32::try_from(self.spoken.edge.since(next)).unwrap_or(0);
        u16::try_from(left >> self.shift).unwrap_or(u16::MAX)
    }

    /// Whether smoltcp has to be asked for what it would say: in a handshake, at a FIN, and when the window's
    /// edge could move by much. All else is known without it.
    pub(super) fn needs_socket(&self) -> bool {
        if !self.opening.done || super::segments::fin_outstanding(self.tcb.state()) {
            return true;
        }
        let next = self.rcv_nxt();
        let left = u32::from(self.announced(next));
        let window = u32::from(self.window());
        window > left && (window - left >= window / 8 || self.spoken.due_now)
    }

    /// Decides by when the peer has to be told what has come and what may come.
    ///
    /// RFC 9293 3.8.6.3: every second full-sized segment is acknowledged at once; a frame that the link put
    /// together counts as the segments it was. A FIN does not wait either, nor what opens the window much
    /// (Linux's and smoltcp's rule: doubles it).
    pub(super) fn owe(&mut self, now: Instant) {
        if !self.opening.done {
            return;
        }
        let next = self.rcv_nxt();
        let news = u32::try_from(next.since(self.spoken.sent_ack)).unwrap_or(0);
        let closed = crate::pcb::fin_received(self.tcb.state());
        let (window, told) = (self.window(), self.spoken.sent_window);
        let opened = !closed
            && window > 0
            && window / 2 >= told
            && self.spoken.futile != Some((next, window));
        if news == 0 && !opened {
            return;
        }
        let first = next == self.irs.plus(1);
        let much = news > u32::from(self.mss).min(MANY_BYTES);
        self.spoken.due_now |= opened;
        // RFC 5681 4.2: at once, too, when it fills a part of a gap.
        let gap = self.reported.beyond(next).next().is_some();
        let at = if much || opened || first || closed || gap {
            now
        } else {
            now + ACK_DELAY
        };
        let due = self.spoken.due.get_or_insert(at);
        *due = at.min(*due);
    }

    /// Whether a turn could lead to anything.
    pub(super) fn wants_turn(&self, now: Instant) -> bool {
        !self.opening.done
            || self.sender.has_work()
            || self.sending_deadline().is_some_and(|at| at <= now)
    }

    /// Makes an immediate answer of smoltcp's, at the start of `room`, one of this connection: with our sequence
    /// number and all that has come out of order or twice. Gives its length.
    pub(super) fn answer(
        &mut self,
        room: &mut [u8],
        len: usize,
        twice: Option<Block>,
        now: Instant,
    ) -> usize {
        let Some((tcp, segment)) = parse(&room[..len]) else {
            return len;
        };
        let start = len - segment.len();
        let (edge, window) = (self.edge(&tcp, segment), window(segment));
        if !self.opening.done || tcp.flags & (SYN | FIN | RST | ACK) != ACK {
            self.restamp(&mut room[start..len], now);
            return len;
        }
        self.spoken.edge = edge;
        room[start + 4..start + 8].copy_from_slice(&self.sender.nxt().to_be_bytes());
        room[start + 13] |= self.echo();
        self.spoke(tcp.ack, window);
        let twice = twice.filter(|_| self.opening.sack);
        let stamp = self.stamps.stamp(now);
        self.reported.complete(room, len, tcp.ack, twice, stamp)
    }

    /// What of an incoming segment has come before.
    pub(super) fn duplicate(&self, tcp: &TcpView) -> Option<Block> {
        let segment = (tcp.seq, tcp.seq.plus(tcp.payload_len));
        self.reported.duplicate(segment, self.rcv_nxt())
    }

    /// Writes the next packet of the connection behind the room for an Ethernet header: data, or an
    /// acknowledgement that is due. `in_parts` leaves data where it is.
    pub(super) fn compose(
        &mut self,
        frame: &mut [u8],
        now: Instant,
        largest: Largest,
        in_parts: bool,
    ) -> Composed {
        let (mss, data) = (self.mss, None);
        if !self.opening.done {
            return Composed { len: 0, mss, data };
        }
        let v4 = self.key.local().0.is_ipv4();
        let most = if v4 { largest.v4 - 40 } else { largest.v6 - 60 };
        let most = most - usize::from(self.stamps.len());
        self.sender.handle_timeout(time(now));
        match self.sender.poll_transmit(time(now), most) {
            Some(sending) => Composed {
                len: self.write(frame, &sending, now, in_parts),
                mss: sending.mss,
                data: in_parts.then_some(sending),
            },
            None if self.spoken.due.is_some_and(|due| due <= now) => {
                (self.spoken.due, self.spoken.due_now) = (None, false);
                let len = self.write_ack(frame, now);
                Composed { len, mss, data }
            }
            None => Composed { len: 0, mss, data },
        }
    }

    /// When the connection has something to send although nothing comes.
    pub(super) fn sending_deadline(&self) -> Option<Instant> {
        match (self.sender.poll_timeout().map(instant), self.spoken.due) {
            (Some(sender), Some(due)) => Some(sender.min(due)),
            (sender, due) => sender.or(due),
        }
    }

    fn write(
        &mut self,
        frame: &mut [u8],
        sending: &Sending,
        now: Instant,
        in_parts: bool,
    ) -> usize {
        let push = sending.push && sending.len > 0;
        let set = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = ACK | set(sending.fin, FIN) | set(push, PSH) | set(sending.reduced, CWR);
        let options = Options::new(self.stamps.stamp(now));
        let start =
            HEADER + self.write_header(frame, Seq(sending.seq), flags, sending.len, options);
        // RFC 3168 6.1.4, 6.1.5: neither what is sent again nor what carries no data.
        if self.opening.ecn && !sending.again && sending.len > 0 {
            set_ecn(&mut frame[HEADER..start], ECT);
        }
        if !in_parts {
            let (first, second) = self.sender.payload(sending);
            let (middle, end) = (start + first.len(), start + sending.len);
            frame[start..middle].copy_from_slice(first);
            frame[middle..end].copy_from_slice(second);
        }
        self.snd_nxt = Seq(self.sender.nxt());
        start + sending.len - HEADER
    }

    fn write_ack(&mut self, frame: &mut [u8], now: Instant) -> usize {
        let (next, spoken) = (self.rcv_nxt(), &self.spoken);
        if (next, self.announced(next)) == (spoken.sent_ack, spoken.sent_window) {
            self.spoken.futile = Some((next, self.window()));
            return 0;
        }
        let mut options = Options::new(self.stamps.stamp(now));
        options.sack(self.reported.beyond(next));
        self.write_header(frame, Seq(self.sender.nxt()), ACK, 0, options)
    }

    fn write_header(
        &mut self,
        frame: &mut [u8],
        seq: Seq,
        flags: u8,
        len: usize,
        options: Options,
    ) -> usize {
        let next = self.rcv_nxt();
        let window = self.announced(next);
        let segment = Segment {
            flow: self.key,
            seq,
            ack: next,
            flags: flags | self.echo(),
            window,
            hop_limit: self.hop_limit.unwrap_or(HOP_LIMIT),
            options,
        };
        self.header.clear();
        segment.write_for(&mut self.header, len);
        let end = HEADER + self.header.len();
        frame[HEADER..end].copy_from_slice(&self.header);
        self.spoke(next, window);
        self.header.len()
    }

    /// The peer is told what there was to tell.
    fn spoke(&mut self, ack: Seq, window: u16) {
        let spoken = &mut self.spoken;
        (spoken.sent_ack, spoken.sent_window) = (ack, window);
        spoken.due = None;
        spoken.due_now = false;
    }
}

/// The clock of the stack is the sender's.
fn time(at: Instant) -> Time {
    Time::from_micros(u64::try_from(at.total_micros()).unwrap_or(0))
}

fn instant(at: Time) -> Instant {
    Instant::from_micros(i64::try_from(at.micros()).unwrap_or(i64::MAX))
}

fn parse(packet: &[u8]) -> Option<(TcpView, &[u8])> {
    let ip = IpView::parse_quoted(packet)?;
    let segment = &packet[ip.header_len..];
    Some((TcpView::parse(segment)?, segment))
}

/// The window as it stands in a segment whose header was checked.
fn window(segment: &[u8]) -> u16 {
    u16::from_be_bytes([segment[14], segment[15]])
}
