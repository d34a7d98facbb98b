//! Delivery rate (draft-cheng-iccrg-delivery-rate-estimation): how fast the peer gets octets, measured
//! over the flight of each segment that is acknowledged.

use crate::time::{Span, Time};

/// What a segment remembers of the moment it left.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    /// Octets delivered until then, and when the last of them was.
    pub(crate) delivered: u64,
    pub(crate) delivered_at: Time,
    /// When the flight that it belongs to began to leave.
    pub(crate) first_sent: Time,
    /// The program had written no more.
    pub(crate) app_limited: bool,
}

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rate {
    /// Octets delivered over `interval`.
    pub(crate) octets: u64,
    pub(crate) interval: Span,
    pub(crate) app_limited: bool,
    /// `Stamp::delivered` of the segment it was measured by.
    pub(crate) prior_delivered: u64,
}

impl Rate {
    /// Octets a second.
    pub(crate) fn per_second(&self) -> u64 {
        let micros = u128::from(self.interval.micros().max(1));
        u64::try_from(u128::from(self.octets) * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

/// The estimator's state.
#[derive(Debug, Default)]
pub(crate) struct Estimator {
    delivered: u64,
    delivered_at: Time,
    first_sent: Time,
    /// Until that many octets are delivered, samples say less than the path could do.
    app_limited_until: u64,
    newest: Option<Newest>,
}

/// Of the segment that left last among those acknowledged now.
#[derive(Clone, Copy, Debug)]
struct Newest {
    stamp: Stamp,
    sent: Time,
}

impl Estimator {
    /// What a segment that leaves now remembers.
    pub(crate) fn stamp(&mut self, now: Time, nothing_flies: bool) -> Stamp {
        if nothing_flies {
            self.first_sent = now;
            self.delivered_at = now;
        }
        Stamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            first_sent: self.first_sent,
            app_limited: self.app_limited_until > self.delivered,
        }
    }

    /// The program has written no more than what flies.
    pub(crate) fn starve(&mut self, flying: u64) {
        self.app_limited_until = self.delivered + flying.max(1);
    }

    /// Octets of a segment have arrived.
    pub(crate) fn deliver(&mut self, octets: u64, stamp: Stamp, sent: Time, now: Time) {
        self.delivered += octets;
        self.delivered_at = now;
        if self
            .newest
            .is_none_or(|newest| stamp.delivered > newest.stamp.delivered)
        {
            self.newest = Some(Newest { stamp, sent });
        }
    }

    pub(crate) fn delivered(&self) -> u64 {
        self.delivered
    }

    /// The measurement at the end of an acknowledgement. `None` when nothing was delivered, or in less time
    /// than a round trip can take, which says that acknowledgements were held back.
    pub(crate) fn measure(&mut self, least_rtt: Span) -> Option<Rate> {
        let Newest { stamp, sent } = self.newest.take()?;
        self.first_sent = sent;
        let leaving = sent.since(stamp.first_sent);
        let arriving = self.delivered_at.since(stamp.delivered_at);
        let interval = leaving.max(arriving);
        (interval >= least_rtt && interval > Span::ZERO).then_some(Rate {
            octets: self.delivered - stamp.delivered,
            interval,
            app_limited: stamp.app_limited,
            prior_delivered: stamp.delivered,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Time {
        Time::from_micros(ms * 1000)
    }

    #[test]
    fn rate_is_the_slower_of_leaving_and_arriving() {
        let mut rate = Estimator::default();
        let first = rate.stamp(at(0), true);
        rate.deliver(1000, first, at(0), at(10));
        let sample = rate.measure(Span::from_millis(10)).expect("a sample");
        assert_eq!((sample.octets, sample.per_second()), (1000, 100_000));
        // Sent over 20 ms, arriving over 40.
        let second = rate.stamp(at(10), false);
        let third = rate.stamp(at(30), false);
        rate.deliver(2000, second, at(10), at(20));
        rate.deliver(2000, third, at(30), at(50));
        let sample = rate.measure(Span::from_millis(10)).expect("a sample");
        assert_eq!(
            (sample.octets, sample.interval),
            (4000, Span::from_millis(40))
        );
    }

    #[test]
    fn what_a_slow_program_sends_is_marked() {
        let mut rate = Estimator::default();
        rate.starve(1000);
        assert!(rate.stamp(at(0), true).app_limited);
        let stamp = rate.stamp(at(0), true);
        rate.deliver(1000, stamp, at(0), at(10));
        assert!(!rate.stamp(at(10), true).app_limited);
    }

    #[test]
    fn samples_shorter_than_a_round_trip_are_none() {
        let mut rate = Estimator::default();
        let stamp = rate.stamp(at(0), true);
        rate.deliver(1000, stamp, at(0), at(9));
        assert_eq!(rate.measure(Span::from_millis(10)), None);
    }
}
