//! What a stack is told when it is made.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_sender::Algorithm;

/// An address of the stack with the length of its subnet's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The stack's own address.
    pub address: IpAddr,
    /// Bits of the prefix: at most 32 or 128.
    pub prefix: u8,
}

impl Cidr {
    /// An address in a subnet of `prefix` bits; longer prefixes than the family has are cut.
    pub fn new(address: IpAddr, prefix: u8) -> Cidr {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        Cidr {
            address,
            prefix: prefix.min(longest),
        }
    }

    /// Whether `other` lies in the subnet.
    pub fn contains(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix))
                    .unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix))
                    .unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// The directed broadcast address of an IPv4 subnet that has one (RFC 3021: /31 has none).
    pub(crate) fn broadcast(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(own) if self.prefix < 31 => {
                let host = u32::MAX.checked_shr(u32::from(self.prefix)).unwrap_or(0);
                Some(Ipv4Addr::from_bits(own.to_bits() | host))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        }
    }
}

/// The configuration of a [`Stack`](crate::Stack).
#[derive(Clone, Debug)]
pub struct Config {
    /// The stack's Ethernet address.
    pub mac: [u8; 6],
    /// The stack's addresses. 127.0.0.0/8 and `::1` are its own without being named.
    pub addresses: Vec<Cidr>,
    /// Where IPv4 packets to other subnets go.
    pub gateway_v4: Option<Ipv4Addr>,
    /// Where IPv6 packets to other subnets go.
    pub gateway_v6: Option<Ipv6Addr>,
    /// The largest IP packet of the link in bytes, segmentation apart.
    pub mtu: u16,
    /// Without a link only loopback and the stack's own addresses are reached.
    pub has_link: bool,
    /// Random, kept from the network: initial sequence numbers, hashes and ports derive from it.
    pub secret: [u64; 2],
    /// Bytes of each ring (one to send, one to receive) of a connection.
    pub ring: usize,
    /// Most connections held at once, embryos and orphans included; TIME-WAIT apart.
    pub max_connections: usize,
    /// Most TIME-WAIT tombstones; the oldest is recycled when one more is needed.
    pub max_tombstones: usize,
    /// Whether the link takes super-frames with segmentation metadata and partial checksums.
    pub tso: bool,
    /// Whether another host serves datagram sockets at these addresses: what is its comes out of
    /// [`Stack::handle_frame`](crate::Stack::handle_frame), what it sends goes into
    /// [`Stack::send_datagram`](crate::Stack::send_datagram). Without it UDP is unreachable.
    pub datagrams: bool,
    /// Congestion control of connections that choose none.
    pub congestion: Algorithm,
}

impl Default for Config {
    /// No address and no link; MTU 1500, rings of 1 MiB, 65,536 connections. The secret is zero:
    /// set it.
    fn default() -> Config {
        Config {
            mac: [0x02, 0, 0, 0, 0, 1],
            addresses: Vec::new(),
            gateway_v4: None,
            gateway_v6: None,
            mtu: 1500,
            has_link: false,
            secret: [0; 2],
            ring: 1 << 20,
            max_connections: 65_536,
            max_tombstones: 16_384,
            tso: false,
            datagrams: false,
            congestion: Algorithm::default(),
        }
    }
}
