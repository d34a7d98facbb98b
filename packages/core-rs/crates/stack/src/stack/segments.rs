//! Where a TCP segment goes: to its connection, a tombstone, a listener, or back as a reset.

use netcon_sender::Verdict as AckVerdict;
use smoltcp::socket::tcp;
use smoltcp::time::Duration;
use smoltcp::wire::IpListenEndpoint;

use super::Stack;
use crate::device::Exchange;
use crate::ethernet::HEADER;
use crate::flow::{Flow, FlowKey};
use crate::icmp::{IcmpError, Kind as IcmpKind};
use crate::outbox::Way;
use crate::packet::build::{PLAIN_ACK, Segment};
use crate::packet::options::{self, Block};
use crate::packet::{ACK, IpView, RST, SYN, TcpView, mss_at, tcp_option};
use crate::pcb::{Conn, Kind, Stage};
use crate::seq::Seq;
use crate::tombstone::Verdict;
use crate::{Cause, Event, PcbId, isn, net};

/// RFC 5961 7; Linux's `tcp_invalid_ratelimit`.
const CHALLENGE_INTERVAL: Duration = Duration::from_millis(500);
/// What smoltcp and Linux assume of a peer that doesn't say (RFC 9293 3.7.1).
const DEFAULT_MSS: u16 = 536;
/// smoltcp's and Linux's `TCP_MIN_SND_MSS`.
pub(super) const MIN_MSS: u16 = 48;
/// More SYNs to full listeners in one turn are dropped at once.
pub(super) const MAX_WAITING_SYNS: usize = 64;
/// TCP option: window scale (RFC 7323 2).
const WINDOW_SCALE: u8 = 3;

/// A segment that its connection's socket has to see.
#[derive(Clone, Copy, Debug)]
pub(super) struct Feed {
    id: PcbId,
    /// Bytes of the packet, and of its IP header.
    len: usize,
    header_len: usize,
    /// The acknowledgement that the socket is to find in it.
    ack: Seq,
    /// What of it has come before.
    twice: Option<Block>,
}

/// What is to be done with a segment before smoltcp sees it.
#[derive(Debug, PartialEq, Eq)]
enum Check {
    Pass,
    Drop,
    /// The peer has reset the connection.
    Reset,
    /// RFC 5961: let the peer prove that it meant it.
    Challenge,
    /// Data for a program that has gone.
    Unwanted,
}

impl Stack {
    /// A TCP packet for one of our addresses, its checksum verified.
    pub(super) fn handle_segment(&mut self, ip: &IpView<'_>) -> Option<Feed> {
        let Some(tcp) = TcpView::parse(ip.payload()) else {
            self.counters.rx_bad += 1;
            return None;
        };
        let key = FlowKey::new(ip.dst, tcp.dst_port, ip.src, tcp.src_port);
        match self.flows.get(&key) {
            Some(Flow::Pcb(id)) => return self.handle_for_conn(*id, ip, &tcp),
            Some(Flow::Tombstone(slot)) => self.handle_for_tombstone(*slot, ip, &tcp),
            None => self.handle_unknown(key, ip, &tcp),
        }
        None
    }

