//! Names of protocol control blocks.

/// Names one protocol control block. An id is never used for another one: a stale id is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PcbId(u64);

impl PcbId {
    pub(crate) fn new(slot: u32, generation: u32) -> PcbId {
        PcbId(u64::from(generation) << 32 | u64::from(slot))
    }

    /// The number, for logs and listings.
    pub const fn raw(self) -> u64 {
        self.0
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low half is the slot")]
    pub(crate) const fn slot(self) -> usize {
        self.0 as u32 as usize
    }

    pub(crate) const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}
