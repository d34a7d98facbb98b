//! What a peer is told of what came out of order (RFC 2018) and twice (RFC 2883). smoltcp reports one block; the blocks
//! it has reported before are still true, for it never gives up what it has, so they are repeated behind it.

use crate::checksum;
use crate::packet::options::{Block, Options, SACK, Stamp};
use crate::packet::{IpView, tcp_option};
use crate::seq::Seq;

/// As many as an option holds.
pub(crate) const BLOCKS: usize = 4;

/// The blocks reported last, the newest first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reported {
    blocks: [Block; BLOCKS],
    count: usize,
}

impl Reported {
    /// A segment has come although everything before `next` has, and the blocks: what of it is a duplicate.
    pub(crate) fn duplicate(&self, segment: Block, next: Seq) -> Option<Block> {
        let (start, end) = segment;
        let known = !end.after(next)
            || self
                .iter()
                .any(|(from, to)| !from.after(start) && !end.after(to));
        (end.after(start) && known).then_some(segment)
    }

    fn iter(&self) -> impl Iterator<Item = Block> + '_ {
        self.blocks[..self.count].iter().copied()
    }

    /// Takes in the block that is reported now, and forgets what is acknowledged or part of it.
    fn report(&mut self, now: Option<Block>, next: Seq) {
        let mut kept = Reported::default();
        let apart =
            |(from, to): Block| now.is_none_or(|(start, end)| start.after(to) || from.after(end));
        let former = self
            .iter()
            .filter(|block| block.1.after(next) && apart(*block));
        for block in now.into_iter().chain(former).take(BLOCKS) {
            kept.blocks[kept.count] = block;
            kept.count += 1;
        }
        *self = kept;
    }

    /// The blocks that are still to be told, the newest first.
    pub(crate) fn beyond(&self, next: Seq) -> impl Iterator<Item = Block> + '_ {
        self.iter().filter(move |block| block.1.after(next))
    }

    /// Writes the options of an acknowledgement that smoltcp has made, at the start of `room`, `len` bytes long, anew:
    /// first a duplicate, then what is newest. Gives the packet's length.
    pub(crate) fn complete(
        &mut self,
        room: &mut [u8],
        len: usize,
        next: Seq,
        duplicate: Option<Block>,
        stamp: Option<Stamp>,
    ) -> usize {
        let Some(l4) = IpView::parse_quoted(&room[..len]).map(|ip| ip.header_len) else {
            return len;
        };
        let mut found = [(0, 0); BLOCKS];
        let now =
            (blocks(&room[l4..len], &mut found) > 0).then(|| (Seq(found[0].0), Seq(found[0].1)));
        self.report(now, next);
        let mut options = Options::new(stamp);
        options.sack(duplicate.into_iter().chain(self.iter()));
        let start = l4 + 20;
        let end = start + options.as_slice().len();
        room[start..end].copy_from_slice(options.as_slice());
        room[l4 + 12] = u8::try_from((end - l4) / 4).unwrap_or(5) << 4;
        set_length(&mut room[..end], l4);
        end
    }
}

/// The blocks of a segment; how many there are.
pub(crate) fn blocks(segment: &[u8], out: &mut [(u32, u32); BLOCKS]) -> usize {
    let Some((at, len)) = tcp_option(segment, SACK) else {
        return 0;
    };
    let mut count = 0;
    for (pair, block) in segment[at..at + len].chunks_exact(8).zip(out.iter_mut()) {
        let number =
            |at: usize| u32::from_be_bytes([pair[at], pair[at + 1], pair[at + 2], pair[at + 3]]);
        *block = (number(0), number(4));
        count += 1;
    }
    count
}

/// Sets the length of an IP packet without options to what it is.
fn set_length(packet: &mut [u8], l4: usize) {
    let length = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    if packet[0] >> 4 == 4 {
        let total = length(packet.len());
        packet[2..4].copy_from_slice(&total);
        packet[10..12].fill(0);
        let sum = checksum::finish(checksum::sum(&packet[..l4]));
        packet[10..12].copy_from_slice(&sum);
    } else {
        let payload = length(packet.len() - l4);
        packet[4..6].copy_from_slice(&payload);
    }
}

#[cfg(test)]
mod tests;
