//! From a loss to its repair, and back when there was none.

use super::{Phase, Sender, Undo};
use crate::cc::NO_THRESHOLD;
use crate::prr::Prr;
use crate::rack::DUP_THRESH;
use crate::time::{Span, Time};

impl<S: AsRef<[u8]> + AsMut<[u8]>> Sender<S> {
    /// RACK's judgement of everything under way (RFC 8985 6.2 step 5); begins a recovery when something is lost. Gives
    /// how many octets were found lost.
    pub(super) fn detect_losses(&mut self, now: Time) -> u64 {
        self.timers.reorder = None;
        if !self.sack || (self.board.sacked() == 0 && self.phase == Phase::Open) {
            return 0;
        }
        let urgent =
            self.phase != Phase::Open || self.board.sacked() >= DUP_THRESH * self.window.mss;
        let smoothed = self.rtt.smoothed().unwrap_or_default();
        let window = self.rack.window(self.rtt.least(), smoothed, urgent);
        let (rack, highest) = (&self.rack, self.board.highest());
        let mut wait = Span::ZERO;
        let mut first = None;
        let lost = self.board.lose(|record| {
            // Nothing behind was overtaken.
            if record.start >= highest && !record.again && record.sent > rack.newest() {
                return None;
            }
            match rack.patience(record, window, now) {
                Some(Span::ZERO) => {
                    first = first.or(Some((record.start, record.end)));
                    Some(true)
                }
                Some(left) => {
                    wait = wait.max(left);
                    Some(false)
                }
                None => Some(false),
            }
        });
        if wait > Span::ZERO {
            self.timers.reorder = Some(now + wait);
        }
        if lost > 0 {
            self.stats.lost += lost;
            let trial =
                first.is_some_and(|(start, end)| self.mtu.lost(start, end) && end - start == lost);
            if !trial {
                self.begin_recovery(now);
            }
        }
        lost
    }

    /// Something was lost, or congestion told.
    pub(super) fn begin_recovery(&mut self, now: Time) {
        if self.phase != Phase::Open {
            return;
        }
        self.stats.recoveries += 1;
        self.remember();
        self.phase = Phase::Recovery;
        self.recover = self.board.nxt();
        self.prr = Prr::begin(self.pipe() + self.board.lost());
        self.timers.tail = None;
        self.tail_probe = None;
        self.control.congested(&mut self.window, now);
    }

    /// What the window was, in case the reduction turns out to be wrong.
    pub(super) fn remember(&mut self) {
        self.undo = Some(Undo {
            cwnd: self.window.cwnd,
            ssthresh: self.window.ssthresh,
            unproven: 0,
            resent: None,
        });
    }

    /// Everything that was outstanding when the phase began is acknowledged.
    pub(super) fn end_phase(&mut self, now: Time) {
        if self.phase == Phase::Open || self.board.una() < self.recover {
            return;
        }
        let reduced = self.phase == Phase::Recovery && self.window.ssthresh < NO_THRESHOLD;
        if reduced && !self.control.drives() {
            // RFC 6937 3.1: at the end the window is the threshold. There is none when an algorithm that sets none
            // began the recovery.
            self.window.cwnd = self.window.ssthresh.max(2 * self.window.mss);
        }
        self.phase = Phase::Open;
        self.suspect = false;
        self.presumed = 0;
        self.duplicates = 0;
        self.rack.recovered();
        self.control.recovered(&mut self.window, now);
    }

    /// A duplicate of so many octets was reported (RFC 2883): when every retransmission was one, nothing was lost
    /// (RFC 3708, Linux's `tcp_try_undo_dsack`).
    pub(super) fn duplicate_reported(&mut self, octets: u64) {
        self.stats.duplicates += 1;
        self.rack.widen(self.board.una(), self.board.nxt());
        // A probe of the tail that was not needed (RFC 8985 7.4.2) proves nothing else.
        if self.tail_probe.take().is_some_and(|probe| probe.again) {
            return;
        }
        let Some(undo) = &mut self.undo else { return };
        undo.unproven = undo.unproven.saturating_sub(octets);
        if undo.resent.is_some() && undo.unproven == 0 {
            self.take_back();
        }
    }

    /// What was taken for lost, and not sent again, is under way after all, and the reduction was wrong.
    pub(super) fn nothing_was_lost(&mut self) {
        self.suspect = false;
        self.board.unlose();
        self.take_back();
    }

    /// Eifel detection (RFC 3522): what filled the gap was sent before anything was sent again, so it had not been lost.
    /// As in Linux (`tcp_try_undo_partial`) not while a retransmission may yet turn out to have been needed.
    pub(super) fn original_arrived(&mut self, echo: Option<Time>) {
        let resent = self.undo.and_then(|undo| undo.resent);
        let (Some(echo), Some(resent)) = (echo, resent) else {
            return;
        };
        // Timestamps count milliseconds.
        if self.phase == Phase::Open || echo.micros() / 1000 >= resent.micros() / 1000 {
            return;
        }
        let whole = self.board.una() >= self.recover;
        if self.phase == Phase::Recovery && !whole && self.board.any_resent() {
            return;
        }
        self.rack.reordered();
        self.nothing_was_lost();
    }

    /// Undoes the last reduction.
    fn take_back(&mut self) {
        let Some(undo) = self.undo.take() else { return };
        self.stats.undone += 1;
        self.window.cwnd = self.window.cwnd.max(undo.cwnd);
        self.window.ssthresh = self.window.ssthresh.max(undo.ssthresh);
        self.control.undone(&mut self.window);
        // As Linux's `tcp_try_to_open`: what is still lost leaves again all the same.
        self.phase = Phase::Open;
    }
}
