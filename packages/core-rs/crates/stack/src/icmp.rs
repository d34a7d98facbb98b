//! ICMP and ICMPv6 errors about our TCP connections (RFC 5927, RFC 1122 4.2.3.9).

use std::net::IpAddr;

use crate::Cause;
use crate::flow::FlowKey;
use crate::packet::{IpView, TCP};
use crate::seq::Seq;

/// An error about one of our segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IcmpError {
    /// The connection, from our side.
    pub(crate) flow: FlowKey,
    /// The quoted sequence number: it must be in flight to be believed (RFC 5927 4).
    pub(crate) seq: Seq,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Ends a connection that is being opened; otherwise only remembered (soft).
    Unreachable(Cause),
    /// The next link takes packets of at most that many bytes.
    TooBig(usize),
}

/// The error a message carries, if it is one about TCP.
pub(crate) fn parse(ip: &IpView<'_>) -> Option<IcmpError> {
    let message = ip.payload();
    let head = message.get(..8)?;
    let kind = match ip.src {
        IpAddr::V4(_) => unreachable_v4(head)?,
        IpAddr::V6(_) => unreachable_v6(head)?,
    };
    let quoted = IpView::parse_quoted(&message[8..]).filter(|quoted| quoted.protocol == TCP)?;
    // RFC 792 promises eight bytes of the segment: ports and sequence number.
    let segment = quoted
        .packet
        .get(quoted.header_len..quoted.header_len + 8)?;
    let port = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
    Some(IcmpError {
        flow: FlowKey::new(quoted.src, port(0), quoted.dst, port(2)),
        seq: Seq(u32::from_be_bytes([
            segment[4], segment[5], segment[6], segment[7],
        ])),
        kind,
    })
}

/// Linux's `icmp_err_convert`.
fn unreachable_v4(head: &[u8]) -> Option<Kind> {
    if head[0] != 3 {
        return None;
    }
    let cause = match head[1] {
        0 | 6 | 9 | 11 => Cause::NetUnreachable,
        2 => Cause::ProtocolUnreachable,
        3 => Cause::Refused,
        4 => {
            let mtu = usize::from(u16::from_be_bytes([head[6], head[7]]));
            // Linux's ip_rt_min_pmtu; an old router says 0 (RFC 1191 5).
            return Some(Kind::TooBig(mtu.max(552)));
        }
        _ => Cause::HostUnreachable,
    };
    Some(Kind::Unreachable(cause))
}

/// Linux's `icmpv6_err_convert`.
fn unreachable_v6(head: &[u8]) -> Option<Kind> {
    let cause = match (head[0], head[1]) {
        (1, 0) => Cause::NetUnreachable,
        (1, 1 | 5 | 6) => Cause::Denied,
        (1, 2 | 3) => Cause::HostUnreachable,
        (1, 4) => Cause::Refused,
        (2, _) => {
            let mtu = u32::from_be_bytes([head[4], head[5], head[6], head[7]]);
            // RFC 8201 4: never below the minimum MTU of IPv6.
            return Some(Kind::TooBig(
                usize::try_from(mtu).unwrap_or(usize::MAX).max(1280),
            ));
        }
        _ => return None,
    };
    Some(Kind::Unreachable(cause))
}
