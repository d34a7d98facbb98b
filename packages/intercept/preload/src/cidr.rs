//! The address blocks of `NETCON_BYPASS`.

use core::net::IpAddr;

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
        let ip = core::str::from_utf8(address).ok()?.parse().ok()?;
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
