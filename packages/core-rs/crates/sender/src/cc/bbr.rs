//! BBR, version 1, as Linux's `tcp_bbr.c` and draft-cardwell-iccrg-bbr-congestion-control-00 have it: it models
//! the path by the highest delivery rate of ten rounds and the least round-trip time of ten seconds, paces at
//! that rate, and keeps about two of their product under way. A loss alone does not slow it down.
//!
//! Version 1 on purpose: it is what a Linux peer of the name does. Linux's detection of policers is left out.

use crate::cc::bbr::filter::MaxFilter;
use crate::cc::{Control, Sample, Window};
use crate::number::{float, whole};
use crate::pacer;
use crate::time::{Span, Time};

mod filter;

/// 2 / ln 2: doubles the rate each round.
const HIGH_GAIN: f64 = 2.885;
const DRAIN_GAIN: f64 = 1.0 / 2.885;
const WINDOW_GAIN: f64 = 2.0;
/// Draft 4.3.4.
const CYCLE: [f64; 8] = [1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
/// Draft 4.3.2: the pipe is full when the rate has not grown by a quarter in three rounds.
const FULL_GROWTH: f64 = 1.25;
const FULL_ROUNDS: u32 = 3;
/// Draft 4.3.5.
const LEAST_RTT_AGE: Span = Span::from_secs(10);
const PROBE_RTT_TIME: Span = Span::from_millis(200);
const LEAST_SEGMENTS: u64 = 4;
/// Linux's `bbr_pacing_margin_percent`.
const MARGIN: f64 = 0.99;
/// Linux's `bbr_extra_acked_*`: acknowledgements that come in bunches are bridged up to 100 ms, by the
/// largest bunch of five to ten rounds.
const EXTRA_ROUNDS: u32 = 5;
const EXTRA_TIME: Span = Span::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Startup,
    Drain,
    ProbeBw,
    ProbeRtt,
}

#[derive(Debug)]
pub(crate) struct Bbr {
    mode: Mode,
    rate: MaxFilter,
    /// Rounds so far; the present one ends when so much is delivered.
    round: u64,
    round_end: u64,
    round_start: bool,
    least_rtt: Option<Span>,
    least_rtt_at: Time,
    full_rate: u64,
    full_rounds: u32,
    full: bool,
    cycle: usize,
    cycle_at: Time,
    probe_rtt_until: Option<Time>,
    probe_rtt_round: bool,
    /// Samples of what left before so much was delivered are too low.
    limited_until: u64,
    pacing: Option<u64>,
    /// The window before a recovery or a probe of the round-trip time.
    prior_cwnd: u64,
    recovering: bool,
    /// The first round of a recovery: only as much leaves as arrives.
    conserving: bool,
    extra: [u64; 2],
    extra_index: usize,
    extra_rounds: u32,
    bunch: u64,
    bunch_at: Time,
}

impl Default for Bbr {
    fn default() -> Bbr {
        Bbr {
            mode: Mode::Startup,
            rate: MaxFilter::default(),
            round: 0,
            round_end: 0,
            round_start: false,
            least_rtt: None,
            least_rtt_at: Time::default(),
            full_rate: 0,
            full_rounds: 0,
            full: false,
            cycle: 0,
            cycle_at: Time::default(),
            probe_rtt_until: None,
            probe_rtt_round: false,
            limited_until: 0,
            pacing: None,
            prior_cwnd: 0,
            recovering: false,
            conserving: false,
            extra: [0; 2],
            extra_index: 0,
            extra_rounds: 0,
            bunch: 0,
            bunch_at: Time::default(),
        }
    }
}

impl Bbr {
    /// The octets that fill the path, times `gain`.
    fn product(&self, window: &Window, gain: f64) -> u64 {
        match self.least_rtt {
            None => Window::initial(window.mss),
            Some(rtt) => whole(float(self.rate.max()) * rtt.seconds() * gain),
        }
    }

    /// As much again for bursts of the sender and of acknowledgements (Linux's `bbr_quantization_budget`).
    fn target(&self, window: &Window, gain: f64) -> u64 {
        let mut target = self.product(window, gain) + 3 * self.burst(window);
        if self.mode == Mode::ProbeBw && self.cycle == 0 {
            target += 2 * window.mss;
        }
        target
    }

    fn burst(&self, window: &Window) -> u64 {
        pacer::burst(self.pacing, window.mss)
    }

