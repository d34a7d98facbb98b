//! What a connection counts for those who ask (TCP_INFO) and the sender does not know: segments both ways, and when
//! they came and went. Nothing here decides anything.

use smoltcp::time::Instant;

/// What was counted so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Segments sent, and those of them with data.
    pub segments_out: (u32, u32),
    /// Segments received, and those of them with data.
    pub segments_in: (u32, u32),
    /// Data was sent last; `None`: never.
    pub data_sent: Option<Instant>,
    /// Data came last.
    pub data_received: Option<Instant>,
    /// An acknowledgement of something new came last.
    pub ack_received: Option<Instant>,
    /// Shifts of the windows that the peer and that we advertise (RFC 7323 2).
    pub window_shifts: (u8, u8),
    /// Both sides speak SACK (RFC 2018).
    pub sack: bool,
    /// Both sides send timestamps (RFC 7323 3).
    pub timestamps: bool,
}

/// The meter of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) seen: Measures,
}

impl Meter {
    /// A frame leaves with that many octets of data, in segments of `mss`.
    pub(crate) fn sent(&mut self, octets: u32, mss: u16, now: Instant) {
        count(&mut self.seen.segments_out, octets, mss);
        if octets > 0 {
            self.seen.data_sent = Some(now);
        }
    }

    /// A segment has come with that much data.
    pub(crate) fn received(&mut self, octets: u32, mss: u16, now: Instant) {
        count(&mut self.seen.segments_in, octets, mss);
        if octets > 0 {
            self.seen.data_received = Some(now);
        }
    }

    /// The peer acknowledges something new.
    pub(crate) fn acknowledged(&mut self, now: Instant) {
        self.seen.ack_received = Some(now);
    }
}

fn count((all, with_data): &mut (u32, u32), octets: u32, mss: u16) {
    let segments = octets.div_ceil(u32::from(mss.max(1)));
    *all = all.wrapping_add(segments.max(1));
    *with_data = with_data.wrapping_add(segments);
}

#[cfg(test)]
mod tests;
