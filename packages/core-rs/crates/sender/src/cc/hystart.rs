//! HyStart++ (RFC 9406): slow start ends when the round-trip time grows, before anything is lost.

use crate::cc::{Sample, Window};
use crate::time::Span;

/// RFC 9406 4.3.
const MIN_RTT_THRESH: Span = Span::from_millis(4);
const MAX_RTT_THRESH: Span = Span::from_millis(16);
const RTT_DIVISOR: u64 = 8;
const SAMPLES: u32 = 8;
const CSS_GROWTH_DIVISOR: u64 = 4;
const CSS_ROUNDS: u32 = 5;

#[derive(Debug, Default)]
pub(crate) struct HyStart {
    /// The round ends when this is acknowledged.
    window_end: u64,
    current: Option<Span>,
    last: Option<Span>,
    samples: u32,
    /// Conservative slow start: the least round-trip time at its beginning, and its rounds.
    conservative: Option<(Span, u32)>,
    done: bool,
}

impl HyStart {
    /// An acknowledgement in slow start: by how many octets the window grows. When slow start is found to have
    /// ended the threshold is set.
    pub(crate) fn grow(&mut self, window: &mut Window, sample: &Sample) -> u64 {
        if self.done {
            return sample.delivered;
        }
        if sample.una >= self.window_end {
            self.begin_round(window, sample.nxt);
        }
        if let Some(rtt) = sample.rtt {
            self.current = Some(self.current.map_or(rtt, |current| current.min(rtt)));
            self.samples += 1;
            self.judge();
        }
        if self.conservative.is_some() {
            sample.delivered / CSS_GROWTH_DIVISOR
        } else {
            sample.delivered
        }
    }

    fn begin_round(&mut self, window: &mut Window, nxt: u64) {
        self.window_end = nxt;
        self.last = self.current.take();
        self.samples = 0;
        if let Some((_, rounds)) = &mut self.conservative {
            *rounds += 1;
            if *rounds >= CSS_ROUNDS {
                // RFC 9406 4.2: congestion avoidance.
                window.ssthresh = window.cwnd;
                self.done = true;
            }
        }
    }

    fn judge(&mut self) {
        let (Some(current), Some(last)) = (self.current, self.last) else {
            return;
        };
        if self.samples < SAMPLES {
            return;
        }
        match self.conservative {
            None => {
                let thresh = (last / RTT_DIVISOR).clamp(MIN_RTT_THRESH, MAX_RTT_THRESH);
                if current >= last + thresh {
                    self.conservative = Some((current, 0));
                }
            }
            // The growth was none: slow start again.
            Some((baseline, _)) if current < baseline => self.conservative = None,
            Some(_) => {}
        }
    }

    /// The first congestion ends it for good (RFC 9406 4.3: initial slow start only).
    pub(crate) fn stop(&mut self) {
        self.done = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cc::NO_THRESHOLD;
    use crate::cc::tests::sample;

    const MSS: u64 = 1000;

    /// Ten acknowledgements of a round with that round-trip time; what the window grew by.
    fn round(hystart: &mut HyStart, window: &mut Window, number: u64, rtt: u64) -> u64 {
        let mut grew = 0;
        for n in 0..10 {
            let mut s = sample(MSS);
            s.una = number * 10_000 + n * 1000;
            s.nxt = (number + 1) * 10_000;
            s.rtt = Some(Span::from_millis(rtt));
            grew += hystart.grow(window, &s);
        }
        grew
    }

    #[test]
    fn steady_round_trips_let_slow_start_go_on() {
        let (mut hystart, mut window) = (HyStart::default(), Window::new(MSS));
        for number in 1..50 {
            assert_eq!(round(&mut hystart, &mut window, number, 20), 10 * MSS);
        }
        assert_eq!(window.ssthresh, NO_THRESHOLD);
    }

    #[test]
    fn growing_round_trips_slow_it_down_and_end_it_after_five_rounds() {
        let (mut hystart, mut window) = (HyStart::default(), Window::new(MSS));
        round(&mut hystart, &mut window, 1, 40);
        round(&mut hystart, &mut window, 2, 44);
        assert_eq!(
            round(&mut hystart, &mut window, 3, 44),
            10 * MSS,
            "below 1/8"
        );
        assert!(round(&mut hystart, &mut window, 4, 50) < 10 * MSS);
        for number in 5..9 {
            assert_eq!(round(&mut hystart, &mut window, number, 50), 10 * MSS / 4);
            assert_eq!(window.ssthresh, NO_THRESHOLD);
        }
        round(&mut hystart, &mut window, 9, 50);
        assert_eq!(window.ssthresh, window.cwnd);
    }

    #[test]
    fn growth_that_goes_away_was_none() {
        let (mut hystart, mut window) = (HyStart::default(), Window::new(MSS));
        round(&mut hystart, &mut window, 1, 40);
        round(&mut hystart, &mut window, 2, 50);
        round(&mut hystart, &mut window, 3, 40);
        assert_eq!(round(&mut hystart, &mut window, 4, 40), 10 * MSS);
    }
}