    fn update_rate(&mut self, sample: &Sample) {
        self.round_start = false;
        let Some(rate) = sample.rate else { return };
        if rate.prior_delivered >= self.round_end {
            self.round_end = sample.delivered_total;
            self.round += 1;
            self.round_start = true;
            self.conserving = false;
        }
        // What left while four segments were the limit says nothing of the path.
        if self.mode == Mode::ProbeRtt {
            self.limited_until = sample.delivered_total + sample.flying;
        }
        let limited = rate.app_limited || rate.prior_delivered < self.limited_until;
        let measured = rate.per_second();
        if !limited || measured >= self.rate.max() {
            self.rate.update(self.round, measured);
        }
    }

    fn update_bunches(&mut self, window: &Window, sample: &Sample) {
        if self.round_start {
            self.extra_rounds += 1;
            if self.extra_rounds >= EXTRA_ROUNDS {
                self.extra_rounds = 0;
                self.extra_index ^= 1;
                self.extra[self.extra_index] = 0;
            }
        }
        let time = sample.now.since(self.bunch_at).seconds();
        let mut expected = whole(float(self.rate.max()) * time);
        if self.bunch <= expected {
            self.bunch = 0;
            self.bunch_at = sample.now;
            expected = 0;
        }
        self.bunch += sample.delivered;
        let extra = self.bunch.saturating_sub(expected).min(window.cwnd);
        let most = &mut self.extra[self.extra_index];
        *most = (*most).max(extra);
    }

    fn update_cycle(&mut self, window: &Window, sample: &Sample) {
        if self.mode != Mode::ProbeBw {
            return;
        }
        let long = sample.now.since(self.cycle_at) > self.least_rtt.unwrap_or_default();
        let next = match self.cycle {
            // Until the queue it makes is there, or was too much for it.
            0 => {
                let full = sample.prior_flying >= self.target(window, CYCLE[0]);
                long && (sample.newly_lost > 0 || full)
            }
            // Until that queue is gone.
            1 => long || sample.prior_flying <= self.target(window, 1.0),
            _ => long,
        };
        if next {
            self.cycle = (self.cycle + 1) % CYCLE.len();
            self.cycle_at = sample.now;
        }
    }

    fn check_full(&mut self, sample: &Sample) {
        let app_limited = sample.rate.is_some_and(|rate| rate.app_limited);
        if self.full || !self.round_start || app_limited {
            return;
        }
        if float(self.rate.max()) >= float(self.full_rate) * FULL_GROWTH {
            self.full_rate = self.rate.max();
            self.full_rounds = 0;
            return;
        }
        self.full_rounds += 1;
        self.full = self.full_rounds >= FULL_ROUNDS;
    }

    fn check_drained(&mut self, window: &Window, sample: &Sample) {
        if self.mode == Mode::Startup && self.full {
            self.mode = Mode::Drain;
        }
        if self.mode == Mode::Drain && sample.flying <= self.target(window, 1.0) {
            self.probe_bandwidth(sample.now);
        }
    }

    fn probe_bandwidth(&mut self, now: Time) {
        self.mode = Mode::ProbeBw;
        // Flows that begin together must not probe together; never with the phase that drains.
        let choice = usize::try_from(now.micros() % 7).unwrap_or(0);
        self.cycle = if choice == 0 { 0 } else { choice + 1 };
        self.cycle_at = now;
    }

    fn update_least_rtt(&mut self, window: &mut Window, sample: &Sample) {
        let old = self.least_rtt.is_some() && sample.now.since(self.least_rtt_at) > LEAST_RTT_AGE;
        if let Some(rtt) = sample.rtt
            && (old || self.least_rtt.is_none_or(|least| rtt <= least))
        {
            self.least_rtt = Some(rtt);
            self.least_rtt_at = sample.now;
        }
        if old && self.mode != Mode::ProbeRtt {
            self.mode = Mode::ProbeRtt;
            self.save(window);
            self.probe_rtt_until = None;
        }
        if self.mode != Mode::ProbeRtt {
            return;
        }
        match self.probe_rtt_until {
            None if sample.flying <= LEAST_SEGMENTS * window.mss => {
                self.probe_rtt_until = Some(sample.now + PROBE_RTT_TIME);
                self.probe_rtt_round = false;
                self.round_end = sample.delivered_total;
            }
            None => {}
            Some(until) => {
                self.probe_rtt_round |= self.round_start;
                if self.probe_rtt_round && sample.now > until {
                    self.least_rtt_at = sample.now;
                    window.cwnd = window.cwnd.max(self.prior_cwnd);
                    if self.full {
                        self.probe_bandwidth(sample.now);
                    } else {
                        self.mode = Mode::Startup;
                    }
                }
            }
        }
    }