    fn handle_for_conn(&mut self, id: PcbId, ip: &IpView<'_>, tcp: &TcpView) -> Option<Feed> {
        let now = self.now;
        let conn = self.pcbs.conn_mut(id)?;
        match check(conn, tcp) {
            Check::Pass => {}
            Check::Drop => return None,
            Check::Reset => {
                self.counters.rst_received += 1;
                let refused = self
                    .pcbs
                    .conn(id)
                    .is_some_and(|conn| conn.stage == Stage::Connecting);
                let cause = if refused {
                    Cause::Refused
                } else {
                    Cause::Reset
                };
                self.fail(id, cause);
                return None;
            }
            Check::Challenge => {
                self.challenge(id);
                return None;
            }
            Check::Unwanted => {
                let reset = Segment::reset(conn.key, tcp);
                self.counters.rst_sent += 1;
                self.post(&reset);
                self.release(id);
                return None;
            }
        }
        let believed = !conn.opening.done || conn.is_acceptable(tcp);
        if believed {
            conn.heard = now;
            conn.probes = 0;
        }
        if believed && tcp.payload_len > 0 {
            self.warm.fill(id, conn, tcp, now);
        }
        conn.meter.received(tcp.payload_len, conn.mss, now);
        if tcp.has(SYN) && conn.tcb.state() == tcp::State::SynSent {
            self.handshake(id, ip, tcp);
            self.settle(id);
            return None;
        }
        let mut feed = Feed {
            id,
            len: ip.packet.len(),
            header_len: ip.header_len,
            ack: tcp.ack,
            twice: None,
        };
        if !conn.opening.done {
            return Some(feed);
        }
        let stamp = options::stamp(ip.payload());
        if stamp.is_some_and(|theirs| conn.is_old(tcp, theirs, now)) {
            // RFC 7323 5.3 R1: acknowledged and dropped. What has come before smoltcp answers, and the peer is told
            // that it was a duplicate.
            if tcp.len() > 0 && !tcp.end().after(conn.rcv_nxt()) {
                feed.ack = conn.shown_ack();
                feed.twice = conn.duplicate(tcp);
                return Some(feed);
            }
            self.challenge(id);
            return None;
        }
        // RFC 9293 3.10.7.4: a segment without an acknowledgement is dropped.
        if !tcp.has(ACK) {
            return None;
        }
        // What lies elsewhere smoltcp drops, and answers.
        if believed {
            conn.see_congestion(tcp, ip.ecn());
            if let Some(theirs) = stamp {
                conn.stamps.take(theirs, tcp, conn.spoken.sent_ack, now);
            }
            match conn.take_ack(tcp, ip.payload(), now) {
                AckVerdict::Unacceptable => {
                    self.challenge(id);
                    return None;
                }
                AckVerdict::News | AckVerdict::Known | AckVerdict::Old => {}
            }
        }
        // A bare acknowledgement is the sender's alone, that of our FIN apart.
        let told = conn.sender.finished() && fin_outstanding(conn.tcb.state());
        if tcp.len() > 0 || told || tcp.seq != conn.rcv_nxt() {
            feed.ack = conn.shown_ack();
            feed.twice = conn.duplicate(tcp);
            return Some(feed);
        }
        self.settle(id);
        None
    }

    fn handle_for_tombstone(&mut self, slot: u32, ip: &IpView<'_>, tcp: &TcpView) {
        let Some(stone) = self.yard.get(slot) else {
            return;
        };
        match stone.judge(tcp, ip.payload(), self.now) {
            Verdict::Ignore => {}
            Verdict::Acknowledge => {
                let ack = stone.ack(self.now);
                self.yard.restart(slot, self.now);
                self.post(&ack);
            }
            Verdict::GiveWay => {
                let key = stone.key;
                if let Some(stone) = self.yard.remove(slot, &mut self.flows) {
                    self.tombstone_gone(&stone);
                }
                self.handle_unknown(key, ip, tcp);
            }
        }
    }

    fn handle_unknown(&mut self, key: FlowKey, ip: &IpView<'_>, tcp: &TcpView) {
        // RFC 9293 3.10.7.1: never answer a reset.
        if tcp.has(RST) {
            return;
        }
        let spread = self.port_key.hash(&key.words());
        let listener = self.ports.listener(ip.dst, tcp.dst_port, spread);
        match listener.filter(|_| tcp.is_opening()) {
            Some(listener) => self.handle_syn(listener, key, ip, tcp),
            None => {
                self.counters.rst_sent += 1;
                self.post(&Segment::reset(key, tcp));
            }
        }
    }

    /// The first segment of a handshake with a listener.
    fn handle_syn(&mut self, id: PcbId, key: FlowKey, ip: &IpView<'_>, tcp: &TcpView) {
        let Some(pcb) = self.pcbs.get(id) else { return };
        let Kind::Listener(listener) = pcb.kind else {
            return;
        };
        let (family, options, bind_options) = (pcb.family, pcb.options, pcb.bind_options);
        // Linux: more than the backlog wait, so the SYN is dropped; the peer tries again.
        if listener.embryos + listener.unaccepted + listener.outside > listener.backlog {
            return self.backlog_full(id, ip);
        }
        // A peer with port 0, or one we have no way to: nothing could be answered.
        if tcp.src_port == 0 || self.net.route(ip.src) == net::Route::None {
            return;
        }
        let Some(mut conn) = self.make_conn(key, Stage::Embryo) else {
            return;
        };
        let endpoint = IpListenEndpoint {
            addr: None,
            port: tcp.dst_port,
        };
        if conn.tcb.act(|socket| socket.listen(endpoint)).is_err() {
            return self.give_rings(conn);
        }
        conn.listener = Some(id);
        // Dirty, but in no queue: the SYN-ACK leaves when the owner has had the chance to find its
        // listener dead.
        conn.dirty = true;
        let embryo = self.pcbs.insert(family, Kind::Idle);
        if let Some(pcb) = self.pcbs.get_mut(embryo) {
            pcb.options = options;
            pcb.bind_options = bind_options;
        }
        self.admit(embryo, conn);
        if let Some(listener) = self.pcbs.listener_mut(id) {
            listener.embryos += 1;
        }
        self.handshake(embryo, ip, tcp);
        self.settle(embryo);
        self.held.push((embryo, ip.packet.to_vec()));
        self.events.push_back(Event::SynReceived { listener: id });
    }

