//! What a connection measures of itself for those who ask (TCP_INFO): round-trip times by RFC 6298,
//! segments and octets both ways, what was sent again. smoltcp has an estimator of its own, which it
//! keeps to itself; nothing here decides anything.

use smoltcp::time::{Duration, Instant};

use crate::seq::Seq;

/// What was measured so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Smoothed round-trip time; zero before the first sample.
    pub rtt: Duration,
    /// Its variation.
    pub rtt_variation: Duration,
    /// The least sample.
    pub rtt_least: Duration,
    /// Octets sent and not acknowledged.
    pub in_flight: u32,
    /// Times that the oldest octet not acknowledged was sent again.
    pub retransmits: u32,
    /// Segments sent again.
    pub retransmitted_segments: u32,
    /// Octets sent again.
    pub retransmitted_octets: u64,
    /// Octets sent, again or not.
    pub sent_octets: u64,
    /// Sequence numbers acknowledged by the peer.
    pub acked: u64,
    /// Segments sent, and those of them with data.
    pub segments_out: (u32, u32),
    /// Segments received, and those of them with data.
    pub segments_in: (u32, u32),
    /// Data was sent last; `None`: never.
    pub data_sent: Option<Instant>,
    /// Data came last.
    pub data_received: Option<Instant>,
    /// An acknowledgement came last.
    pub ack_received: Option<Instant>,
    /// Shift of the window we advertise.
    pub window_shift: u8,
}

/// The meter of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) seen: Measures,
    /// A segment that a sample is taken of: its end, and when it left.
    timed: Option<(Seq, Instant)>,
}

impl Meter {
    /// A frame with the octets from `seq` to `end` leaves, in segments of `mss`. `next` is what had
    /// been sent before.
    pub(crate) fn sent(&mut self, seq: Seq, end: Seq, next: Seq, mss: u16, now: Instant) {
        let octets = u32::try_from(end.since(seq)).unwrap_or(0);
        let again = u32::try_from(next.since(seq)).unwrap_or(0).min(octets);
        let segments = segments(octets, mss);
        self.seen.segments_out.0 = self.seen.segments_out.0.wrapping_add(segments.max(1));
        if octets == 0 {
            return;
        }
        self.seen.segments_out.1 = self.seen.segments_out.1.wrapping_add(segments);
        self.seen.sent_octets += u64::from(octets);
        self.seen.data_sent = Some(now);
        if again > 0 {
            self.seen.retransmits += 1;
            self.seen.retransmitted_octets += u64::from(again);
            let again = self::segments(again, mss);
            self.seen.retransmitted_segments = self.seen.retransmitted_segments.wrapping_add(again);
            // Which of the two is acknowledged nobody knows (Karn's algorithm, RFC 6298 3).
            self.timed = None;
        } else if self.timed.is_none() {
            self.timed = Some((end, now));
        }
    }

    /// A segment has come with that much data.
    pub(crate) fn received(&mut self, octets: u32, mss: u16, now: Instant) {
        let count = segments(octets, mss);
        self.seen.segments_in.0 = self.seen.segments_in.0.wrapping_add(count.max(1));
        if octets > 0 {
            self.seen.segments_in.1 = self.seen.segments_in.1.wrapping_add(count);
            self.seen.data_received = Some(now);
        }
    }

    /// The peer acknowledges up to `ack`, from `una` on.
    pub(crate) fn acknowledged(&mut self, una: Seq, ack: Seq, now: Instant) {
        self.seen.acked += u64::try_from(ack.since(una)).unwrap_or(0);
        self.seen.retransmits = 0;
        self.seen.ack_received = Some(now);
        if let Some((end, left)) = self.timed
            && !end.after(ack)
        {
            self.timed = None;
            self.sample(now - left);
        }
    }

    /// RFC 6298 2.2 and 2.3.
    fn sample(&mut self, rtt: Duration) {
        let seen = &mut self.seen;
        if seen.rtt == Duration::ZERO {
            seen.rtt = rtt;
            seen.rtt_variation = rtt / 2;
            seen.rtt_least = rtt;
            return;
        }
        let off = seen.rtt.max(rtt) - seen.rtt.min(rtt);
        seen.rtt_variation = (seen.rtt_variation * 3 + off) / 4;
        seen.rtt = (seen.rtt * 7 + rtt) / 8;
        seen.rtt_least = seen.rtt_least.min(rtt);
    }
}

fn segments(octets: u32, mss: u16) -> u32 {
    octets.div_ceil(u32::from(mss.max(1)))
}

#[cfg(test)]
mod tests;