    fn gains(&self) -> (f64, f64) {
        match self.mode {
            Mode::Startup => (HIGH_GAIN, HIGH_GAIN),
            Mode::Drain => (DRAIN_GAIN, HIGH_GAIN),
            Mode::ProbeBw => (CYCLE[self.cycle], WINDOW_GAIN),
            Mode::ProbeRtt => (1.0, 1.0),
        }
    }

    fn set_pacing(&mut self, window: &Window, sample: &Sample, gain: f64) {
        let paced = |rate: f64| whole(rate * gain * MARGIN).max(1);
        let pacing = *self.pacing.get_or_insert_with(|| {
            // Draft 4.2.1: that of the first window, and no less until the pipe is full, however little the program
            // writes at first.
            let rtt = sample.smoothed.max(Span::from_millis(1)).seconds();
            paced(float(window.cwnd) / rtt)
        });
        let rate = paced(float(self.rate.max()));
        if self.full || rate > pacing {
            self.pacing = Some(rate);
        }
    }

    fn set_window(&mut self, window: &mut Window, sample: &Sample, gain: f64) {
        let mss = window.mss;
        let mut cwnd = window.cwnd;
        if sample.newly_lost > 0 {
            cwnd = cwnd.saturating_sub(sample.newly_lost).max(mss);
        }
        if sample.recovering && !self.recovering {
            self.conserving = true;
            self.round_end = sample.delivered_total;
            cwnd = sample.flying + sample.delivered;
        } else if !sample.recovering && self.recovering {
            cwnd = cwnd.max(self.prior_cwnd);
            self.conserving = false;
        }
        self.recovering = sample.recovering;
        if self.conserving {
            cwnd = cwnd.max(sample.flying + sample.delivered);
        } else {
            let mut target = self.target(window, gain);
            if self.full {
                let most = whole(float(self.rate.max()) * EXTRA_TIME.seconds());
                target += self.extra[0].max(self.extra[1]).min(most);
                cwnd = (cwnd + sample.delivered).min(target);
            } else if cwnd < target || sample.delivered_total < Window::initial(mss) {
                cwnd += sample.delivered;
            }
            cwnd = cwnd.max(LEAST_SEGMENTS * mss);
        }
        if self.mode == Mode::ProbeRtt {
            cwnd = cwnd.min(LEAST_SEGMENTS * mss);
        }
        window.cwnd = cwnd.max(mss);
    }

    /// Linux's `bbr_save_cwnd`.
    fn save(&mut self, window: &Window) {
        if !self.recovering && self.mode != Mode::ProbeRtt {
            self.prior_cwnd = window.cwnd;
        } else {
            self.prior_cwnd = self.prior_cwnd.max(window.cwnd);
        }
    }
}

impl Control for Bbr {
    fn acknowledged(&mut self, window: &mut Window, sample: &Sample) {
        self.update_rate(sample);
        self.update_bunches(window, sample);
        self.update_cycle(window, sample);
        self.check_full(sample);
        self.check_drained(window, sample);
        self.update_least_rtt(window, sample);
        let (pacing, cwnd) = self.gains();
        self.set_pacing(window, sample, pacing);
        self.set_window(window, sample, cwnd);
    }

    fn congested(&mut self, window: &mut Window, _: Time) {
        self.save(window);
    }

    fn timed_out(&mut self, _: &mut Window) {
        // Linux's `bbr_set_state`: what was full may be so no longer.
        self.full_rate = 0;
        self.round_start = true;
        self.recovering = true;
    }

    fn undone(&mut self, window: &mut Window) {
        self.full_rate = 0;
        self.full_rounds = 0;
        window.cwnd = window.cwnd.max(self.prior_cwnd);
    }

    fn restarted(&mut self, window: &mut Window, now: Time, _: Span) {
        // Draft 4.3.4.4: pace at the known rate, no faster.
        self.bunch = 0;
        self.bunch_at = now;
        if self.mode == Mode::ProbeBw && self.rate.max() > 0 {
            self.pacing = Some(whole(float(self.rate.max()) * MARGIN).max(1));
        }
        let _ = window;
    }

    fn drives(&self) -> bool {
        true
    }

    fn pacing_rate(&self) -> Option<u64> {
        self.pacing
    }
}

#[cfg(test)]
mod tests;
