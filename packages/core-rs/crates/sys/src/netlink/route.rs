//! The default route of an interface, and what its queue has dropped.

use std::io;

use super::{ConfigureError, NetlinkSocket, Request, Step, attributes, find, link_header, u16_of};

/// `struct rtnl_link_stats64` (linux/if_link.h): u64 fields; the eighth is `tx_dropped`.
const TX_DROPPED: usize = 7 * 8;
/// Attribute numbers of linux/rtnetlink.h and linux/if_link.h.
const RTA_OIF: u16 = 4;
const IFLA_STATS64: u16 = 23;

/// Makes the interface the way to all addresses of a family that no other route knows.
///
/// # Errors
///
/// See [`ConfigureError`].
pub(crate) fn default_route(
    socket: &mut NetlinkSocket,
    name: &str,
    v6: bool,
) -> Result<(), ConfigureError> {
    let at = |step| move |cause| ConfigureError { step, cause };
    let link = find(socket, name).map_err(at(Step::Find))?;
    let create = u16_of(libc::NLM_F_CREATE | libc::NLM_F_EXCL);
    let mut request = Request::new(libc::RTM_NEWROUTE, create, &route_header(v6));
    request.attribute(RTA_OIF, &link.index.to_ne_bytes());
    match socket.ask(request, &mut |_, _| {}) {
        Err(e) if e.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        result => result.map_err(at(Step::AddRoute)),
    }
}

/// Packets that did not fit the interface's queue: for a TUN device, that its holder did not take.
///
/// # Errors
///
/// `ENODEV` if there is no such interface.
pub(crate) fn dropped_packets(socket: &mut NetlinkSocket, name: &str) -> io::Result<u64> {
    let mut request = Request::new(libc::RTM_GETLINK, 0, &link_header(0, 0, 0));
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    request.attribute(libc::IFLA_IFNAME, &text);
    let mut dropped = None;
    socket.ask(request, &mut |kind, body| {
        if kind == libc::RTM_NEWLINK {
            dropped = body.get(16..).and_then(|rest| {
                let (_, stats) = attributes(rest).find(|&(kind, _)| kind == IFLA_STATS64)?;
                let field = stats.get(TX_DROPPED..TX_DROPPED + 8)?;
                Some(u64::from_ne_bytes(field.try_into().ok()?))
            });
        }
    })?;
    dropped.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
}

/// `struct rtmsg` (rtnetlink(7)): to everywhere, main table, by an administrator, unicast.
fn route_header(v6: bool) -> [u8; 12] {
    let family = if v6 { libc::AF_INET6 } else { libc::AF_INET };
    let mut header = [0; 12];
    header[0] = u8::try_from(family).unwrap_or_default();
    header[4] = libc::RT_TABLE_MAIN;
    header[5] = libc::RTPROT_STATIC;
    // RT_SCOPE_LINK for IPv4: there is no gateway (ip-route(8)); IPv6 knows no scopes.
    header[6] = if v6 {
        libc::RT_SCOPE_UNIVERSE
    } else {
        libc::RT_SCOPE_LINK
    };
    header[7] = libc::RTN_UNICAST;
    header
}
