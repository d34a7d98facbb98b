//! CUBIC (RFC 9438): the window grows by a cubic function of the time since the last congestion, flat where that
//! congestion was, and never slower than Reno would.

use crate::cc::hystart::HyStart;
use crate::cc::{Control, Sample, Window};
use crate::number::{float, whole};
use crate::time::{Span, Time};

/// RFC 9438 4.6: the window after congestion.
const BETA: f64 = 0.7;
/// RFC 9438 5.1: segments a second cubed.
const C: f64 = 0.4;
/// RFC 9438 4.3: Reno's increase when it decreases by `BETA`.
const ALPHA: f64 = 3.0 * (1.0 - BETA) / (1.0 + BETA);

#[derive(Debug, Default)]
pub(crate) struct Cubic {
    hystart: HyStart,
    /// The window before the last congestion, in segments; lower with fast convergence.
    w_max: f64,
    /// That window itself.
    prior: f64,
    epoch: Option<Epoch>,
    /// Growth in octets that is no whole segment yet.
    credit: f64,
    /// As it was before the last congestion.
    saved: (f64, f64),
}

/// A time of congestion avoidance.
#[derive(Clone, Copy, Debug)]
struct Epoch {
    began: Time,
    /// Seconds until `w_max` is reached again.
    k: f64,
    origin: f64,
    /// What Reno's window would be.
    reno: f64,
    /// The time between this and the next is none of the connection's.
    last: Time,
}

impl Cubic {
    fn avoid(&mut self, window: &mut Window, sample: &Sample, delivered: u64) {
        let mss = float(window.mss);
        let cwnd = float(window.cwnd) / mss;
        let segments = float(delivered) / mss;
        let epoch = self.epoch.get_or_insert_with(|| {
            let (k, origin) = if cwnd < self.w_max {
                // RFC 9438 equation 2.
                (((self.w_max - cwnd) / C).cbrt(), self.w_max)
            } else {
                (0.0, cwnd)
            };
            Epoch {
                began: sample.now,
                k,
                origin,
                reno: cwnd,
                last: sample.now,
            }
        });
        epoch.last = sample.now;
        // RFC 9438 4.2: the window wanted a round trip from now, at most half as much again.
        let t = (sample.now.since(epoch.began) + sample.smoothed).seconds() - epoch.k;
        let target = (C * t * t * t + epoch.origin).clamp(cwnd, 1.5 * cwnd);
        // RFC 9438 4.3: Reno's slope is 1 again where the last congestion was.
        let alpha = if epoch.reno >= self.prior { 1.0 } else { ALPHA };
        epoch.reno += alpha * segments / cwnd;
        let growth = if epoch.reno > target {
            epoch.reno - cwnd
        } else {
            (target - cwnd) / cwnd * segments
        };
        self.credit += growth.max(0.0) * mss;
        let whole_segments = whole(self.credit / mss);
        let grow = (whole_segments * window.mss).min(delivered.max(window.mss));
        self.credit = (self.credit - float(grow)).min(mss);
        window.cwnd += grow;
    }
}

impl Control for Cubic {
    fn acknowledged(&mut self, window: &mut Window, sample: &Sample) {
        if !sample.window_limited {
            // RFC 9438 5.8: time in which the program sends little does not count.
            if let Some(epoch) = &mut self.epoch {
                epoch.began += sample.now.since(epoch.last);
                epoch.last = sample.now;
            }
            return;
        }
        let mut delivered = sample.delivered;
        if window.slow_start() {
            let grow = self.hystart.grow(window, sample);
            let grow = grow.min(window.ssthresh.saturating_sub(window.cwnd));
            window.cwnd += grow;
            if window.slow_start() {
                return;
            }
            delivered = delivered.saturating_sub(grow);
        }
        if delivered > 0 {
            self.avoid(window, sample, delivered);
        }
    }

