//! An acknowledgement: what it says of the peer's window and of what has arrived, and what follows.

use super::{Ack, Phase, Sender, Verdict};
use crate::cc::Sample;
use crate::rack::{DUP_THRESH, Rack};
use crate::rate::Estimator;
use crate::scoreboard::{Place, Record};
use crate::time::{Span, Time};

/// What arrived with one acknowledgement.
#[derive(Debug, Default)]
struct News {
    octets: u64,
    /// When the first and the last of it left.
    oldest: Option<Time>,
    newest: Option<Time>,
    /// Some was sent again: which sending arrived is not known (Karn).
    ambiguous: bool,
    /// Something believed lost, and not sent again, has arrived.
    unlost: bool,
    /// A retransmission was not needed.
    needless: bool,
    /// Behind the highest octet known to have arrived before.
    highest: u64,
}

impl News {
    fn arrived(
        &mut self,
        record: &Record,
        rack: &mut Rack,
        rate: &mut Estimator,
        least_rtt: Span,
        now: Time,
    ) {
        self.octets += record.len();
        rate.deliver(record.len(), record.stamp, record.sent, now);
        self.ambiguous |= record.again || record.place == Place::Lost;
        let was_lost = record.place == Place::Lost && !record.again;
        self.unlost |= was_lost;
        // RFC 8985 6.2 step 3.
        if !record.again && (record.end <= self.highest || was_lost) {
            rack.reordered();
        }
        self.needless |= !rack.arrived(record, least_rtt, now);
        self.oldest = Some(self.oldest.map_or(record.sent, |at| at.min(record.sent)));
        self.newest = Some(self.newest.map_or(record.sent, |at| at.max(record.sent)));
    }
}

impl<S: AsRef<[u8]> + AsMut<[u8]>> Sender<S> {
    /// Takes in an acknowledgement.
    pub fn handle_ack(&mut self, ack: &Ack<'_>, now: Time) -> Verdict {
        let (una, nxt) = (self.board.una(), self.board.nxt());
        let Some(to) = self.position(ack.ack) else {
            return Verdict::Old;
        };
        // RFC 5961 5.2.
        if to > nxt || una.saturating_sub(to) > self.peer.most.max(1 << 16) {
            return Verdict::Unacceptable;
        }
        self.stats.acks += 1;
        if to < una {
            return Verdict::Old;
        }
        let window_moved = self.update_window(ack, to);
        if to == una && ack.sack.is_empty() && nxt == una {
            return Verdict::Known;
        }
        let prior = (self.pipe(), self.window_limited());
        let news = self.take_in(ack, to, now);
        if to > una {
            self.rtt.reset_backoff();
            self.buffer.release(to);
            self.timers.persist = None;
            if let Some(mss) = self.mtu.acknowledged(to) {
                self.window.mss = mss;
                self.window.cwnd = self.window.cwnd.max(mss);
            }
        }
        // Karn's rule, timestamps or not: when acknowledgements were lost, an echo is of the segment that was acknowledged
        // first, and as old as all the timeouts since.
        if !news.ambiguous
            && let (Some(oldest), Some(newest)) = (news.oldest, news.newest)
        {
            self.rtt.sample(now.since(oldest), now.since(newest), now);
        }
        if news.needless {
            self.rack.widen(to, nxt);
        }
        if !self.sack {
            let duplicate = to == una && !ack.occupies && !window_moved && nxt > una;
            self.without_sack(to > una, duplicate, news.octets, now);
        }
        if self.suspect && news.unlost {
            // A segment that was never sent again has arrived after a timeout (RFC 5682 3.1, for SACK).
            self.nothing_was_lost();
        }
        if to > una {
            self.original_arrived(ack.echo);
        }
        self.probe_answered(to, now);
        self.end_phase(now);
        let lost = self.detect_losses(now);
        if ack.congested {
            self.marked(now);
        }
        self.control_window(&news, prior, lost, to > una, now);
        if to > una || news.octets > 0 {
            self.rearm(now);
        }
        if to > una {
            Verdict::News
        } else {
            Verdict::Known
        }
    }

    /// RFC 9293 3.10.7.4, with Linux's reading of equal numbers (`tcp_may_update_window`). True when it changed.
    fn update_window(&mut self, ack: &Ack<'_>, to: u64) -> bool {
        let right = to + (u64::from(ack.window) << self.peer.shift);
        let newer = ack.seq.wrapping_sub(self.peer.seq).cast_signed();
        let una = self.board.una();
        let better = right > self.peer.right || ack.window == 0;
        if !(to > una || newer > 0 || (newer == 0 && better)) {
            return false;
        }
        self.peer.seq = ack.seq;
        let moved = right != self.peer.right;
        let opened = right > self.peer.right;
        self.peer.right = right;
        self.peer.most = self.peer.most.max(right - to);
        if opened && right > self.board.nxt() && self.timers.persist.take().is_some() {
            self.rtt.reset_backoff();
        }
        moved
    }

