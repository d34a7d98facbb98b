//! The Internet checksum (RFC 1071).

use std::net::IpAddr;

/// The running sum of some bytes, not folded. Only the last part of a packet may be odd.
pub(crate) fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let mut total: u64 = words
        .iter()
        .map(|word| u64::from(u32::from_be_bytes(*word)))
        .sum();
    for pair in rest.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        total += u64::from(u16::from_be_bytes([pair[0], low]));
    }
    total
}

/// The sum of the pseudo-header (RFC 9293 3.1, RFC 8200 8.1).
pub(crate) fn pseudo(src: IpAddr, dst: IpAddr, protocol: u8, len: usize) -> u64 {
    let addresses = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => sum(&src.octets()) + sum(&dst.octets()),
        (IpAddr::V6(src), IpAddr::V6(dst)) => sum(&src.octets()) + sum(&dst.octets()),
        // Never on one packet.
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => 0,
    };
    addresses + u64::from(protocol) + len as u64
}

/// Folds a sum to 16 bits, not inverted.
#[expect(clippy::cast_possible_truncation, reason = "folded below 2^16")]
pub(crate) fn fold(mut total: u64) -> u16 {
    while total >> 16 != 0 {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

/// The field that makes a sum come out right.
pub(crate) fn finish(total: u64) -> [u8; 2] {
    (!fold(total)).to_be_bytes()
}

/// Whether bytes that hold their checksum add up.
pub(crate) fn valid(total: u64) -> bool {
    fold(total) == 0xffff
}