    fn congested(&mut self, window: &mut Window, _: Time) {
        self.saved = (self.w_max, self.prior);
        let cwnd = float(window.cwnd) / float(window.mss);
        // RFC 9438 4.7, fast convergence: who has less than before leaves room for others.
        self.w_max = if cwnd < self.w_max {
            cwnd * (1.0 + BETA) / 2.0
        } else {
            cwnd
        };
        self.prior = cwnd;
        self.epoch = None;
        self.credit = 0.0;
        self.hystart.stop();
        window.ssthresh = whole(float(window.cwnd) * BETA).max(2 * window.mss);
    }

    fn undone(&mut self, _: &mut Window) {
        (self.w_max, self.prior) = self.saved;
        self.epoch = None;
    }

    fn restarted(&mut self, _: &mut Window, _: Time, silence: Span) {
        if let Some(epoch) = &mut self.epoch {
            epoch.began += silence;
            epoch.last += silence;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cc::tests::sample;

    const MSS: u64 = 1000;

    fn congested_at(segments: u64) -> (Cubic, Window) {
        let (mut cubic, mut window) = (Cubic::default(), Window::new(MSS));
        window.cwnd = segments * MSS;
        cubic.congested(&mut window, Time::default());
        window.cwnd = window.ssthresh;
        (cubic, window)
    }

    /// The window after `seconds` of a round trip of `rtt` ms with all of it acknowledged each round.
    fn after(cubic: &mut Cubic, window: &mut Window, rtt: u64, from: u64, to: u64) -> u64 {
        let mut now = from * 1000;
        while now < to * 1000 {
            now += rtt;
            for _ in 0..window.cwnd / MSS {
                let mut s = sample(MSS);
                s.now = Time::from_micros(now * 1000);
                s.smoothed = Span::from_millis(rtt);
                cubic.acknowledged(window, &s);
            }
        }
        window.cwnd / MSS
    }

    /// RFC 9438 4.2: at K the window is where it was, flat before and growing after.
    #[test]
    fn window_is_back_where_it_was_after_k() {
        let (mut cubic, mut window) = congested_at(1000);
        assert_eq!(window.cwnd, 700 * MSS);
        // K = cbrt(300 / 0.4) = 9.09 s.
        let at =
            |cubic: &mut Cubic, window: &mut Window, from, to| after(cubic, window, 100, from, to);
        let early = at(&mut cubic, &mut window, 0, 5);
        assert!((950..985).contains(&early), "{early}");
        let back = at(&mut cubic, &mut window, 5, 9);
        assert!((995..=1003).contains(&back), "{back}");
        let beyond = at(&mut cubic, &mut window, 9, 14);
        assert!((1035..1070).contains(&beyond), "0.4 * 4.9^3 = 47: {beyond}");
    }

    /// RFC 9438 4.3: on a short path Reno is faster than the cubic function.
    #[test]
    fn short_path_grows_like_reno() {
        let (mut cubic, mut window) = congested_at(20);
        // 14 segments; 0.53 a round until 20, then 1: 6 / 0.53 is 11 rounds, 39 more make 59.
        let cwnd = after(&mut cubic, &mut window, 20, 0, 1);
        assert!((54..62).contains(&cwnd), "{cwnd}");
    }

    /// RFC 9438 4.7.
    #[test]
    fn fast_convergence_aims_lower() {
        let (mut cubic, mut window) = congested_at(1000);
        cubic.congested(&mut window, Time::default());
        assert!((cubic.w_max - 595.0).abs() < 1.0, "{}", cubic.w_max);
        assert!((489_990..=490_000).contains(&window.ssthresh));
        cubic.undone(&mut window);
        assert!((cubic.w_max - 1000.0).abs() < 1.0);
    }

    #[test]
    fn silence_does_not_count() {
        let (mut cubic, mut window) = congested_at(1000);
        let before = after(&mut cubic, &mut window, 100, 0, 3);
        let silence = Span::from_secs(100);
        cubic.restarted(&mut window, Time::from_micros(103_000_000), silence);
        let then = after(&mut cubic, &mut window, 100, 103, 104);
        assert!(then < before + 40, "{before} {then}");
    }
}
