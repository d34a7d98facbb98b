//! RACK: a segment is lost when one that left later has arrived, and time enough has passed for
//! reordering (RFC 8985 6). The time adapts to the reordering that is seen.

use crate::scoreboard::Record;
use crate::time::{Span, Time};

/// RFC 8985 6.2 step 4: a wider window is kept for that many recoveries.
const PERSIST: u32 = 16;
/// RFC 6675's DupThresh, by RFC 8985 6.2 step 4 the end of patience where no reordering was seen.
pub(crate) const DUP_THRESH: u64 = 3;

#[derive(Debug)]
pub(crate) struct Rack {
    /// When the segment left that left last of all that have arrived, and where it ended.
    sent: Time,
    end: u64,
    /// Its round-trip time.
    rtt: Span,
    some: bool,
    /// Reordering was seen on this connection.
    reordering: bool,
    /// Quarters of the least round-trip time to wait.
    multiplier: u64,
    persist: u32,
    /// A duplicate report before that position was acknowledged belongs to the same round.
    widened_until: Option<u64>,
}

impl Default for Rack {
    fn default() -> Rack {
        Rack {
            sent: Time::default(),
            end: 0,
            rtt: Span::ZERO,
            some: false,
            reordering: false,
            multiplier: 1,
            persist: 0,
            widened_until: None,
        }
    }
}

impl Rack {
    /// A segment has arrived (step 2). False when it left again and came sooner than a round trip takes:
    /// what arrived is the original, and the retransmission was not needed.
    pub(crate) fn arrived(&mut self, record: &Record, least_rtt: Span, now: Time) -> bool {
        let rtt = now.since(record.sent);
        if record.again && rtt < least_rtt {
            return false;
        }
        if !self.some || (record.sent, record.end) > (self.sent, self.end) {
            (self.sent, self.end, self.rtt) = (record.sent, record.end, rtt);
            self.some = true;
        }
        true
    }

    /// A segment that was sent once has arrived behind one with a higher number (step 3).
    pub(crate) fn reordered(&mut self) {
        self.reordering = true;
    }

    pub(crate) fn reordering(&self) -> bool {
        self.reordering
    }

    /// A retransmission was not needed (step 4): wait longer, once a round trip. `una` and `nxt` tell
    /// rounds apart.
    pub(crate) fn widen(&mut self, una: u64, nxt: u64) {
        self.reordering = true;
        if self.widened_until.is_none_or(|until| una >= until) {
            self.widened_until = Some(nxt);
            self.multiplier = (self.multiplier + 1).min(1024);
        }
        self.persist = PERSIST;
    }

    /// A recovery has ended (step 4).
    pub(crate) fn recovered(&mut self) {
        self.persist = self.persist.saturating_sub(1);
        if self.persist == 0 {
            self.multiplier = 1;
        }
    }

    /// How long to wait for a segment that was overtaken (step 4). `urgent`: recovery is under way or three
    /// segments have overtaken.
    pub(crate) fn window(&self, least_rtt: Span, smoothed: Span, urgent: bool) -> Span {
        if !self.reordering && urgent {
            return Span::ZERO;
        }
        (least_rtt / 4 * self.multiplier).min(smoothed)
    }

    /// Whether a segment was overtaken (step 5), and how long it is still waited for: zero is lost.
    pub(crate) fn patience(&self, record: &Record, window: Span, now: Time) -> Option<Span> {
        if !self.some || (record.sent, record.end) >= (self.sent, self.end) {
            return None;
        }
        let due = record.sent + self.rtt + window;
        Some(due.since(now))
    }

    /// When the segment left that has arrived and left last.
    pub(crate) fn newest(&self) -> Time {
        self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::Stamp;
    use crate::scoreboard::Place;

    const fn ms(n: u64) -> Span {
        Span::from_millis(n)
    }

    fn record(start: u64, sent: u64, again: bool) -> Record {
        Record {
            start,
            end: start + 1000,
            place: Place::Flying,
            again,
            sent: Time::default() + ms(sent),
            stamp: Stamp::default(),
            base: start,
            mss: 1000,
        }
    }

    #[test]
    fn overtaken_segment_is_lost_after_the_round_trip_and_the_window() {
        let mut rack = Rack::default();
        let now = Time::default() + ms(20);
        assert!(rack.arrived(&record(2000, 10, false), ms(10), now));
        let window = rack.window(ms(10), ms(12), false);
        assert_eq!(window.micros(), 2500, "a quarter of the least round trip");
        let first = record(0, 9, false);
        assert_eq!(
            rack.patience(&first, window, now).map(Span::micros),
            Some(1500),
            "9 + 10 + 2.5 ms is 1.5 ms away"
        );
        assert_eq!(rack.patience(&first, window, now + ms(2)), Some(Span::ZERO));
        let later = record(3000, 10, false);
        assert_eq!(
            rack.patience(&later, window, now),
            None,
            "nothing overtook it"
        );
    }

    #[test]
    fn window_is_zero_only_while_no_reordering_was_seen() {
        let mut rack = Rack::default();
        assert_eq!(rack.window(ms(8), ms(9), true), Span::ZERO);
        rack.reordered();
        assert_eq!(rack.window(ms(8), ms(9), true), ms(2));
    }

    #[test]
    fn window_widens_once_a_round_up_to_the_round_trip_and_narrows_after_16_recoveries() {
        let mut rack = Rack::default();
        rack.widen(0, 5000);
        rack.widen(1000, 6000);
        assert_eq!(
            rack.window(ms(8), ms(20), true),
            ms(4),
            "one round counts once"
        );
        for round in 1..20 {
            rack.widen(round * 10_000, round * 10_000 + 1);
        }
        assert_eq!(rack.window(ms(8), ms(20), true), ms(20), "capped at SRTT");
        for _ in 0..15 {
            rack.recovered();
        }
        assert_eq!(rack.window(ms(8), ms(20), true), ms(20));
        rack.recovered();
        assert_eq!(rack.window(ms(8), ms(20), true), ms(2));
    }

    #[test]
    fn retransmission_that_arrives_sooner_than_a_round_trip_is_the_original() {
        let mut rack = Rack::default();
        let now = Time::default() + ms(105);
        assert!(!rack.arrived(&record(0, 100, true), ms(10), now));
        assert_eq!(
            rack.newest(),
            Time::default(),
            "it says nothing of what is lost"
        );
    }
}
