//! Packets that the stack makes itself: resets, acknowledgements, ICMP. All go to the end of a
//! buffer; TCP checksums are left zero, to be filled in on the way out.

use std::net::IpAddr;

use super::options::Options;
use super::{ACK, ICMP, ICMPV6, IpView, RST, TCP, TcpView};
use crate::checksum;
use crate::flow::FlowKey;
use crate::seq::Seq;

/// A TCP segment without payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) flow: FlowKey,
    pub(crate) seq: Seq,
    pub(crate) ack: Seq,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) hop_limit: u8,
    pub(crate) options: Options,
}

impl Segment {
    /// The reset that answers a segment nobody expects (RFC 9293 3.10.7.1). `flow` is our side.
    pub(crate) fn reset(flow: FlowKey, to: &TcpView) -> Segment {
        let (seq, ack, flags) = if to.has(ACK) {
            (to.ack, Seq(0), RST)
        } else {
            (Seq(0), to.end(), RST | ACK)
        };
        Segment {
            flow,
            seq,
            ack,
            flags,
            window: 0,
            hop_limit: HOP_LIMIT,
            options: Options::new(None),
        }
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        self.write_for(out, 0);
    }

    /// Appends the headers for a payload of `len` bytes.
    pub(crate) fn write_for(&self, out: &mut Vec<u8>, len: usize) {
        let (src, src_port) = self.flow.local();
        let (dst, dst_port) = self.flow.remote();
        let options = self.options.as_slice();
        let header = 20 + options.len();
        ip_header(out, src, dst, TCP, self.hop_limit, header + len);
        out.extend_from_slice(&src_port.to_be_bytes());
        out.extend_from_slice(&dst_port.to_be_bytes());
        out.extend_from_slice(&self.seq.0.to_be_bytes());
        out.extend_from_slice(&self.ack.0.to_be_bytes());
        let words = u8::try_from(header / 4).unwrap_or(5);
        out.extend_from_slice(&[words << 4, self.flags]);
        out.extend_from_slice(&self.window.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(options);
    }
}

/// RFC 1340; smoltcp's default too.
pub(crate) const HOP_LIMIT: u8 = 64;

/// The answer to an echo request (RFC 792, RFC 4443 4.2), whose checksum was verified.
pub(crate) fn echo_reply(out: &mut Vec<u8>, request: &IpView<'_>) {
    let payload = request.payload();
    let kind = if request.dst.is_ipv4() { 0 } else { 129 };
    ip_header(
        out,
        request.dst,
        request.src,
        request.protocol,
        HOP_LIMIT,
        payload.len(),
    );
    let start = out.len();
    out.extend_from_slice(payload);
    out[start..start + 4].copy_from_slice(&[kind, 0, 0, 0]);
    icmp_checksum(out, start, request.dst, request.src);
}

/// Port unreachable (RFC 792; RFC 4443 3.1), quoting the packet.
pub(crate) fn port_unreachable(out: &mut Vec<u8>, about: &IpView<'_>) {
    let kind = match about.dst {
        IpAddr::V4(_) => [3, 3],
        IpAddr::V6(_) => [1, 4],
    };
    unreachable(out, about, about.dst, kind);
}

/// Host unreachable (RFC 792; RFC 4443 3.1, address unreachable), from the sender to itself.
pub(crate) fn host_unreachable(out: &mut Vec<u8>, about: &IpView<'_>) {
    let kind = match about.dst {
        IpAddr::V4(_) => [3, 1],
        IpAddr::V6(_) => [1, 3],
    };
    unreachable(out, about, about.src, kind);
}

fn unreachable(out: &mut Vec<u8>, about: &IpView<'_>, from: IpAddr, kind: [u8; 2]) {
    let (protocol, room) = match about.dst {
        // RFC 1812 4.3.2.3: not over 576 bytes in all.
        IpAddr::V4(_) => (ICMP, 548),
        IpAddr::V6(_) => (ICMPV6, 1232),
    };
    let quote = &about.packet[..about.packet.len().min(room)];
    ip_header(out, from, about.src, protocol, HOP_LIMIT, 8 + quote.len());
    let start = out.len();
    out.extend_from_slice(&kind);
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(quote);
    icmp_checksum(out, start, from, about.src);
}

/// Fills in the checksum of the ICMP message from `start` to the end.
pub(crate) fn icmp_checksum(out: &mut [u8], start: usize, src: IpAddr, dst: IpAddr) {
    let message = &mut out[start..];
    message[2..4].fill(0);
    let pseudo = match src {
        IpAddr::V4(_) => 0,
        IpAddr::V6(_) => checksum::pseudo(src, dst, ICMPV6, message.len()),
    };
    let sum = checksum::finish(pseudo + checksum::sum(message));
    message[2..4].copy_from_slice(&sum);
}

/// Appends an IP header for a payload of `len` bytes.
pub(crate) fn ip_header(
    out: &mut Vec<u8>,
    src: IpAddr,
    dst: IpAddr,
    protocol: u8,
    hop_limit: u8,
    len: usize,
) {
    match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            let start = out.len();
            let total = u16::try_from(20 + len).unwrap_or(u16::MAX);
            out.extend_from_slice(&[0x45, 0]);
            out.extend_from_slice(&total.to_be_bytes());
            // Identification 0 with DF: an atomic datagram (RFC 6864).
            out.extend_from_slice(&[0, 0, 0x40, 0, hop_limit, protocol, 0, 0]);
            out.extend_from_slice(&src.octets());
            out.extend_from_slice(&dst.octets());
            let sum = checksum::finish(checksum::sum(&out[start..]));
            out[start + 10..start + 12].copy_from_slice(&sum);
        }
        (src, dst) => {
            let v6 = |ip| match ip {
                IpAddr::V4(v4) => std::net::Ipv4Addr::to_ipv6_mapped(&v4),
                IpAddr::V6(v6) => v6,
            };
            out.extend_from_slice(&[0x60, 0, 0, 0]);
            out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(&[protocol, hop_limit]);
            out.extend_from_slice(&v6(src).octets());
            out.extend_from_slice(&v6(dst).octets());
        }
    }
}

/// Sets the ECN field of an IP header that has none and is not summed yet, or whose sum is made anew.
pub(crate) fn set_ecn(packet: &mut [u8], ecn: u8) {
    if packet[0] >> 4 == 4 {
        let header = usize::from(packet[0] & 15) * 4;
        packet[1] = packet[1] & !3 | ecn;
        packet[10..12].fill(0);
        let sum = checksum::finish(checksum::sum(&packet[..header]));
        packet[10..12].copy_from_slice(&sum);
    } else {
        packet[1] = packet[1] & !0x30 | ecn << 4;
    }
}

/// Fills in the whole checksum of a TCP packet that has none.
pub(crate) fn tcp_checksum(packet: &mut [u8]) {
    let Some(view) = IpView::parse_quoted(packet) else {
        return;
    };
    let (start, pseudo) = (
        view.header_len,
        checksum::pseudo(view.src, view.dst, TCP, packet.len() - view.header_len),
    );
    let segment = &mut packet[start..];
    if segment.len() < 20 {
        return;
    }
    segment[super::TCP_CHECKSUM..super::TCP_CHECKSUM + 2].fill(0);
    let sum = checksum::finish(pseudo + checksum::sum(segment));
    segment[super::TCP_CHECKSUM..super::TCP_CHECKSUM + 2].copy_from_slice(&sum);
}

/// Flags of a plain acknowledgement.
pub(crate) const PLAIN_ACK: u8 = ACK;
/// Flags of a reset that acknowledges.
pub(crate) const RESET: u8 = RST | ACK;
