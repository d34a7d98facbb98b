//! Segments that are too large for the path: learnt from ICMP (RFC 1191, RFC 8201), or, where nothing is heard,
//! from timeouts in a row (RFC 4821 7.7, as Linux's `tcp_mtu_probing`).

use crate::time::{Span, Time};

/// RFC 4821 7.2, Linux's `TCP_BASE_MSS`: what nearly every path takes.
const BASE: u64 = 1024;
/// Smaller segments than these solve nothing (RFC 4821 7.7).
const FLOOR: u64 = 512;
/// Timeouts in a row that make a black hole (Linux's `tcp_retries1`).
const TIMEOUTS: u32 = 3;
/// RFC 4821 7.7: larger segments are tried again after that.
const AGAIN: Span = Span::from_secs(600);
/// The first trial: an outage looks like a black hole, too.
const SOON: Span = Span::from_secs(1);

/// What the search for the segment size is at.
#[derive(Debug, Default)]
pub(crate) struct Mtu {
    /// The size before timeouts lowered it, and when it is tried next.
    wanted: Option<(u64, Time)>,
    /// A segment of that size is under way: its positions.
    probe: Option<(u64, u64)>,
}

impl Mtu {
    /// A timeout, one of `backoff` in a row: the size to use from now on, if that is news.
    pub(crate) fn timed_out(&mut self, backoff: u32, mss: u64, now: Time) -> Option<u64> {
        self.probe = None;
        if backoff < TIMEOUTS || mss <= FLOOR {
            return None;
        }
        let lower = if mss > BASE {
            BASE
        } else {
            (mss / 2).max(FLOOR)
        };
        let wanted = self.wanted.map_or(mss, |(wanted, _)| wanted);
        self.wanted = Some((wanted, now + SOON));
        Some(lower)
    }

    /// The size to probe with, when it is time.
    pub(crate) fn trial(&self, now: Time) -> Option<u64> {
        self.wanted
            .filter(|(_, at)| *at <= now && self.probe.is_none())
            .map(|(wanted, _)| wanted)
    }

    /// A probe leaves.
    pub(crate) fn probing(&mut self, start: u64, end: u64, now: Time) {
        self.probe = Some((start, end));
        if let Some((_, at)) = &mut self.wanted {
            *at = now + AGAIN;
        }
    }

    /// Everything before `una` has arrived: the size from now on, if a probe was among it.
    pub(crate) fn acknowledged(&mut self, una: u64) -> Option<u64> {
        let (_, end) = self.probe.filter(|(_, end)| *end <= una)?;
        let _ = end;
        self.probe = None;
        self.wanted.take().map(|(wanted, _)| wanted)
    }

    /// What is lost may be the probe, and says nothing of congestion then (RFC 4821 7.6.2): whether it is only that.
    pub(crate) fn lost(&mut self, start: u64, end: u64) -> bool {
        let is_probe = self.probe == Some((start, end));
        if is_probe {
            self.probe = None;
        }
        is_probe
    }

    /// ICMP has told a size: nothing to search for above it.
    pub(crate) fn told(&mut self) {
        *self = Mtu::default();
    }
}
