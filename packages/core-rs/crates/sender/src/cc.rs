//! Congestion control: how much may be under way. Loss detection says what happened; an algorithm says what
//! follows from it. It knows neither sequence numbers of the wire nor timers.

use std::fmt::Debug;

use crate::rate::Rate;
use crate::time::{Span, Time};

mod bbr;
mod cubic;
mod hystart;
mod reno;

/// An algorithm, by Linux's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
    #[default]
    Cubic,
    /// NewReno (RFC 5681, RFC 6582).
    Reno,
    /// BBR, version 1 as in Linux (draft-cardwell-iccrg-bbr-congestion-control-00): models the path's rate and
    /// round-trip time, paces, and does not take a loss for congestion.
    Bbr,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 3] = [Algorithm::Cubic, Algorithm::Reno, Algorithm::Bbr];

    /// The name that `TCP_CONGESTION` has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Cubic => "cubic",
            Algorithm::Reno => "reno",
            Algorithm::Bbr => "bbr",
        }
    }

    /// The algorithm of that name.
    pub fn from_name(name: &str) -> Option<Algorithm> {
        Algorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }

    pub(crate) fn start(self) -> Box<dyn Control> {
        match self {
            Algorithm::Cubic => Box::<cubic::Cubic>::default(),
            Algorithm::Reno => Box::<reno::Reno>::default(),
            Algorithm::Bbr => Box::<bbr::Bbr>::default(),
        }
    }
}

/// The congestion window and what it is counted in. Octets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) cwnd: u64,
    pub(crate) ssthresh: u64,
    pub(crate) mss: u64,
}

/// The threshold before the first congestion (RFC 5681 3.1: arbitrarily high).
pub(crate) const NO_THRESHOLD: u64 = u64::MAX / 4;

impl Window {
    pub(crate) fn new(mss: u64) -> Window {
        Window {
            cwnd: Window::initial(mss),
            ssthresh: NO_THRESHOLD,
            mss,
        }
    }

    /// RFC 6928 2: ten segments. Where segments are huge, as on loopback, as Linux has it.
    pub(crate) fn initial(mss: u64) -> u64 {
        10 * mss
    }

    pub(crate) fn slow_start(&self) -> bool {
        self.cwnd < self.ssthresh
    }
}

/// What an acknowledgement says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) now: Time,
    /// Octets that are news.
    pub(crate) delivered: u64,
    /// And in all.
    pub(crate) delivered_total: u64,
    pub(crate) rtt: Option<Span>,
    pub(crate) smoothed: Span,
    /// Octets under way before and after it.
    pub(crate) prior_flying: u64,
    pub(crate) flying: u64,
    /// Octets found lost by it.
    pub(crate) newly_lost: u64,
    /// Positions acknowledged and sent.
    pub(crate) una: u64,
    pub(crate) nxt: u64,
    pub(crate) rate: Option<Rate>,
    /// The window, and not the program or the peer, has held something back.
    pub(crate) window_limited: bool,
    /// Between a loss and its repair.
    pub(crate) recovering: bool,
}

/// An algorithm at work for one connection.
pub(crate) trait Control: Debug + Send {
    /// An acknowledgement with news. An algorithm that does not [drive](Control::drives) sees none of a fast recovery.
    fn acknowledged(&mut self, window: &mut Window, sample: &Sample);

    /// Congestion: sets the threshold (and where it drives, what it likes).
    fn congested(&mut self, window: &mut Window, now: Time);

    /// A timeout: the threshold was set by [`Control::congested`], the window is one segment.
    fn timed_out(&mut self, window: &mut Window) {
        let _ = window;
    }

    /// The last congestion was none; the window is what it was.
    fn undone(&mut self, window: &mut Window) {
        let _ = window;
    }

    /// A recovery has ended.
    fn recovered(&mut self, window: &mut Window, now: Time) {
        let _ = (window, now);
    }

    /// Something is sent after silence.
    fn restarted(&mut self, window: &mut Window, now: Time, silence: Span) {
        let _ = (window, now, silence);
    }

    /// It sets the window itself at all times, and congestion events and proportional reduction are not for it.
    fn drives(&self) -> bool {
        false
    }

    /// Octets a second to pace at.
    fn pacing_rate(&self) -> Option<u64> {
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An acknowledgement of that many octets while the window is full.
    pub(crate) fn sample(delivered: u64) -> Sample {
        Sample {
            now: Time::default(),
            delivered,
            delivered_total: 0,
            rtt: None,
            smoothed: Span::ZERO,
            prior_flying: 0,
            flying: 0,
            newly_lost: 0,
            una: 0,
            nxt: 0,
            rate: None,
            window_limited: true,
            recovering: false,
        }
    }

    #[test]
    fn names_are_linuxs() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
        }
        assert_eq!(Algorithm::from_name("vegas"), None);
    }
}
