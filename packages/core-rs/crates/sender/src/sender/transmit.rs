//! What leaves: what was lost first, then what is new, as far as the windows and the pacer let it.

use super::{Forced, Phase, Segment, Sender, TailProbe};
use crate::cc::Window;
use crate::number::length;
use crate::pacer;
use crate::scoreboard::{Place, Record};
use crate::time::Time;

impl<S: AsRef<[u8]> + AsMut<[u8]>> Sender<S> {
    /// The next segment to send, a super-frame of at most `largest` octets. Call until `None`.
    pub fn poll_transmit(&mut self, now: Time, largest: usize) -> Option<Segment> {
        self.timers.pace = None;
        if !self.established {
            return None;
        }
        match self.forced.take() {
            Some(Forced::WindowProbe) => return Some(self.window_probe()),
            Some(Forced::Tail) => return self.send_tail(now),
            Some(Forced::Small) => return self.send_small(now),
            None => {}
        }
        self.window_limited = false;
        let mss = self.window.mss;
        let rate = self.control.pacing_rate();
        let most = (largest as u64).min(pacer::burst(rate, mss));
        let most = (most / mss).max(1) * mss;
        if let Some(at) = rate.and_then(|_| self.pacer.blocked(now)) {
            if self.board.lost() > 0 || self.board.nxt() < self.end() {
                self.timers.pace = Some(at);
            }
            return None;
        }
        self.restart(now);
        let room = self.window.cwnd.saturating_sub(self.pipe());
        if self.board.lost() > 0 {
            return self.send_lost(now, room, most);
        }
        self.send_new(now, room, most)
    }

    /// After silence the window is what was used, and no more than the initial one for long (RFC 7661 4.4; Linux's
    /// `tcp_cwnd_restart`: halved for each timeout that has passed).
    fn restart(&mut self, now: Time) {
        let Some(last) = self.last_sent else { return };
        let silence = now.since(last);
        if self.board.una() != self.board.nxt()
            || self.board.nxt() == self.end()
            || silence <= self.rtt.base_rto()
        {
            return;
        }
        self.last_sent = Some(now);
        self.control.restarted(&mut self.window, now, silence);
        if self.control.drives() {
            return;
        }
        let window = &mut self.window;
        window.ssthresh = window.ssthresh.max(window.cwnd / 4 * 3);
        let least = Window::initial(window.mss).min(window.cwnd);
        let timeouts = silence.micros() / self.rtt.base_rto().micros().max(1);
        let halved = window
            .cwnd
            .checked_shr(u32::try_from(timeouts).unwrap_or(63));
        window.cwnd = halved.unwrap_or(0).max(least);
    }

    fn send_lost(&mut self, now: Time, room: u64, most: u64) -> Option<Segment> {
        let mss = self.window.mss;
        let record = self.board.next_lost()?;
        let least = record.len().min(mss);
        let mut limit = room.min(most);
        if limit < least {
            if self.pipe() > 0 {
                self.window_limited = true;
                return None;
            }
            limit = least;
        }
        if limit < record.len() {
            limit = limit / mss * mss;
        }
        let (stamp, wire_mss) = (self.stamp(now), self.record_mss());
        let record = self.board.resend(limit.max(least), |record| {
            record.sent = now;
            record.stamp = stamp;
            record.mss = wire_mss;
        })?;
        Some(self.leave(&record, now))
    }

    fn send_new(&mut self, now: Time, room: u64, most: u64) -> Option<Segment> {
        let mss = self.window.mss;
        let nxt = self.board.nxt();
        let waiting = self.buffer.end().saturating_sub(nxt);
        if nxt == self.end() {
            if room > 0 {
                self.rate.starve(self.board.flying());
            }
            return None;
        }
        let allowed = self.peer.right.saturating_sub(nxt);
        let idle = self.board.una() == nxt;
        let mut len = waiting.min(room).min(allowed).min(most);
        if len < waiting {
            len = len / mss * mss;
            if len == 0 {
                len = self.squeeze(now, waiting, room, allowed, idle)?;
            }
        } else {
            let rest = len % mss;
            // Minshall's variant of Nagle's algorithm (RFC 9293 3.7.4): one small segment at a time.
            if rest > 0 && !self.fin && !self.nodelay && self.small > self.board.una() {
                len -= rest;
                if len == 0 {
                    return None;
                }
            }
            // A FIN alone wants a place in the window of congestion, no more.
            if len == 0 && room == 0 && self.pipe() > 0 {
                self.window_limited = true;
                return None;
            }
        }
        if let Some(trial) = self.mtu.trial(now) {
            return self.send_trial(now, trial, waiting, allowed, len);
        }
        Some(self.send_fresh(now, len))
    }

    /// Less than a segment fits: whether to send it all the same (RFC 9293 3.8.6.2.1).
    fn squeeze(
        &mut self,
        now: Time,
        waiting: u64,
        room: u64,
        allowed: u64,
        idle: bool,
    ) -> Option<u64> {
        let mss = self.window.mss;
        let full = waiting.min(mss);
        if allowed < full {
            if allowed > 0 && allowed >= self.peer.most / 2 && room >= allowed {
                return Some(allowed);
            }
            if idle && self.timers.persist.is_none() {
                self.timers.persist = Some(now + self.rtt.rto());
            }
            return None;
        }
        if self.pipe() == 0 {
            return Some(full);
        }
        debug_assert!(room < full);
        self.window_limited = true;
        None
    }