    /// The owner may know of connections that the program has accepted meanwhile: the SYN is looked
    /// at once more at the next transmit.
    fn backlog_full(&mut self, id: PcbId, ip: &IpView<'_>) {
        if self.retrying || self.waiting_syns.len() >= MAX_WAITING_SYNS {
            self.counters.backlog_drops += 1;
            return;
        }
        self.waiting_syns.push(ip.packet.to_vec());
        self.events.push_back(Event::BacklogFull { listener: id });
    }

    pub(super) fn retry_syns(&mut self) {
        self.retrying = true;
        for mut packet in std::mem::take(&mut self.waiting_syns) {
            let feed = IpView::parse(&packet).and_then(|ip| self.handle_segment(&ip));
            if let Some(feed) = feed {
                self.feed(&feed, &mut packet);
            }
        }
        self.retrying = false;
    }

    /// Feeds a SYN or SYN-ACK: with the peer's MSS cut to what the way takes, and, for a listener,
    /// through an interface that draws our sequence number.
    fn handshake(&mut self, id: PcbId, ip: &IpView<'_>, tcp: &TcpView) {
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        let limit = pcb
            .options
            .max_segment
            .filter(|limit| *limit > 0)
            .unwrap_or(u16::MAX);
        let Some(conn) = pcb.conn_mut() else { return };
        let segment = ip.payload();
        self.piece.clear();
        self.piece.extend_from_slice(ip.packet);
        let own = self.net.mss(ip.src, conn.looped);
        let mut theirs = DEFAULT_MSS;
        if let Some(at) = mss_at(segment) {
            theirs = u16::from_be_bytes([segment[at], segment[at + 1]]).max(MIN_MSS);
            let at = ip.header_len + at;
            let cut = theirs.min(own).min(limit).max(MIN_MSS);
            self.piece[at..at + 2].copy_from_slice(&cut.to_be_bytes());
        }
        conn.irs = tcp.seq;
        conn.receiving.end = tcp.end();
        conn.stamps.agree(options::stamp(segment), self.now);
        conn.mss = conn.payload(theirs.min(own).min(limit));
        conn.shift = match tcp_option(segment, WINDOW_SCALE) {
            Some((_, 1)) => window_shift(conn.tcb.get(|socket| socket.recv_capacity())),
            _ => 0,
        };
        conn.offered(tcp, segment);
        let mut io = Exchange {
            rx: Some(&self.piece),
            tx: &mut self.scratch[HEADER..],
            tx_len: 0,
            largest: self.largest,
        };
        if conn.stage == Stage::Embryo {
            let mut iface = isn::interface(conn.iss, &mut io, self.now);
            conn.tcb.ingress(&mut iface, self.now, &mut io);
        } else {
            conn.tcb.ingress(&mut self.iface, self.now, &mut io);
        }
        let len = io.tx_len;
        conn.open(self.now);
        self.reply(id, len, None);
    }

    /// Feeds a segment to its socket, with the acknowledgement that the socket expects.
    pub(super) fn feed(&mut self, feed: &Feed, packet: &mut [u8]) {
        let id = feed.id;
        let Some(packet) = packet.get_mut(..feed.len) else {
            return;
        };
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        let at = feed.header_len + 8;
        packet[at..at + 4].copy_from_slice(&feed.ack.0.to_be_bytes());
        let mut io = Exchange {
            rx: Some(packet),
            tx: &mut self.scratch[HEADER..],
            tx_len: 0,
            largest: self.largest,
        };
        conn.tcb.ingress(&mut self.iface, self.now, &mut io);
        let len = io.tx_len;
        if conn.open(self.now) {
            // The window of the acknowledgement that ended the handshake.
            let segment = &packet[feed.header_len..];
            if let Some(tcp) = TcpView::parse(segment) {
                conn.take_ack(&tcp, segment, self.now);
            }
        }
        self.reply(id, len, feed.twice);
        self.settle(id);
    }

