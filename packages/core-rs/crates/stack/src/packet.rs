//! Views of received IP packets: only what the demultiplexer has to know. A view can't be made of
//! a packet whose lengths lie.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum;
use crate::seq::Seq;

pub(crate) mod build;
pub(crate) mod options;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const ICMPV6: u8 = 58;

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;
/// RFC 3168 6.1: congestion was experienced; the window was reduced.
pub(crate) const ECE: u8 = 0x40;
pub(crate) const CWR: u8 = 0x80;
/// RFC 3168 5: ECN-capable transport, and congestion experienced, in the IP header.
pub(crate) const ECT: u8 = 2;
pub(crate) const CE: u8 = 3;

/// Offset of the checksum in a TCP header.
pub(crate) const TCP_CHECKSUM: usize = 16;

/// An IP packet, cut to the length its header states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IpView<'a> {
    pub(crate) packet: &'a [u8],
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) hop_limit: u8,
    pub(crate) header_len: usize,
    /// A piece of a larger packet.
    pub(crate) fragment: bool,
}

impl<'a> IpView<'a> {
    /// `None` when the packet is malformed. The IPv4 header checksum is verified.
    pub(crate) fn parse(packet: &'a [u8]) -> Option<IpView<'a>> {
        let view = IpView::parse_quoted(packet)?;
        let total = match view.dst {
            IpAddr::V4(_) => usize::from(u16::from_be_bytes([packet[2], packet[3]])),
            IpAddr::V6(_) => 40 + usize::from(u16::from_be_bytes([packet[4], packet[5]])),
        };
        let whole = packet
            .get(..total)
            .filter(|whole| whole.len() >= view.header_len)?;
        if view.dst.is_ipv4() && !checksum::valid(checksum::sum(&whole[..view.header_len])) {
            return None;
        }
        Some(IpView {
            packet: whole,
            ..view
        })
    }

    /// The beginning of a packet, as ICMP errors quote it: it may be cut short.
    pub(crate) fn parse_quoted(packet: &'a [u8]) -> Option<IpView<'a>> {
        match packet.first()? >> 4 {
            4 => {
                let header_len = usize::from(packet[0] & 15) * 4;
                let header = packet.get(..header_len).filter(|h| h.len() >= 20)?;
                Some(IpView {
                    packet,
                    src: IpAddr::V4(v4(header, 12)),
                    dst: IpAddr::V4(v4(header, 16)),
                    protocol: header[9],
                    hop_limit: header[8],
                    header_len,
                    // More fragments, or an offset.
                    fragment: u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0,
                })
            }
            6 => {
                let header = packet.get(..40)?;
                Some(IpView {
                    packet,
                    src: IpAddr::V6(v6(header, 8)),
                    dst: IpAddr::V6(v6(header, 24)),
                    protocol: header[6],
                    hop_limit: header[7],
                    header_len: 40,
                    fragment: false,
                })
            }
            _ => None,
        }
    }

    pub(crate) fn payload(&self) -> &'a [u8] {
        &self.packet[self.header_len..]
    }

    /// The ECN field (RFC 3168 5).
    pub(crate) fn ecn(&self) -> u8 {
        match self.dst {
            IpAddr::V4(_) => self.packet[1] & 3,
            IpAddr::V6(_) => self.packet[1] >> 4 & 3,
        }
    }

    /// Whether the transport checksum over pseudo-header and payload is right.
    pub(crate) fn checksum_valid(&self) -> bool {
        let payload = self.payload();
        let pseudo = match self.protocol {
            // ICMP for IPv4 has no pseudo-header (RFC 792).
            ICMP => 0,
            protocol => checksum::pseudo(self.src, self.dst, protocol, payload.len()),
        };
        checksum::valid(pseudo + checksum::sum(payload))
    }
}

/// A TCP segment's header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpView {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) flags: u8,
    pub(crate) payload_len: u32,
}

impl TcpView {
    /// The header of a segment, or `None` when malformed.
    pub(crate) fn parse(segment: &[u8]) -> Option<TcpView> {
        let header = segment.get(..20)?;
        let header_len = usize::from(header[12] >> 4) * 4;
        if header_len < 20 || header_len > segment.len() {
            return None;
        }
        Some(TcpView {
            src_port: u16::from_be_bytes([header[0], header[1]]),
            dst_port: u16::from_be_bytes([header[2], header[3]]),
            seq: Seq(u32::from_be_bytes([
                header[4], header[5], header[6], header[7],
            ])),
            ack: Seq(u32::from_be_bytes([
                header[8], header[9], header[10], header[11],
            ])),
            flags: header[13],
            payload_len: u32::try_from(segment.len() - header_len).ok()?,
        })
    }

    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The first SYN of a handshake: no ACK, RST or FIN beside it.
    pub(crate) fn is_opening(&self) -> bool {
        self.flags & (SYN | ACK | RST | FIN) == SYN
    }

    /// What the segment takes of the sequence space.
    pub(crate) fn len(&self) -> u32 {
        self.payload_len + u32::from(self.has(SYN)) + u32::from(self.has(FIN))
    }

    /// The sequence number behind the segment.
    pub(crate) fn end(&self) -> Seq {
        self.seq.plus(self.len())
    }
}

/// Where the value of an option stands in a segment, and how long it is.
pub(crate) fn tcp_option(segment: &[u8], kind: u8) -> Option<(usize, usize)> {
    let end = (usize::from(segment.get(12)? >> 4) * 4).min(segment.len());
    let mut at = 20;
    while at + 1 < end {
        match segment[at] {
            0 => return None,
            1 => at += 1,
            found => {
                let len = usize::from(segment[at + 1]);
                if len < 2 || at + len > end {
                    return None;
                }
                if found == kind {
                    return Some((at + 2, len - 2));
                }
                at += len;
            }
        }
    }
    None
}

/// Where the MSS stands in a segment (RFC 9293 3.2, kind 2).
pub(crate) fn mss_at(segment: &[u8]) -> Option<usize> {
    tcp_option(segment, 2)
        .filter(|(_, len)| *len == 2)
        .map(|(at, _)| at)
}

fn v4(bytes: &[u8], at: usize) -> Ipv4Addr {
    let mut octets = [0; 4];
    octets.copy_from_slice(&bytes[at..at + 4]);
    Ipv4Addr::from(octets)
}

pub(crate) fn v6(bytes: &[u8], at: usize) -> Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    Ipv6Addr::from(octets)
}

#[cfg(test)]
mod tests;
