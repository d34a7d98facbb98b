//! What a sender shows of itself: what `TCP_INFO` and `netcon show` tell.

use crate::Algorithm;
use crate::time::Span;

/// Totals of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Octets sent, repeated ones included.
    pub sent: u64,
    /// Octets sent again.
    pub resent: u64,
    /// Segments sent again.
    pub retransmissions: u64,
    /// Timeouts.
    pub timeouts: u64,
    /// Probes of the tail (RFC 8985 7).
    pub tail_probes: u64,
    /// Probes of a window that is shut.
    pub window_probes: u64,
    /// Recoveries without a timeout.
    pub recoveries: u64,
    /// Reductions of the window that were taken back.
    pub undone: u64,
    /// Duplicates reported by the peer (RFC 2883).
    pub duplicates: u64,
    /// Octets found lost.
    pub lost: u64,
    /// Acknowledgements taken in.
    pub acks: u64,
    /// Congestion told by ECN (RFC 3168).
    pub marks: u64,
}

/// The present state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// What it is controlled by.
    pub algorithm: Algorithm,
    /// The congestion window in octets.
    pub cwnd: u64,
    /// The threshold of slow start in octets; `None` before the first congestion.
    pub ssthresh: Option<u64>,
    /// The smoothed round-trip time.
    pub srtt: Option<Span>,
    /// Its variation.
    pub rttvar: Span,
    /// The least round-trip time of late.
    pub min_rtt: Span,
    /// The timeout, doubled as often as it has passed.
    pub rto: Span,
    /// Timeouts or window probes since anything was acknowledged.
    pub backoff: u32,
    /// Octets under way.
    pub in_flight: u64,
    /// Octets lost and not sent again.
    pub lost: u64,
    /// Octets selectively acknowledged.
    pub sacked: u64,
    /// Octets sent and not acknowledged.
    pub unacked: u64,
    /// Octets not sent yet.
    pub unsent: u64,
    /// The peer's window in octets.
    pub peer_window: u64,
    /// Payload of a full segment.
    pub mss: u16,
    /// Octets a second, when paced.
    pub pacing_rate: Option<u64>,
    /// Octets a second that the peer got when it was last measured.
    pub delivery_rate: u64,
    /// Octets the peer is known to have got.
    pub delivered: u64,
    /// Recovering from loss; after a timeout when the second is set, too.
    pub recovering: bool,
    /// Recovering after a timeout.
    pub timed_out: bool,
    /// Reordering was seen.
    pub reordering: bool,
    /// Totals.
    pub stats: Stats,
}
