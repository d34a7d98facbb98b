//! A connection's timestamps (RFC 7323 3 to 5): what its segments carry, which of the peer's are old, and when what
//! the peer echoes was sent.

use smoltcp::time::{Duration, Instant};

use crate::flow::FlowKey;
use crate::hash::SipKey;
use crate::packet::TcpView;
use crate::packet::options::Stamp;
use crate::seq::Seq;

/// RFC 7323 5.5: a peer that was silent for longer may have a clock that went round.
const PAWS_AGE: Duration = Duration::from_secs(24 * 24 * 3600);

/// The timestamps of a connection: a clock, a tick a millisecond as Linux's, and the peer's latest stamp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamps {
    /// Both SYNs had one.
    pub(crate) on: bool,
    offset: u32,
    /// TS.Recent, and since when.
    recent: u32,
    recent_at: Instant,
}

impl Stamps {
    /// RFC 7323 5.4, 7.1: an offset that only the pair of hosts knows, so that the clock goes on from one of
    /// their connections to the next and tells nobody else anything.
    pub(crate) fn new(key: &SipKey, flow: &FlowKey) -> Stamps {
        let [hosts @ .., _ports] = flow.words();
        #[expect(clippy::cast_possible_truncation, reason = "32 bits of the hash")]
        let offset = key.hash(&hosts) as u32;
        Stamps {
            on: false,
            offset,
            recent: 0,
            recent_at: Instant::ZERO,
        }
    }

    /// The peer's SYN.
    pub(crate) fn agree(&mut self, theirs: Option<Stamp>, now: Instant) {
        self.on = theirs.is_some();
        if let Some(stamp) = theirs {
            (self.recent, self.recent_at) = (stamp.value, now);
        }
    }

    /// Octets that they take of each segment, padding included.
    pub(crate) fn len(&self) -> u16 {
        if self.on { 12 } else { 0 }
    }

    /// TSval.
    pub(crate) fn value(&self, now: Instant) -> u32 {
        ticks(now).wrapping_add(self.offset)
    }

    /// What a segment that leaves now carries.
    pub(crate) fn stamp(&self, now: Instant) -> Option<Stamp> {
        self.on.then(|| Stamp {
            value: self.value(now),
            echo: self.recent,
        })
    }

    /// RFC 7323 5.3 R1: the segment is from before what has come last. As in Linux (`TCP_PAWS_WINDOW`) a tick less is not.
    pub(crate) fn is_old(&self, theirs: Stamp, now: Instant) -> bool {
        self.on
            && before(theirs.value.wrapping_add(1), self.recent)
            && now - self.recent_at < PAWS_AGE
    }

    /// How long before the latest it was made.
    pub(crate) fn lateness(&self, theirs: Stamp) -> Duration {
        Duration::from_millis(self.recent.wrapping_sub(theirs.value).into())
    }

    /// A later stamp, as a new SYN has to have it in TIME-WAIT (RFC 6191 2).
    pub(crate) fn is_later(&self, theirs: Stamp) -> bool {
        self.on && before(self.recent, theirs.value)
    }

    /// RFC 7323 4.3 (2): what starts where the peer was last told, or before, is the next to be echoed.
    pub(crate) fn take(&mut self, theirs: Stamp, tcp: &TcpView, last_ack: Seq, now: Instant) {
        if self.on && !tcp.seq.after(last_ack) && !before(theirs.value, self.recent) {
            (self.recent, self.recent_at) = (theirs.value, now);
        }
    }

    /// When what the peer echoes was sent, or up to a millisecond before. `None` when it echoes nothing, or what is yet
    /// to come.
    pub(crate) fn echoed(&self, theirs: Stamp, now: Instant) -> Option<Instant> {
        let age = self.value(now).wrapping_sub(theirs.echo).cast_signed();
        let at = now.total_millis() - i64::from(age);
        let sane = self.on && theirs.echo != 0 && age >= 0 && at >= 0;
        sane.then(|| Instant::from_millis(at))
    }
}

/// A millisecond each.
fn ticks(now: Instant) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 on purpose")]
    #[expect(clippy::cast_sign_loss, reason = "modulo 2^32 on purpose")]
    let ticks = now.total_millis() as u32;
    ticks
}

/// Modulo 2^32, as sequence numbers.
fn before(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() < 0
}

#[cfg(test)]
mod tests;