    /// A segment of the size that was given up, to see whether the path takes it (RFC 4821 7.5).
    fn send_trial(
        &mut self,
        now: Time,
        trial: u64,
        waiting: u64,
        allowed: u64,
        len: u64,
    ) -> Option<Segment> {
        if self.phase != Phase::Open || len < self.window.mss || waiting.min(allowed) < trial {
            return Some(self.send_fresh(now, len));
        }
        let small = std::mem::replace(&mut self.window.mss, trial);
        let segment = self.send_fresh(now, trial);
        self.window.mss = small;
        self.mtu.probing(segment.start, segment.start + trial, now);
        Some(segment)
    }

    /// A new segment leaves, with the FIN when it is the last.
    fn send_fresh(&mut self, now: Time, len: u64) -> Segment {
        let start = self.board.nxt();
        let fin = self.fin && start + len == self.buffer.end();
        let record = Record {
            start,
            end: start + len + u64::from(fin),
            place: Place::Flying,
            again: false,
            sent: now,
            stamp: self.stamp(now),
            base: start,
            mss: self.record_mss(),
        };
        if !len.is_multiple_of(self.window.mss) {
            self.small = start + len;
        }
        self.board.push(record);
        self.timers.persist = None;
        let mut segment = self.leave(&record, now);
        segment.reduced = std::mem::take(&mut self.reduced);
        self.arm_tail(now);
        segment
    }

    /// RFC 8985 7.3: one segment, new if there is one, beyond the congestion window.
    fn send_tail(&mut self, now: Time) -> Option<Segment> {
        let mss = self.window.mss;
        let nxt = self.board.nxt();
        let waiting = self.buffer.end().saturating_sub(nxt);
        let allowed = self.peer.right.saturating_sub(nxt);
        let len = waiting.min(allowed).min(mss);
        let segment = if len > 0 {
            self.send_fresh(now, len)
        } else {
            let (stamp, wire_mss) = (self.stamp(now), self.record_mss());
            let limit = mss + u64::from(self.fin && nxt == self.end());
            let record = self.board.resend_tail(limit, |record| {
                record.sent = now;
                record.stamp = stamp;
                record.mss = wire_mss;
            })?;
            self.leave(&record, now)
        };
        self.stats.tail_probes += 1;
        self.tail_probe = Some(TailProbe {
            end: self.board.nxt(),
            again: segment.again,
        });
        self.timers.tail = None;
        Some(segment)
    }

    /// What little the peer's window takes, after waiting for more.
    fn send_small(&mut self, now: Time) -> Option<Segment> {
        let nxt = self.board.nxt();
        let waiting = self.buffer.end().saturating_sub(nxt);
        let allowed = self.peer.right.saturating_sub(nxt);
        let len = waiting.min(allowed).min(self.window.mss);
        (len > 0).then(|| self.send_fresh(now, len))
    }

    /// An old sequence number without data: the peer must answer with its window. Linux's `tcp_xmit_probe_skb`.
    fn window_probe(&mut self) -> Segment {
        self.stats.window_probes += 1;
        Segment {
            seq: self.una().wrapping_sub(1),
            start: self.board.una(),
            len: 0,
            fin: false,
            push: false,
            mss: u16::try_from(self.window.mss).unwrap_or(u16::MAX),
            again: false,
            reduced: false,
        }
    }

    fn stamp(&mut self, now: Time) -> crate::rate::Stamp {
        self.rate.stamp(now, self.board.flying() == 0)
    }

    fn record_mss(&self) -> u32 {
        u32::try_from(self.window.mss).unwrap_or(u32::MAX)
    }

    /// Accounts for a record that leaves.
    fn leave(&mut self, record: &Record, now: Time) -> Segment {
        let octets = record.len();
        self.stats.sent += octets;
        if record.again {
            self.stats.resent += octets;
            self.stats.retransmissions += octets.div_ceil(u64::from(record.mss.max(1)));
            if let Some(undo) = &mut self.undo {
                undo.unproven += octets;
                undo.resent.get_or_insert(now);
            }
        }
        if self.phase == Phase::Recovery {
            self.prr.sent(octets);
        }
        if let Some(rate) = self.control.pacing_rate() {
            let slack = pacer::slack(self.rtt.smoothed());
            self.pacer.sent(octets, rate, slack, now);
        }
        self.last_sent = Some(now);
        if self.timers.rto.is_none() {
            self.timers.rto = Some(now + self.rtt.rto());
        }
        let tail = self.buffer.end();
        let fin = record.end > tail;
        Segment {
            seq: self.wire(record.start),
            start: record.start,
            len: length(record.end.min(tail) - record.start.min(tail)),
            fin,
            push: record.end >= tail,
            mss: u16::try_from(record.mss).unwrap_or(u16::MAX),
            again: record.again,
            reduced: false,
        }
    }
}
