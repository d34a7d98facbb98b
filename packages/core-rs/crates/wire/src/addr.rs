//! Socket addresses as they stand in frames and names: 24 bytes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cursor::{DecodeError, EncodeError, Reader, Writer};

/// An address family; the discriminants are Linux's `AF_INET` and `AF_INET6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Family {
    /// `AF_INET`
    Inet = 2,
    /// `AF_INET6`
    Inet6 = 10,
}

impl Family {
    /// The family with that `AF_*` number, if it is one of the two.
    pub const fn from_raw(raw: u16) -> Option<Family> {
        match raw {
            2 => Some(Family::Inet),
            10 => Some(Family::Inet6),
            _ => None,
        }
    }

    /// The `AF_*` number.
    pub const fn raw(self) -> u16 {
        self as u16
    }
}

/// An IPv4 or IPv6 address with a port, as in `struct sockaddr_in` and `sockaddr_in6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SockAddr {
    /// The address; its variant is the family.
    pub ip: IpAddr,
    /// The port, in host order.
    pub port: u16,
    /// `sin6_scope_id`: an interface index for link-local addresses, otherwise 0.
    pub scope: u32,
}

impl SockAddr {
    /// Bytes of the encoded form: family u16, port u16, scope u32, address 16.
    pub const LEN: usize = 24;

    /// An address without a scope.
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        SockAddr { ip, port, scope: 0 }
    }

    /// The wildcard address of a family, port 0.
    pub const fn unspecified(family: Family) -> Self {
        match family {
            Family::Inet => SockAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
            Family::Inet6 => SockAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 0),
        }
    }

    /// The family of the address.
    pub const fn family(&self) -> Family {
        match self.ip {
            IpAddr::V4(_) => Family::Inet,
            IpAddr::V6(_) => Family::Inet6,
        }
    }

    /// The same endpoint in the form a socket of `family` shows: an IPv4 address on an
    /// `AF_INET6` socket is v4-mapped (RFC 4291 2.5.5.2), and back.
    pub fn as_family(&self, family: Family) -> SockAddr {
        let ip = match (family, self.ip) {
            (Family::Inet6, IpAddr::V4(v4)) => IpAddr::V6(v4.to_ipv6_mapped()),
            (Family::Inet, IpAddr::V6(v6)) => v6.to_ipv4_mapped().map_or(self.ip, IpAddr::V4),
            _ => self.ip,
        };
        SockAddr { ip, ..*self }
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let octets = match self.ip {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            }
            IpAddr::V6(v6) => v6.octets(),
        };
        w.u16(self.family().raw())?;
        w.u16(self.port)?;
        w.u32(self.scope)?;
        w.put(&octets)
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let family = Family::from_raw(r.u16()?).ok_or(DecodeError::BadField)?;
        let port = r.u16()?;
        let scope = r.u32()?;
        let octets: [u8; 16] = r.array()?;
        let ip = match family {
            Family::Inet => {
                let [a, b, c, d, ..] = octets;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::Inet6 => IpAddr::V6(Ipv6Addr::from(octets)),
        };
        Ok(SockAddr { ip, port, scope })
    }
}
