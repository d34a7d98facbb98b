//! Round-trip time and the retransmission timeout (RFC 6298), and the least round-trip time of late.

use crate::time::{Span, Time};

/// RFC 6298 2.1 wants 1 s before the first sample.
const INITIAL_RTO: Span = Span::from_secs(1);
/// RFC 6298 5.7: when the handshake gave no sample, because its segments were sent again.
const FALLBACK_RTO: Span = Span::from_secs(3);
/// Linux's `TCP_RTO_MIN`. RFC 6298 2.4 wants 1 s, and lets an implementation do with less.
pub(crate) const MIN_RTO: Span = Span::from_millis(200);
/// Linux's `TCP_RTO_MAX`; RFC 6298 2.5 wants no less than 60 s.
const MAX_RTO: Span = Span::from_secs(120);
/// How long a least round-trip time is believed (RFC 8985 6.2 leaves it open; Linux: 5 min, BBR: 10 s).
const MIN_RTT_AGE: Span = Span::from_secs(60);

#[derive(Debug, Default)]
pub(crate) struct Rtt {
    smoothed: Option<Span>,
    variance: Span,
    least: Option<(Span, Time)>,
    latest: Span,
    /// Timeouts in a row: each doubles the next.
    backoff: u32,
    /// The handshake has ended without a sample.
    unmeasured: bool,
}

impl Rtt {
    /// A sample of a segment that was sent once (Karn's rule is the caller's). `oldest` is from the first
    /// octet acknowledged, delay of the acknowledgement included; `newest` from the last.
    pub(crate) fn sample(&mut self, oldest: Span, newest: Span, now: Time) {
        // A clock that counts microseconds may see none pass.
        let oldest = oldest.max(Span::from_micros(1));
        let newest = newest.max(Span::from_micros(1));
        self.latest = newest;
        match self.smoothed {
            // RFC 6298 2.2.
            None => {
                self.smoothed = Some(oldest);
                self.variance = oldest / 2;
            }
            // RFC 6298 2.3, alpha 1/8 and beta 1/4.
            Some(smoothed) => {
                let error = smoothed.minus(oldest).max(oldest.minus(smoothed));
                self.variance = (self.variance * 3 + error) / 4;
                self.smoothed = Some((smoothed * 7 + oldest) / 8);
            }
        }
        if self
            .least
            .is_none_or(|(least, at)| newest <= least || now.since(at) > MIN_RTT_AGE)
        {
            self.least = Some((newest, now));
        }
    }

    /// The handshake has ended and nothing is known: its segments were sent again.
    pub(crate) fn unmeasured(&mut self) {
        self.unmeasured = true;
    }

    pub(crate) fn smoothed(&self) -> Option<Span> {
        self.smoothed
    }

    pub(crate) fn variance(&self) -> Span {
        self.variance
    }

    pub(crate) fn latest(&self) -> Span {
        self.latest
    }

    /// The least of late; zero before the first sample.
    pub(crate) fn least(&self) -> Span {
        self.least.map_or(Span::ZERO, |(least, _)| least)
    }

    /// The timeout without back-off. As in Linux the minimum is added to the round-trip time: a peer
    /// that delays its acknowledgement by it causes no timeout.
    pub(crate) fn base_rto(&self) -> Span {
        match self.smoothed {
            None if self.unmeasured => FALLBACK_RTO,
            None => INITIAL_RTO,
            Some(smoothed) => (smoothed + (self.variance * 4).max(MIN_RTO)).min(MAX_RTO),
        }
    }

    /// The timeout now (RFC 6298 5.5: doubled for each in a row).
    pub(crate) fn rto(&self) -> Span {
        (self.base_rto() * (1 << self.backoff.min(16))).min(MAX_RTO)
    }

    pub(crate) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    pub(crate) fn reset_backoff(&mut self) {
        self.backoff = 0;
    }

    /// Timeouts or window probes in a row.
    pub(crate) fn backoff(&self) -> u32 {
        self.backoff
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Span {
        Span::from_millis(n)
    }

    #[test]
    fn timeout_follows_rfc_6298() {
        let mut rtt = Rtt::default();
        assert_eq!(rtt.rto(), ms(1000), "2.1: before a sample");
        rtt.sample(ms(100), ms(100), Time::default());
        assert_eq!(rtt.smoothed(), Some(ms(100)), "2.2: SRTT is R");
        assert_eq!(rtt.variance(), ms(50), "2.2: RTTVAR is R/2");
        assert_eq!(rtt.rto(), ms(300), "2.3: SRTT + 4 RTTVAR");
        rtt.sample(ms(180), ms(180), Time::default());
        assert_eq!(rtt.variance().micros(), 57_500, "2.3: 3/4 * 50 + 1/4 * 80");
        assert_eq!(rtt.smoothed(), Some(ms(110)), "2.3: 7/8 * 100 + 1/8 * 180");
    }

    #[test]
    fn timeout_is_three_seconds_when_the_handshake_was_not_measured() {
        let mut rtt = Rtt::default();
        rtt.unmeasured();
        assert_eq!(rtt.rto(), ms(3000), "5.7");
        rtt.sample(ms(100), ms(100), Time::default());
        assert_eq!(rtt.rto(), ms(300));
    }

    #[test]
    fn timeout_has_a_minimum_beyond_the_round_trip_and_a_maximum() {
        let mut rtt = Rtt::default();
        for _ in 0..100 {
            rtt.sample(ms(10), ms(10), Time::default());
        }
        assert_eq!(rtt.rto(), ms(210));
        for (timeouts, want) in [(1, 420), (2, 840), (3, 1680)] {
            rtt.back_off();
            assert_eq!(rtt.rto(), ms(want), "5.5: after {timeouts}");
        }
        for _ in 0..40 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(), Span::from_secs(120));
        rtt.reset_backoff();
        assert_eq!(rtt.rto(), ms(210));
    }

    #[test]
    fn least_is_of_late() {
        let mut rtt = Rtt::default();
        let at = |secs| Time::default() + Span::from_secs(secs);
        rtt.sample(ms(20), ms(20), at(1));
        rtt.sample(ms(90), ms(90), at(50));
        assert_eq!(rtt.least(), ms(20));
        rtt.sample(ms(90), ms(90), at(62));
        assert_eq!(rtt.least(), ms(90), "the way has changed");
    }
}
