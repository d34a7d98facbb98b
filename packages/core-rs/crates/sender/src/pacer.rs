//! Pacing: what leaves is spread over time at a rate, in bursts of about a millisecond.

use crate::time::{Span, Time};

/// Largest burst: segments of one super-frame, at any rate.
const MOST: u64 = 44;

/// How much leaves at once at that rate (Linux's `tcp_tso_autosize`: a millisecond, at least two segments).
pub(crate) fn burst(rate: Option<u64>, mss: u64) -> u64 {
    match rate {
        None => MOST * mss,
        Some(rate) => (rate / 1000 / mss.max(1)).clamp(2, MOST) * mss,
    }
}

/// How much lateness is made up for: an eighth of the round trip, in which the path's queue takes it, at least a
/// millisecond.
pub(crate) fn slack(rtt: Option<Span>) -> Span {
    let eighth = rtt.unwrap_or_default() / 8;
    eighth.clamp(Span::from_millis(1), Span::from_millis(5))
}

#[derive(Debug, Default)]
pub(crate) struct Pacer {
    /// Nothing leaves before.
    next: Time,
}

impl Pacer {
    /// When something may leave; `None` is now.
    pub(crate) fn blocked(&self, now: Time) -> Option<Time> {
        (self.next > now).then_some(self.next)
    }

    /// Something leaves. Time that was not used before is made up for as far as `slack` goes: the owner's timers are
    /// late, and what they lose would be missing from the rate that the path is found to have.
    pub(crate) fn sent(&mut self, octets: u64, rate: u64, slack: Span, now: Time) {
        let took = u128::from(octets) * 1_000_000 / u128::from(rate.max(1));
        let took = Span::from_micros(u64::try_from(took).unwrap_or(u64::MAX));
        self.next = self.next.max(now.before(slack)) + took;
    }

    /// A timeout, or another algorithm.
    pub(crate) fn reset(&mut self) {
        self.next = Time::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLACK: Span = Span::from_millis(1);

    #[test]
    fn rate_is_kept_however_it_is_asked() {
        let mut pacer = Pacer::default();
        let mut now = Time::from_micros(1_000_000);
        let start = now;
        let mut sent = 0;
        while now.since(start) < Span::from_secs(1) {
            match pacer.blocked(now) {
                // The timer is late.
                Some(at) => now = at + Span::from_micros(300),
                None => {
                    pacer.sent(10_000, 5_000_000, SLACK, now);
                    sent += 10_000;
                }
            }
        }
        assert!((4_950_000..=5_050_000).contains(&sent), "{sent}");
    }

    #[test]
    fn silence_earns_one_millisecond() {
        let mut pacer = Pacer::default();
        let now = Time::from_micros(10_000_000);
        let mut sent = 0;
        while pacer.blocked(now).is_none() {
            pacer.sent(1000, 1_000_000, SLACK, now);
            sent += 1000;
        }
        assert_eq!(sent, 2000, "a millisecond's worth and the one that is due");
    }

    #[test]
    fn bursts_are_a_millisecond() {
        assert_eq!(burst(Some(10_000_000), 1000), 10_000);
        assert_eq!(burst(Some(1000), 1000), 2000);
        assert_eq!(burst(Some(1 << 40), 1000), 44_000);
        assert_eq!(burst(None, 1000), 44_000);
    }
}
