//! What a connection's latest step means: events for the owner, deadlines, the next turn.
//!
//! smoltcp says nothing of why or when; after each step its state is compared with what was known.

use smoltcp::socket::tcp;
use smoltcp::time::{Duration, Instant};

use super::Stack;
use super::segments::fin_outstanding;
use crate::neighbour::Lapse;
use crate::packet::build::{HOP_LIMIT, PLAIN_ACK, Segment};
use crate::packet::options::Options;
use crate::pcb::{Conn, Stage, endpoint, fin_received};
use crate::seq::Seq;
use crate::timers::Due;
use crate::{Cause, Event, PcbId, PcbOptions};

/// Linux's `tcp_syn_retries` 6: 1 + 2 + 4 + ... + 64 seconds.
const CONNECT_LIMIT: Duration = Duration::from_secs(127);
/// Linux's `tcp_synack_retries` 5: 1 + 2 + ... + 32 seconds.
const EMBRYO_LIMIT: Duration = Duration::from_secs(63);
/// Linux's `tcp_retries2` 15 is 924 s.
const DATA_LIMIT: Duration = Duration::from_secs(924);
/// Linux's `tcp_orphan_retries` 8 is about 100 s.
const ORPHAN_LIMIT: Duration = Duration::from_secs(100);
/// Linux's `tcp_fin_timeout`.
const FIN_WAIT_2_LIMIT: Duration = Duration::from_secs(60);
/// A connection whose neighbour is unknown looks again.
const BLOCKED_RETRY: Duration = Duration::from_secs(1);
/// The shortest time between keep-alive probes.
const KEEPALIVE_LEAST: Duration = Duration::from_secs(1);
/// smoltcp wanted a turn and did nothing with it: not again at once.
const IDLE_TURN: Duration = Duration::from_millis(10);