    /// Queues what smoltcp answered at once.
    fn reply(&mut self, id: PcbId, mut len: usize, twice: Option<Block>) {
        if len == 0 {
            return;
        }
        if let Some(conn) = self.pcbs.conn_mut(id) {
            len = conn.answer(&mut self.scratch[HEADER..], len, twice, self.now);
        }
        let packet = &self.scratch[HEADER..HEADER + len];
        if !self
            .outbox
            .push(Way::Route, |out| out.extend_from_slice(packet))
        {
            self.counters.queue_drops += 1;
        }
    }

    fn challenge(&mut self, id: PcbId) {
        let now = self.now;
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        if now < conn.next_challenge {
            return;
        }
        conn.next_challenge = now + CHALLENGE_INTERVAL;
        self.counters.challenge_acks += 1;
        self.send_segment(id, PLAIN_ACK);
    }

    /// An ICMP error that quotes one of our segments. RFC 5927: believed only when the quoted
    /// sequence number is in flight.
    pub(super) fn handle_icmp_error(&mut self, error: &IcmpError) {
        let Some(Flow::Pcb(id)) = self.flows.get(&error.flow).copied() else {
            return;
        };
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        let in_flight = u32::try_from(conn.snd_nxt.since(conn.snd_una)).unwrap_or(0);
        if !error.seq.within(conn.snd_una, in_flight.max(1)) {
            return;
        }
        match (error.kind, conn.stage) {
            // Linux, tcp_v4_err: an error in SYN-SENT ends the attempt.
            (IcmpKind::Unreachable(cause), Stage::Connecting) => self.fail(id, cause),
            (IcmpKind::Unreachable(cause), _) => conn.soft = Some(cause),
            (IcmpKind::TooBig(mtu), _) => {
                let payload = mtu.saturating_sub(net::headers(error.flow.remote().0));
                let payload = u16::try_from(payload).unwrap_or(u16::MAX);
                conn.mss = conn.mss.min(conn.payload(payload));
                conn.sender.limit_segments(conn.mss);
                self.mark_dirty(id);
            }
        }
    }
}

/// What smoltcp would not see, or not judge as RFC 5961 wants.
fn check(conn: &Conn, tcp: &TcpView) -> Check {
    let state = conn.tcb.state();
    if state == tcp::State::SynSent {
        // RFC 9293 3.10.7.3: only a reset that acknowledges our SYN counts.
        return match tcp.flags & (RST | ACK) {
            RST => Check::Drop,
            flags if flags & RST == 0 => Check::Pass,
            _ if tcp.ack == conn.iss.plus(1) => Check::Reset,
            _ => Check::Drop,
        };
    }
    let expected = conn.rcv_nxt();
    let free = conn
        .tcb
        .get(|socket| socket.recv_capacity() - socket.recv_queue());
    let window = u32::try_from(free).unwrap_or(u32::MAX);
    if tcp.has(RST) {
        // RFC 5961 3.2.
        return match () {
            () if tcp.seq == expected => Check::Reset,
            () if tcp.seq.within(expected, window) => Check::Challenge,
            () => Check::Drop,
        };
    }
    if tcp.has(SYN) {
        // The SYN of an embryo again: its SYN-ACK is repeated by the timer.
        let repeated = conn.stage == Stage::Embryo && tcp.seq == conn.irs;
        // The SYN-ACK of a simultaneous open, or one whose ACK got lost, is smoltcp's.
        let answer = tcp.has(ACK) && tcp.seq == conn.irs;
        return match () {
            () if repeated => Check::Drop,
            () if answer => Check::Pass,
            // RFC 5961 4.2.
            () => Check::Challenge,
        };
    }
    // smoltcp takes the window of our SYN for a scaled one: what the ring has no room for must not reach it.
    if tcp.payload_len > 1 && tcp.end().after(expected.plus(window.saturating_add(1))) {
        return Check::Challenge;
    }
    // RFC 1122 4.2.2.13; Linux too: nobody will read this.
    let reaches = tcp.seq.within(expected, window.max(1)) || expected.after(tcp.seq);
    if conn.orphan && tcp.payload_len > 0 && reaches && tcp.end().after(expected) {
        return Check::Unwanted;
    }
    Check::Pass
}

/// Whether our FIN is out and smoltcp waits for its acknowledgement.
pub(super) fn fin_outstanding(state: tcp::State) -> bool {
    matches!(
        state,
        tcp::State::FinWait1 | tcp::State::Closing | tcp::State::LastAck
    )
}

/// The shift smoltcp advertises for a receive ring: its size above 64 KiB (RFC 7323 2.3).
fn window_shift(capacity: usize) -> u8 {
    let bits = usize::BITS - capacity.leading_zeros();
    u8::try_from(bits.saturating_sub(16)).unwrap_or(0)
}