    /// What has arrived.
    fn take_in(&mut self, ack: &Ack<'_>, to: u64, now: Time) -> News {
        let mut news = News {
            highest: self.board.highest(),
            ..News::default()
        };
        let least = self.rtt.least();
        let (rack, rate) = (&mut self.rack, &mut self.rate);
        self.board.acknowledge(to, &mut |record| {
            news.arrived(record, rack, rate, least, now);
        });
        if !self.sack {
            return news;
        }
        let nxt = self.board.nxt();
        for (index, block) in ack.sack.iter().enumerate() {
            let (Some(start), Some(end)) = (self.position(block.0), self.position(block.1)) else {
                continue;
            };
            if start >= end || end > nxt {
                continue;
            }
            if index == 0 && self.is_duplicate(start, end, to, ack.sack.get(1)) {
                self.duplicate_reported(end - start);
                continue;
            }
            if start < to {
                continue;
            }
            let (rack, rate) = (&mut self.rack, &mut self.rate);
            self.board.sack(start, end, &mut |record| {
                news.arrived(record, rack, rate, least, now);
            });
        }
        news
    }

    /// RFC 2883 4: the first block reports a duplicate when it is acknowledged, or inside the second.
    fn is_duplicate(&self, start: u64, end: u64, to: u64, second: Option<&(u32, u32)>) -> bool {
        if end <= to {
            return true;
        }
        let Some((outer_start, outer_end)) = second else {
            return false;
        };
        match (self.position(*outer_start), self.position(*outer_end)) {
            (Some(outer_start), Some(outer_end)) => outer_start <= start && end <= outer_end,
            _ => false,
        }
    }

    /// Fast retransmit and recovery of a peer without SACK (RFC 5681 3.2, RFC 6582 3.2): each duplicate stands for a
    /// segment that has arrived.
    fn without_sack(&mut self, advanced: bool, duplicate: bool, octets: u64, now: Time) {
        let mss = self.window.mss;
        if advanced {
            self.duplicates = 0;
            self.presumed = self.presumed.saturating_sub(octets);
            // A partial acknowledgement: the next one is lost, too.
            if self.phase == Phase::Recovery && self.board.una() < self.recover {
                self.stats.lost += self.board.lose_first(mss);
            }
        } else if duplicate {
            self.duplicates += 1;
            if self.phase != Phase::Loss {
                self.presumed = (self.presumed + mss).min(self.board.flying());
            }
            // RFC 6582 3.2 step 1: not for what a former recovery has sent again.
            let fresh = self.board.una() >= self.recover;
            if u64::from(self.duplicates) == DUP_THRESH && self.phase == Phase::Open && fresh {
                self.begin_recovery(now);
                self.stats.lost += self.board.lose_first(mss);
            }
        }
        self.presumed = self.presumed.min(self.board.flying());
    }

    /// RFC 8985 7.4: a probe that repeated the tail and was acknowledged without a duplicate being reported has
    /// repaired a loss, which was congestion.
    fn probe_answered(&mut self, to: u64, now: Time) {
        let Some(probe) = self.tail_probe.filter(|probe| to >= probe.end) else {
            return;
        };
        self.tail_probe = None;
        if probe.again && self.phase == Phase::Open {
            self.begin_recovery(now);
            self.recover = to;
        }
    }

    /// RFC 3168 6.1.2: as a loss, once a window.
    fn marked(&mut self, now: Time) {
        if self.phase == Phase::Open && self.board.una() >= self.recover {
            self.stats.marks += 1;
            self.reduced = true;
            self.begin_recovery(now);
        }
    }

    /// Whether the congestion window is what holds the connection back. In slow start it counts that half is used
    /// (RFC 7661 4.1, Linux's `tcp_is_cwnd_limited`).
    fn window_limited(&self) -> bool {
        let outstanding = self.board.nxt() - self.board.una();
        self.window_limited || (self.window.slow_start() && outstanding * 2 >= self.window.cwnd)
    }

    fn control_window(
        &mut self,
        news: &News,
        (prior_flying, window_limited): (u64, bool),
        newly_lost: u64,
        advanced: bool,
        now: Time,
    ) {
        let rate = self.rate.measure(self.rtt.least());
        if let Some(rate) = rate.filter(|rate| !rate.app_limited) {
            self.last_rate = rate.per_second();
        }
        if self.phase == Phase::Recovery && !self.control.drives() {
            let pipe = self.pipe();
            let safe = advanced && newly_lost == 0;
            let window = &mut self.window;
            let allowed = self
                .prr
                .allowance(news.octets, pipe, window.ssthresh, window.mss, safe);
            window.cwnd = (pipe + allowed).max(window.mss);
            return;
        }
        if news.octets == 0 && newly_lost == 0 {
            return;
        }
        let sample = Sample {
            now,
            delivered: news.octets,
            delivered_total: self.rate.delivered(),
            rtt: (!news.ambiguous && news.octets > 0).then(|| self.rtt.latest()),
            smoothed: self.rtt.smoothed().unwrap_or_default(),
            prior_flying,
            flying: self.pipe(),
            newly_lost,
            una: self.board.una(),
            nxt: self.board.nxt(),
            rate,
            window_limited,
            recovering: self.phase == Phase::Recovery,
        };
        self.control.acknowledged(&mut self.window, &sample);
        self.fit_buffer();
    }
}
