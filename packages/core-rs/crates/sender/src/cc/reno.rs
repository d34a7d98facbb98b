//! NewReno: slow start and additive increase (RFC 5681 3.1, octets counted as in RFC 3465).

use crate::cc::{Control, Sample, Window};
use crate::time::{Span, Time};

#[derive(Debug, Default)]
pub(crate) struct Reno {
    /// Octets acknowledged towards the next segment of growth.
    credit: u64,
}

impl Control for Reno {
    fn acknowledged(&mut self, window: &mut Window, sample: &Sample) {
        if !sample.window_limited {
            return;
        }
        let mut delivered = sample.delivered;
        if window.slow_start() {
            let grow = delivered.min(window.ssthresh - window.cwnd);
            window.cwnd += grow;
            delivered -= grow;
        }
        self.credit += delivered;
        if self.credit >= window.cwnd {
            self.credit -= window.cwnd;
            window.cwnd += window.mss;
        }
    }

    fn congested(&mut self, window: &mut Window, _: Time) {
        self.credit = 0;
        // RFC 5681 equation 4.
        window.ssthresh = (window.cwnd / 2).max(2 * window.mss);
    }

    fn restarted(&mut self, window: &mut Window, _: Time, _: Span) {
        let _ = window;
        self.credit = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cc::tests::sample;

    #[test]
    fn slow_start_doubles_and_avoidance_adds_a_segment_a_round() {
        let (mut reno, mut window) = (Reno::default(), Window::new(1000));
        window.ssthresh = 20_000;
        for _ in 0..10 {
            reno.acknowledged(&mut window, &sample(1000));
        }
        assert_eq!(window.cwnd, 20_000);
        for _ in 0..20 {
            reno.acknowledged(&mut window, &sample(1000));
        }
        assert_eq!(window.cwnd, 21_000);
    }

    #[test]
    fn congestion_halves_down_to_two_segments() {
        let (mut reno, mut window) = (Reno::default(), Window::new(1000));
        reno.congested(&mut window, Time::default());
        assert_eq!(window.ssthresh, 5_000);
        window.cwnd = 1000;
        reno.congested(&mut window, Time::default());
        assert_eq!(window.ssthresh, 2_000);
    }

    #[test]
    fn window_that_was_not_used_does_not_grow() {
        let (mut reno, mut window) = (Reno::default(), Window::new(1000));
        let mut s = sample(1000);
        s.window_limited = false;
        reno.acknowledged(&mut window, &s);
        assert_eq!(window.cwnd, 10_000);
    }
}