impl Stack {
    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
        while let Some(lapse) = self.neighbours.lapse(self.now) {
            match lapse {
                Lapse::Probe(ip, mac) => self.ask_for(ip, mac),
                Lapse::Failed(waiters, pending) => {
                    self.counters.neighbours_failed += 1;
                    waiters.into_iter().for_each(|id| self.neighbour_failed(id));
                    pending
                        .iter()
                        .for_each(|packet| self.report_unreachable(packet));
                }
            }
        }
        self.rest();
        while let Some((at, id)) = self.timers.first().filter(|(at, _)| *at <= self.now) {
            self.timers.pop();
            let due = self
                .pcbs
                .conn_mut(id)
                .map(|conn| self.timers.judge(id, &mut conn.alarm, at));
            if due == Some(Due::Run) {
                self.run_alarm(id);
            }
        }
    }

    /// The earliest deadline of a connection; entries that mean nothing any more go on the way.
    pub(super) fn next_alarm(&mut self) -> Option<Instant> {
        while let Some((at, id)) = self.timers.first() {
            let Some(conn) = self.pcbs.conn_mut(id) else {
                self.timers.pop();
                continue;
            };
            if conn.alarm.deadline.is_some_and(|deadline| deadline <= at) {
                return Some(at);
            }
            self.timers.pop();
            self.timers.judge(id, &mut conn.alarm, at);
        }
        None
    }

    /// Draws the consequences of a step; call after every one.
    pub(super) fn settle(&mut self, id: PcbId) {
        let Some(conn) = self.pcbs.conn(id) else {
            return;
        };
        match (conn.stage, conn.tcb.state()) {
            (Stage::Detached, _) => return,
            (Stage::Embryo, tcp::State::SynReceived) => return self.rearm(id),
            // RST in SYN-RECEIVED makes smoltcp listen again.
            (Stage::Embryo, tcp::State::Listen | tcp::State::Closed) => {
                return self.fail(id, Cause::Reset);
            }
            (Stage::Embryo, tcp::State::Established) if self.deferred_until(id).is_some() => {
                return self.rearm(id);
            }
            (Stage::Embryo, _) if !self.promote(id) => return,
            (Stage::Embryo, _) => {}
            (Stage::Connecting, tcp::State::SynSent | tcp::State::SynReceived) => {
                return self.rearm(id);
            }
            (Stage::Connecting, tcp::State::Closed) => return self.fail(id, Cause::Refused),
            (Stage::Connecting, _) => self.connected(id),
            (Stage::Open, _) => {}
        }
        self.tell(id);
        match self.pcbs.conn(id).map(|conn| conn.tcb.state()) {
            Some(tcp::State::TimeWait) => self.enter_time_wait(id),
            Some(tcp::State::Closed) => self.finish(id),
            Some(_) => self.rearm(id),
            None => {}
        }
    }

    /// Sets the connection's next deadline and gives it a turn if it wants one now.
    pub(super) fn rearm(&mut self, id: PcbId) {
        self.rearm_after(id, false);
    }

    /// `idle`: the turn that just ended sent nothing.
    pub(super) fn rearm_after(&mut self, id: PcbId, idle: bool) {
        let now = self.now;
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        let options = pcb.options;
        let Some(conn) = pcb.conn_mut().filter(|conn| conn.stage != Stage::Detached) else {
            return;
        };
        let owes = conn.owes();
        if owes && !conn.outstanding {
            conn.progress = now;
        }
        conn.outstanding = owes;
        if conn.orphan && conn.tcb.state() == tcp::State::FinWait2 {
            conn.fin_wait_2.get_or_insert(now);
        }
        conn.owe(now);
        let wish = if conn.blocked {
            Some(now + BLOCKED_RETRY)
        } else if conn.opening.done && !fin_outstanding(conn.tcb.state()) {
            // What smoltcp wants now is an acknowledgement, and it knows no other timer.
            None
        } else {
            conn.tcb.poll_at(&mut self.iface, now)
        };
        let mut turn = wish.is_some_and(|at| at <= now);
        let mut timer = None;
        if !conn.blocked {
            timer = conn.sending_deadline();
            turn |= timer.is_some_and(|at| at <= now);
        }
        // What is due is for the turn.
        let later = |at: Instant| {
            if at > now {
                Some(at)
            } else {
                idle.then_some(now + IDLE_TURN)
            }
        };
        let wish = wish.and_then(later);
        let timer = timer.and_then(later);
        turn |= !conn.blocked && conn.sender.has_work();
        let deadline = [
            wish,
            timer,
            conn.deferred_until(&options, now),
            conn.gives_up_at(&options),
            conn.keepalive_at(&options),
        ];
        let deadline = deadline.into_iter().flatten().min();
        self.timers.set(id, &mut conn.alarm, deadline);
        if turn && !idle {
            self.mark_dirty(id);
        }
    }

    pub(super) fn mark_dirty(&mut self, id: PcbId) {
        if let Some(conn) = self.pcbs.conn_mut(id)
            && !conn.dirty
            && conn.stage != Stage::Detached
        {
            conn.dirty = true;
            self.dirty.push_back(id);
        }
    }

    fn run_alarm(&mut self, id: PcbId) {
        let now = self.now;
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        let options = pcb.options;
        let Some(conn) = pcb.conn_mut() else { return };
        conn.blocked = false;
        if conn.stage == Stage::Embryo && conn.tcb.state() == tcp::State::Established {
            // It has waited for its first data long enough.
            return self.settle(id);
        }
        if conn.gives_up_at(&options).is_some_and(|at| at <= now) {
            let cause = conn.soft.unwrap_or(Cause::TimedOut);
            return self.fail(id, cause);
        }
        if conn.keepalive_at(&options).is_some_and(|at| at <= now) {
            let count = options.keepalive.map_or(0, |keepalive| keepalive.count);
            if conn.probes >= count {
                let cause = conn.soft.unwrap_or(Cause::TimedOut);
                self.reset_peer(id);
                return self.fail(id, cause);
            }
            conn.probes += 1;
            self.probe(id);
        }
        self.mark_dirty(id);
        self.rearm(id);
    }

    /// A keep-alive probe: an old sequence number, which obliges the peer to answer (RFC 1122
    /// 4.2.3.6).
    fn probe(&mut self, id: PcbId) {
        let Some(conn) = self.pcbs.conn(id) else {
            return;
        };
        let segment = Segment {
            flow: conn.key,
            seq: Seq(conn.snd_una.0.wrapping_sub(1)),
            ack: conn.rcv_nxt(),
            flags: PLAIN_ACK,
            window: conn.window(),
            hop_limit: HOP_LIMIT,
            options: Options::new(conn.stamps.stamp(self.now)),
        };
        self.post(&segment);
    }

    fn neighbour_failed(&mut self, id: PcbId) {
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        conn.blocked = false;
        match conn.stage {
            // Linux: an error of the route ends SYN-SENT at once.
            Stage::Connecting => self.fail(id, Cause::HostUnreachable),
            Stage::Embryo | Stage::Open | Stage::Detached => {
                conn.soft = Some(Cause::HostUnreachable);
                self.mark_dirty(id);
            }
        }
    }

    fn deferred_until(&self, id: PcbId) -> Option<Instant> {
        let pcb = self.pcbs.get(id)?;
        pcb.conn()?.deferred_until(&pcb.options, self.now)
    }

    /// An embryo is a connection now. False when its listener is gone.
    fn promote(&mut self, id: PcbId) -> bool {
        let Some((listener, key)) = self
            .pcbs
            .conn(id)
            .and_then(|conn| Some((conn.listener?, conn.key)))
        else {
            return false;
        };
        let Some(family) = self.pcbs.get(listener).map(|pcb| pcb.family) else {
            self.abort(id);
            return false;
        };
        if let Some(listener) = self.pcbs.listener_mut(listener) {
            listener.embryos = listener.embryos.saturating_sub(1);
            listener.unaccepted += 1;
        }
        if let Some(conn) = self.pcbs.conn_mut(id) {
            conn.stage = Stage::Open;
        }
        self.counters.accepted += 1;
        self.events.push_back(Event::Incoming {
            listener,
            pcb: id,
            local: endpoint(key.local(), family),
            peer: endpoint(key.remote(), family),
        });
        true
    }

    fn connected(&mut self, id: PcbId) {
        if let Some(conn) = self.pcbs.conn_mut(id) {
            conn.stage = Stage::Open;
            conn.soft = None;
            self.counters.connected += 1;
            self.events.push_back(Event::Connected { pcb: id });
        }
    }

    /// Events of an open connection.
    fn tell(&mut self, id: PcbId) {
        self.reclaim_ring(id);
        let Some(conn) = self.pcbs.conn_mut(id).filter(|conn| !conn.orphan) else {
            return;
        };
        let queue = conn.recv_queue();
        if queue > conn.seen && !conn.told_readable {
            conn.told_readable = true;
            self.events.push_back(Event::Readable { pcb: id });
        }
        conn.seen = queue;
        if !conn.fin_seen && fin_received(conn.tcb.state()) {
            conn.fin_seen = true;
            self.events.push_back(Event::PeerClosed { pcb: id });
        }
        if conn.short && conn.sender.space() >= conn.sender.capacity() / 4 {
            conn.short = false;
            if !conn.told_writable {
                conn.told_writable = true;
                self.events.push_back(Event::Writable { pcb: id });
            }
        }
    }
}

