//! Building a line of text in a fixed buffer.
//!
//! `core::fmt` can panic and is large. What doesn't fit is cut off.

use core::net::IpAddr;

use netcon_wire::SockAddr;

/// A line under construction.
pub(crate) struct Line<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Line<N> {
    /// An empty line.
    pub(crate) const fn new() -> Self {
        Line {
            bytes: [0; N],
            len: 0,
        }
    }

    /// What has been written.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    /// Appends bytes.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        let free = self.bytes.get_mut(self.len..).unwrap_or(&mut []);
        let mut written = 0;
        for (to, from) in free.iter_mut().zip(bytes) {
            *to = *from;
            written += 1;
        }
        self.len += written;
        self
    }

    /// Appends a str.
    pub(crate) fn str(&mut self, text: &str) -> &mut Self {
        self.bytes(text.as_bytes())
    }

    /// Appends a decimal number.
    pub(crate) fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.bytes(b"-");
        }
        self.digits(value.unsigned_abs(), 10)
    }

    /// Appends `0x` and a hexadecimal number.
    pub(crate) fn hex(&mut self, value: u64) -> &mut Self {
        self.bytes(b"0x").digits(value, 16)
    }

    fn digits(&mut self, mut value: u64, base: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut used = 0;
        for slot in digits.iter_mut().rev() {
            // Below 16, so it fits.
            #[allow(clippy::cast_possible_truncation)]
            let digit = (value % base) as u8;
            *slot = if digit < 10 {
                b'0' + digit
            } else {
                b'a' + digit - 10
            };
            used += 1;
            value /= base;
            if value == 0 {
                break;
            }
        }
        let start = digits.len() - used;
        self.bytes(digits.get(start..).unwrap_or(&[]))
    }

    /// Appends `1.2.3.4:80` or `[::1]:80`; IPv6 groups are not shortened beyond one zero each.
    pub(crate) fn address(&mut self, addr: &SockAddr) -> &mut Self {
        match addr.ip {
            IpAddr::V4(ip) => {
                for (n, octet) in ip.octets().into_iter().enumerate() {
                    if n > 0 {
                        self.bytes(b".");
                    }
                    self.digits(u64::from(octet), 10);
                }
            }
            IpAddr::V6(ip) => {
                self.bytes(b"[");
                for (n, group) in ip.segments().into_iter().enumerate() {
                    if n > 0 {
                        self.bytes(b":");
                    }
                    self.digits(u64::from(group), 16);
                }
                self.bytes(b"]");
            }
        }
        self.bytes(b":").digits(u64::from(addr.port), 10)
    }
}

#[cfg(test)]
mod tests;
