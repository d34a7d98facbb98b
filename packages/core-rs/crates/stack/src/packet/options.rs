//! Options of the TCP headers that the stack writes (RFC 9293 3.2), and the timestamps in those it reads.

use super::tcp_option;
use crate::seq::Seq;

const NOP: u8 = 1;
/// Kinds: RFC 2018 3, RFC 7323 3.2.
pub(crate) const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;
/// As much as a header has room for (RFC 9293 3.1).
const ROOM: usize = 40;

/// TSval and TSecr (RFC 7323 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) value: u32,
    pub(crate) echo: u32,
}

/// Octets from the first on, up to the second.
pub(crate) type Block = (Seq, Seq);

/// The options of one header, padded to whole words.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    bytes: [u8; ROOM],
    len: usize,
}

impl Options {
    /// None but timestamps.
    pub(crate) fn new(stamp: Option<Stamp>) -> Options {
        let mut options = Options {
            bytes: [0; ROOM],
            len: 0,
        };
        if let Some(stamp) = stamp {
            // RFC 7323 appendix A: where fast paths look for it.
            options.put(&[NOP, NOP, TIMESTAMPS, 10]);
            options.put(&stamp.value.to_be_bytes());
            options.put(&stamp.echo.to_be_bytes());
        }
        options
    }

    /// Adds as many blocks as there is room for.
    pub(crate) fn sack(&mut self, blocks: impl Iterator<Item = Block>) {
        let head = self.len;
        let most = (ROOM - head).saturating_sub(4) / 8;
        for (start, end) in blocks.take(most) {
            if self.len == head {
                self.put(&[NOP, NOP, SACK, 2]);
            }
            self.put(&start.0.to_be_bytes());
            self.put(&end.0.to_be_bytes());
            self.bytes[head + 3] += 8;
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.bytes[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}

/// Where TSval stands in a segment whose header was checked; TSecr follows.
pub(crate) fn stamp_at(segment: &[u8]) -> Option<usize> {
    // As nearly everybody writes it.
    if segment.len() >= 32 && segment[12] >> 4 == 8 && segment[20..24] == [NOP, NOP, TIMESTAMPS, 10]
    {
        return Some(24);
    }
    tcp_option(segment, TIMESTAMPS)
        .filter(|(_, len)| *len == 8)
        .map(|(at, _)| at)
}

/// The timestamps of a segment.
pub(crate) fn stamp(segment: &[u8]) -> Option<Stamp> {
    let at = stamp_at(segment)?;
    let number = |at: usize| {
        u32::from_be_bytes([
            segment[at],
            segment[at + 1],
            segment[at + 2],
            segment[at + 3],
        ])
    };
    Some(Stamp {
        value: number(at),
        echo: number(at + 4),
    })
}

#[cfg(test)]
mod tests;