impl Conn {
    /// When the connection is given up if nothing comes.
    fn gives_up_at(&self, options: &PcbOptions) -> Option<Instant> {
        let user = options
            .user_timeout
            .filter(|limit| *limit != Duration::ZERO);
        match self.stage {
            Stage::Embryo => {
                Some(self.opened + EMBRYO_LIMIT.max(options.defer_accept.unwrap_or(EMBRYO_LIMIT)))
            }
            Stage::Connecting => {
                Some(self.opened + user.map_or(CONNECT_LIMIT, |user| user.min(CONNECT_LIMIT)))
            }
            Stage::Open if self.outstanding => {
                let limit = if self.orphan {
                    ORPHAN_LIMIT
                } else {
                    DATA_LIMIT
                };
                Some(self.progress + user.unwrap_or(limit))
            }
            Stage::Open => self.fin_wait_2.map(|since| since + FIN_WAIT_2_LIMIT),
            Stage::Detached => None,
        }
    }

    /// Until when a finished handshake is kept from the listener's owner: the first data, a FIN, or the time
    /// `TCP_DEFER_ACCEPT` gives end it.
    fn deferred_until(&self, options: &PcbOptions, now: Instant) -> Option<Instant> {
        let until = self.opened + options.defer_accept?;
        let waits = self.stage == Stage::Embryo
            && self.tcb.state() == tcp::State::Established
            && self.recv_queue() == 0;
        (waits && now < until).then_some(until)
    }

    /// When the next keep-alive probe is due, or the last one has gone unanswered.
    fn keepalive_at(&self, options: &PcbOptions) -> Option<Instant> {
        let keepalive = options.keepalive?;
        // Linux probes only while nothing is outstanding: retransmission does the same job.
        if self.stage != Stage::Open || self.outstanding {
            return None;
        }
        // tcp(7): whole seconds, at least one: probes must let time pass.
        let interval = keepalive.interval.max(KEEPALIVE_LEAST).total_micros();
        let waits = u64::from(self.probes).saturating_mul(interval);
        Some(self.heard + keepalive.idle.max(KEEPALIVE_LEAST) + Duration::from_micros(waits))
    }
}
