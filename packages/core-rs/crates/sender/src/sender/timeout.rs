//! Deadlines: the timeout, the probe of the tail, the end of the patience with reordering, and the probe of a
//! window that is shut.

use super::{Forced, Phase, Sender};
use crate::rtt::MIN_RTO;
use crate::scoreboard::Place;
use crate::time::{Span, Time};

/// RFC 8985 7.2: the peer may hold back the acknowledgement of a single segment so long.
const MAX_ACK_DELAY: Span = MIN_RTO;
/// Before there is a round-trip time (RFC 8985 7.2).
const FIRST_PROBE: Span = Span::from_secs(1);
/// Linux's `TCP_TIMEOUT_MIN`: the probe does not overtake an acknowledgement that the peer's timer holds back.
const SLACK: Span = Span::from_millis(2);

impl<S: AsRef<[u8]> + AsMut<[u8]>> Sender<S> {
    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        let due = |timer: Option<Time>| timer.is_some_and(|at| at <= now);
        if due(self.timers.pace) {
            self.timers.pace = None;
        }
        if due(self.timers.reorder) {
            self.timers.reorder = None;
            self.detect_losses(now);
        }
        if due(self.timers.persist) {
            self.persist(now);
        }
        if due(self.timers.rto) {
            self.timed_out(now);
        } else if due(self.timers.tail) {
            self.timers.tail = None;
            self.forced = Some(Forced::Tail);
            // RFC 8985 7.3: the timeout is counted from the probe.
            self.timers.rto = Some(now + self.rtt.rto());
        }
    }

    /// Nothing moves and the window is shut, or too small (RFC 9293 3.8.6.1, 3.8.6.2.1).
    fn persist(&mut self, now: Time) {
        self.timers.persist = None;
        let nxt = self.board.nxt();
        if nxt == self.end() || self.board.una() != nxt {
            return;
        }
        let open = self.peer.right > nxt;
        self.forced = Some(if open {
            Forced::Small
        } else {
            Forced::WindowProbe
        });
        self.rtt.back_off();
        if !open {
            self.timers.persist = Some(now + self.rtt.rto());
        }
    }

    /// RFC 6298 5.4 to 5.6, RFC 5681 3.1.
    fn timed_out(&mut self, now: Time) {
        self.timers.rto = None;
        if self.board.una() == self.board.nxt() {
            return;
        }
        self.stats.timeouts += 1;
        self.rtt.back_off();
        let again = self.phase == Phase::Loss && self.board.una() < self.recover;
        if !again {
            // RFC 5682: it may turn out to have been premature, once.
            self.suspect = self.sack;
        }
        if self.phase == Phase::Open {
            self.remember();
            self.control.congested(&mut self.window, now);
        }
        if self
            .board
            .first()
            .is_some_and(|first| first.place == Place::Sacked)
        {
            self.board.renege();
        }
        let lost = self.board.lose(|_| Some(true));
        self.stats.lost += lost;
        self.phase = Phase::Loss;
        self.recover = self.board.nxt();
        self.window.cwnd = self.window.mss;
        self.control.timed_out(&mut self.window);
        self.duplicates = 0;
        self.presumed = 0;
        self.tail_probe = None;
        self.forced = None;
        self.timers.tail = None;
        self.timers.reorder = None;
        self.pacer.reset();
        let mss = self.window.mss;
        let large = self.board.first().is_some_and(|first| first.len() > 512);
        if large && let Some(mss) = self.mtu.timed_out(self.rtt.backoff(), mss, now) {
            self.window.mss = mss;
            self.window.cwnd = mss;
        }
        self.timers.rto = Some(now + self.rtt.rto());
    }

    /// The path takes no larger segments than these: what was sent in larger ones is lost, for no congestion
    /// (RFC 1191 6.4, Linux's `tcp_simple_retransmit`).
    pub fn limit_segments(&mut self, mss: u16) {
        let mss = u64::from(mss.max(1));
        if mss >= self.window.mss {
            return;
        }
        self.window.mss = mss;
        self.mtu.told();
        let lost = self
            .board
            .lose(|record| Some(u64::from(record.mss) > mss && record.len() > mss));
        self.stats.lost += lost;
    }

    /// Sets the probe of the tail (RFC 8985 7.2).
    pub(super) fn arm_tail(&mut self, now: Time) {
        let wanted = self.sack
            && self.phase == Phase::Open
            && self.board.sacked() == 0
            && self.board.flying() > 0
            && self.tail_probe.is_none();
        self.timers.tail = wanted.then(|| {
            let mut wait = self.rtt.smoothed().map_or(FIRST_PROBE, |rtt| rtt * 2);
            wait = if self.board.flying() <= self.window.mss {
                wait + MAX_ACK_DELAY
            } else {
                wait + SLACK
            };
            let rto = self.timers.rto.unwrap_or(now + self.rtt.rto());
            (now + wait).min(rto)
        });
    }

    /// Sets the timeout anew after an acknowledgement with news (RFC 6298 5.2, 5.3).
    pub(super) fn rearm(&mut self, now: Time) {
        let outstanding = self.board.una() != self.board.nxt();
        self.timers.rto = outstanding.then(|| now + self.rtt.rto());
        self.arm_tail(now);
    }
}
