use super::{Bbr, LEAST_SEGMENTS, Mode};
use crate::cc::tests::sample;
use crate::cc::{Control, Sample, Window};
use crate::rate::Rate;
use crate::time::{Span, Time};

const MSS: u64 = 1000;

/// A path of 1,000,000 octets a second and 20 ms: 20 segments fill it.
struct Path {
    bbr: Bbr,
    window: Window,
    now: u64,
    delivered: u64,
    rate: u64,
    /// Octets that wait in it.
    queue: u64,
}

impl Path {
    fn new() -> Path {
        Path {
            bbr: Bbr::default(),
            window: Window::new(MSS),
            now: 0,
            delivered: 0,
            rate: 1_000_000,
            queue: 0,
        }
    }

    /// One round trip: the path delivers what was under way, at most what it can.
    fn round(&mut self, change: impl Fn(&mut Sample)) {
        let bdp = self.rate / 50;
        let paced = self.bbr.pacing_rate().map_or(u64::MAX, |rate| rate / 50);
        let flying = self.window.cwnd.min(self.queue.saturating_add(paced));
        let delivered = flying.min(bdp);
        let prior = self.delivered;
        self.now += 20_000;
        self.delivered += delivered;
        self.queue = flying - delivered;
        let mut s = sample(delivered);
        s.now = Time::from_micros(self.now);
        s.delivered_total = self.delivered;
        s.rtt = Some(Span::from_micros(20_000 * flying.max(bdp) / bdp));
        s.smoothed = Span::from_millis(20);
        s.prior_flying = flying;
        s.flying = flying - delivered;
        s.rate = Some(Rate {
            octets: delivered,
            interval: Span::from_millis(20),
            app_limited: false,
            prior_delivered: prior,
        });
        change(&mut s);
        self.bbr.acknowledged(&mut self.window, &s);
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            self.round(|_| ());
        }
        assert_eq!(self.bbr.mode, Mode::ProbeBw);
    }
}

#[test]
fn startup_finds_the_rate_drains_and_probes() {
    let mut path = Path::new();
    path.round(|_| ());
    assert_eq!(path.bbr.mode, Mode::Startup);
    assert!(path.bbr.pacing_rate() > Some(path.bbr.rate.max() * 2));
    path.settle();
    assert_eq!(path.bbr.rate.max(), 1_000_000);
    let bdp = 20 * MSS;
    assert!(
        path.window.cwnd >= 2 * bdp && path.window.cwnd < 4 * bdp,
        "{}",
        path.window.cwnd
    );
}

#[test]
fn probing_cycles_through_its_gains() {
    let mut path = Path::new();
    path.settle();
    let mut seen = Vec::new();
    for _ in 0..24 {
        path.round(|_| ());
        seen.push(path.bbr.pacing_rate().expect("a rate"));
    }
    for rate in [1_237_500, 742_500, 990_000] {
        assert!(seen.contains(&rate), "{rate}: {seen:?}");
    }
}

#[test]
fn loss_alone_does_not_lower_the_rate() {
    let mut path = Path::new();
    path.settle();
    let before = path.window.cwnd;
    path.bbr
        .congested(&mut path.window, Time::from_micros(path.now));
    path.round(|s| {
        s.recovering = true;
        s.newly_lost = MSS;
    });
    assert!(path.window.cwnd <= before, "the first round conserves");
    for _ in 0..4 {
        path.round(|s| s.recovering = true);
    }
    path.round(|_| ());
    assert!(
        path.window.cwnd * 10 >= before * 9,
        "{} {before}",
        path.window.cwnd
    );
    assert_eq!(path.bbr.rate.max(), 1_000_000);
}

#[test]
fn round_trip_is_probed_every_ten_seconds_with_four_segments() {
    let mut path = Path::new();
    path.settle();
    let before = path.window.cwnd;
    // The path has become longer: the least round-trip time grows old.
    let mut probed = false;
    for _ in 0..600 {
        path.round(|s| s.rtt = Some(Span::from_millis(25)));
        if path.bbr.mode == Mode::ProbeRtt {
            probed = true;
            assert!(path.window.cwnd <= LEAST_SEGMENTS * MSS);
        } else if probed {
            break;
        }
    }
    assert!(probed);
    assert_eq!(path.bbr.mode, Mode::ProbeBw);
    assert!(path.window.cwnd >= before / 2);
    assert_eq!(path.bbr.least_rtt, Some(Span::from_millis(25)));
}

/// Linux's `bbr_init_pacing_rate_from_rtt`: a program that begins with a few octets and goes on with many is not paced at the
/// rate of the few.
#[test]
fn small_first_write_does_not_set_the_pace() {
    let mut path = Path::new();
    let initial = Window::initial(MSS) * 50;
    path.round(|sample| {
        sample.delivered = 37;
        sample.rate = Some(Rate {
            octets: 37,
            interval: Span::from_millis(20),
            app_limited: true,
            prior_delivered: 0,
        });
    });
    let pace = path.bbr.pacing_rate().expect("from the first on");
    assert!(pace >= initial * 2, "{pace}");
    path.round(|_| ());
    assert!(path.bbr.pacing_rate().expect("paced") >= pace);
}
