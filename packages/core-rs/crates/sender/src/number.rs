//! Conversions between octet counts and floating point, in one place.

/// Exact below 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of octets stay below 2^53"
)]
pub(crate) const fn float(count: u64) -> f64 {
    count as f64
}

/// Rounded towards zero; negative numbers and NaN are 0, what is too large is the largest.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates"
)]
pub(crate) const fn whole(number: f64) -> u64 {
    number as u64
}

/// The last 32 bits: positions in a stream become sequence numbers.
#[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 on purpose")]
pub(crate) const fn wire(position: u64) -> u32 {
    position as u32
}

/// A length that is in memory.
pub(crate) fn length(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
