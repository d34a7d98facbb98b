//! Prepares a TCP packet for the link: one super-frame with metadata for a link that segments, or
//! whole segments with full checksums for one that doesn't.
//!
//! The segment size is the flow's, not smoltcp's, so that path MTU discovery can lower it. The MSS
//! option of our own SYN says what the link takes; smoltcp believes in 64 KiB.

use std::net::IpAddr;

use crate::checksum;
use crate::ethernet::HEADER;
use crate::meta::{FrameSink, PartialChecksum, Segmentation, TxMeta};
use crate::packet::{CWR, FIN, IpView, PSH, TCP, TCP_CHECKSUM, mss_at};

/// Headers of a TCP frame that smoltcp made, from the start of the Ethernet header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    v6: bool,
    /// Where the TCP header starts.
    l4: usize,
    /// Where the payload starts.
    payload: usize,
    src: IpAddr,
    dst: IpAddr,
}

impl Layout {
    /// The layout of a frame, if it is a well-formed TCP one.
    pub(crate) fn of(frame: &[u8]) -> Option<Layout> {
        let ip = IpView::parse_quoted(frame.get(HEADER..)?).filter(|ip| ip.protocol == TCP)?;
        let l4 = HEADER + ip.header_len;
        let payload = l4 + usize::from(frame.get(l4 + 12)? >> 4) * 4;
        (payload >= l4 + 20 && payload <= frame.len()).then_some(Layout {
            v6: ip.src.is_ipv6(),
            l4,
            payload,
            src: ip.src,
            dst: ip.dst,
        })
    }

    /// Bytes of all headers.
    pub(crate) fn header_len(&self) -> usize {
        self.payload
    }

    /// Bytes behind the headers.
    pub(crate) fn payload_len(&self, frame: &[u8]) -> usize {
        frame.len() - self.payload
    }

    /// Sets the MSS option of a SYN, if it has one.
    pub(crate) fn set_mss(&self, frame: &mut [u8], mss: u16) {
        if let Some(at) = mss_at(&frame[self.l4..]) {
            frame[self.l4 + at..self.l4 + at + 2].copy_from_slice(&mss.to_be_bytes());
        }
    }

    /// For a link that segments and sums: the field gets the folded sum of the pseudo-header, not
    /// inverted (virtio 1.2, 5.1.6.2).
    pub(crate) fn partial(&self, frame: &mut [u8], mss: u16) -> TxMeta {
        let len = frame.len() - self.l4;
        let pseudo = checksum::fold(checksum::pseudo(self.src, self.dst, TCP, len));
        let field = self.l4 + TCP_CHECKSUM;
        frame[field..field + 2].copy_from_slice(&pseudo.to_be_bytes());
        let offset = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
        let cut = self.payload_len(frame) > usize::from(mss);
        TxMeta {
            csum: Some(PartialChecksum {
                start: offset(self.l4),
                offset: offset(TCP_CHECKSUM),
            }),
            gso: cut.then_some(Segmentation {
                v6: self.v6,
                hdr_len: offset(self.payload),
                size: mss,
            }),
        }
    }

    /// For a link that does neither: cuts the frame into segments, each put together in `piece`.
    /// Gives how many there were, and how many bytes.
    pub(crate) fn cut(
        &self,
        frame: &mut [u8],
        mss: u16,
        piece: &mut Vec<u8>,
        sink: &mut dyn FrameSink,
    ) -> (usize, usize) {
        let size = usize::from(mss.max(1));
        if self.payload_len(frame) <= size {
            crate::packet::build::tcp_checksum(&mut frame[HEADER..]);
            sink.send(&TxMeta::default(), frame);
            return (1, frame.len());
        }
        let (mut count, mut bytes) = (0, 0);
        let last = (self.payload_len(frame) - 1) / size;
        for (index, part) in frame[self.payload..].chunks(size).enumerate() {
            piece.clear();
            piece.extend_from_slice(&frame[..self.payload]);
            piece.extend_from_slice(part);
            self.fix_headers(piece, index * size, index == last);
            sink.send(&TxMeta::default(), piece);
            count += 1;
            bytes += piece.len();
        }
        (count, bytes)
    }

    /// What a network card does to each segment's headers: lengths, sequence number, FIN and PSH
    /// on the last only, CWR on the first, checksums.
    fn fix_headers(&self, piece: &mut [u8], offset: usize, last: bool) {
        let ip_len = piece.len() - HEADER;
        if self.v6 {
            let len = u16::try_from(ip_len - 40).unwrap_or(u16::MAX);
            piece[HEADER + 4..HEADER + 6].copy_from_slice(&len.to_be_bytes());
        } else {
            let len = u16::try_from(ip_len).unwrap_or(u16::MAX);
            piece[HEADER + 2..HEADER + 4].copy_from_slice(&len.to_be_bytes());
            piece[HEADER + 10..HEADER + 12].fill(0);
            let sum = checksum::finish(checksum::sum(&piece[HEADER..self.l4]));
            piece[HEADER + 10..HEADER + 12].copy_from_slice(&sum);
        }
        let at = self.l4 + 4;
        let seq = u32::from_be_bytes([piece[at], piece[at + 1], piece[at + 2], piece[at + 3]]);
        let seq = seq.wrapping_add(u32::try_from(offset).unwrap_or(0));
        piece[at..at + 4].copy_from_slice(&seq.to_be_bytes());
        if !last {
            piece[self.l4 + 13] &= !(FIN | PSH);
        }
        if offset > 0 {
            piece[self.l4 + 13] &= !CWR;
        }
        crate::packet::build::tcp_checksum(&mut piece[HEADER..]);
    }
}
