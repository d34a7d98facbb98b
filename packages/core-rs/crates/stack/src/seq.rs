//! Sequence numbers: arithmetic modulo 2^32 (RFC 9293 3.4).

/// A sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seq(pub(crate) u32);

impl Seq {
    /// The number `n` octets later.
    pub(crate) const fn plus(self, n: u32) -> Seq {
        Seq(self.0.wrapping_add(n))
    }

    /// How far it is ahead of `other`; negative when behind.
    pub(crate) const fn since(self, other: Seq) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// Whether it comes after `other`.
    pub(crate) const fn after(self, other: Seq) -> bool {
        self.since(other) > 0
    }

    /// Whether it lies in `[start, start + len)`.
    pub(crate) const fn within(self, start: Seq, len: u32) -> bool {
        self.0.wrapping_sub(start.0) < len
    }
}
