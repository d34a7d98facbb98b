//! The address blocks of `NETCON_BYPASS`.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address block, `ADDRESS/BITS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cidr {
    /// The address as a number; an IPv4 address stands in the upper 32 bits.
    bits: u128,
    prefix: u8,
    v6: bool,
}

impl Cidr {
    /// Reads `ADDRESS` or `ADDRESS/BITS`.
    pub(crate) fn parse(text: &[u8]) -> Option<Cidr> {
        let slash = text.iter().position(|&byte| byte == b'/');
        let (address, prefix) = match slash {
            Some(at) => (text.get(..at)?, Some(text.get(at.checked_add(1)?..)?)),
            None => (text, None),
        };
        let ip = match inet(address) {
            Some(v4) => IpAddr::V4(Ipv4Addr::from_bits(v4)),
            None => IpAddr::V6(Ipv6Addr::from_bits(inet6(address)?)),
        };
        let (bits, width, v6) = number(ip);
        let prefix = match prefix {
            Some(digits) => decimal(digits)?,
            None => width,
        };
        let width = u32::from(width);
        (u32::from(prefix) <= width).then_some(Cidr { bits, prefix, v6 })
    }

    /// Whether the block holds `ip`; a v4-mapped address counts as its IPv4 address.
    pub(crate) fn contains(&self, ip: IpAddr) -> bool {
        let (bits, _, v6) = number(ip.to_canonical());
        let mask = u128::MAX
            .checked_shl(128 - u32::from(self.prefix))
            .unwrap_or(0);
        v6 == self.v6 && (bits ^ self.bits) & mask == 0
    }
}

fn number(ip: IpAddr) -> (u128, u8, bool) {
    match ip {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32, false),
        IpAddr::V6(v6) => (v6.to_bits(), 128, true),
    }
}

/// Reads an address without a prefix.
pub(crate) fn address(text: &[u8]) -> Option<IpAddr> {
    match inet(text) {
        Some(bits) => Some(IpAddr::V4(Ipv4Addr::from_bits(bits))),
        None if text.contains(&b':') => {
            inet6(text).map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
        }
        None => None,
    }
}

/// Reads `a.b.c.d`. The parsers of `core::net` can panic as far as the linker knows.
fn inet(text: &[u8]) -> Option<u32> {
    let mut bits = 0_u32;
    let mut count = 0;
    for part in text.split(|&byte| byte == b'.') {
        bits = bits << 8 | u32::from(decimal(part)?);
        count += 1;
    }
    (count == 4).then_some(bits)
}

/// Reads an IPv6 address (RFC 4291 2.2), without an embedded IPv4 one.
fn inet6(text: &[u8]) -> Option<u128> {
    let gap = text.windows(2).position(|pair| pair == b"::");
    let Some(gap) = gap else {
        let (bits, count) = groups(text)?;
        return (count == 8).then_some(bits);
    };
    let (high, before) = groups(text.get(..gap)?)?;
    let (low, after) = groups(text.get(gap.checked_add(2)?..)?)?;
    if before + after > 7 {
        return None;
    }
    Some(high.checked_shl(16 * (8 - before)).unwrap_or(0) | low)
}

/// Reads groups of hexadecimal digits: their bits and how many there are.
fn groups(text: &[u8]) -> Option<(u128, u32)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let mut bits = 0_u128;
    let mut count = 0;
    for group in text.split(|&byte| byte == b':') {
        if group.is_empty() || group.len() > 4 || count == 8 {
            return None;
        }
        let value = group.iter().try_fold(0_u128, |sum, &byte| {
            let digit = char::from(byte).to_digit(16)?;
            Some(sum << 4 | u128::from(digit))
        })?;
        bits = bits << 16 | value;
        count += 1;
    }
    Some((bits, count))
}

fn decimal(digits: &[u8]) -> Option<u8> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u8, |sum, &byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

#[cfg(test)]
mod tests;
