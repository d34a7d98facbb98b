//! Addresses and routes: what is ours, what is where.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Config;
use crate::config::Cidr;
use crate::ethernet::link_local;
use crate::neighbour::Mac;
use crate::packet::IpView;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Round inside the stack.
    Loop,
    /// To that neighbour.
    Hop(IpAddr),
    /// Nowhere.
    None,
}

/// The stack's place in the network.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    pub(crate) mac: Mac,
    pub(crate) own: Vec<Cidr>,
    gateway_v4: Option<Ipv4Addr>,
    gateway_v6: Option<Ipv6Addr>,
    pub(crate) mtu: usize,
    pub(crate) has_link: bool,
    pub(crate) tso: bool,
    pub(crate) datagrams: bool,
}

impl Net {
    pub(crate) fn new(config: &Config) -> Net {
        let mut own = config.addresses.clone();
        // RFC 4291 2.1: every interface that speaks IPv6 has a link-local address.
        if config.has_link && own.iter().any(|cidr| cidr.address.is_ipv6()) {
            own.push(Cidr::new(IpAddr::V6(link_local(config.mac)), 64));
        }
        Net {
            mac: config.mac,
            own,
            gateway_v4: config.gateway_v4,
            gateway_v6: config.gateway_v6,
            // RFC 791: every link carries 68 bytes; below the IPv6 minimum nothing useful works.
            mtu: usize::from(config.mtu).max(576),
            has_link: config.has_link,
            tso: config.tso,
            datagrams: config.datagrams,
        }
    }

    /// 127.0.0.0/8 and `::1` included.
    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.own.iter().any(|cidr| cidr.address == ip)
    }

    /// Not one host's address.
    pub(crate) fn is_group(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => {
                v4.is_multicast()
                    || v4.is_broadcast()
                    || self.own.iter().any(|cidr| cidr.broadcast() == Some(v4))
            }
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }

    /// Martians (RFC 1812 5.3.7): nobody out there has our addresses or a loopback one.
    pub(crate) fn is_martian(&self, ip: &IpView<'_>) -> bool {
        self.is_own(ip.src) || self.is_group(ip.src) || ip.dst.is_loopback()
    }

    pub(crate) fn route(&self, to: IpAddr) -> Route {
        if self.is_own(to) {
            return Route::Loop;
        }
        if !self.has_link || self.is_group(to) || to.is_unspecified() {
            return Route::None;
        }
        if self.own.iter().any(|cidr| cidr.contains(to)) {
            return Route::Hop(to);
        }
        let gateway = match to {
            IpAddr::V4(_) => self.gateway_v4.map(IpAddr::V4),
            IpAddr::V6(_) => self.gateway_v6.map(IpAddr::V6),
        };
        gateway.map_or(Route::None, Route::Hop)
    }

    /// The address to send from (Linux: the destination itself on loopback, 127.0.0.1 for the rest
    /// of 127.0.0.0/8; otherwise one in the next hop's subnet, or the first of the family).
    pub(crate) fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        match self.route(to) {
            Route::None => None,
            Route::Loop if to.is_loopback() && to.is_ipv4() => {
                Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
            Route::Loop => Some(to),
            Route::Hop(hop) => {
                let family = || {
                    self.own
                        .iter()
                        .filter(|cidr| cidr.address.is_ipv4() == to.is_ipv4())
                };
                let near = family().find(|cidr| cidr.contains(hop));
                near.or_else(|| family().next()).map(|cidr| cidr.address)
            }
        }
    }

    /// Payload of a full segment to or from `to`, by our own MTU.
    pub(crate) fn mss(&self, to: IpAddr, looped: bool) -> u16 {
        let mtu = if looped {
            crate::device::INNER_MTU
        } else {
            self.mtu
        };
        u16::try_from(mtu - headers(to)).unwrap_or(u16::MAX)
    }
}

/// Payload of a full segment inside the stack, with timestamps.
pub(crate) fn inner_mss(ip: IpAddr) -> u16 {
    const TIMESTAMPS: usize = 12;
    let octets = crate::device::INNER_MTU - headers(ip) - TIMESTAMPS;
    u16::try_from(octets).unwrap_or(u16::MAX)
}

/// Bytes of IP and TCP headers without options.
pub(crate) fn headers(ip: IpAddr) -> usize {
    if ip.is_ipv4() { 40 } else { 60 }
}
