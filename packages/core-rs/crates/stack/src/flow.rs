//! The four-tuple of a connection and the table keyed by it.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};

use crate::PcbId;
use crate::hash::SipKey;

/// A connection's four-tuple. IPv4 addresses stand in their mapped form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowKey {
    local: u128,
    remote: u128,
    ports: u32,
}

impl FlowKey {
    pub(crate) fn new(local: IpAddr, local_port: u16, remote: IpAddr, remote_port: u16) -> FlowKey {
        FlowKey {
            local: mapped(local),
            remote: mapped(remote),
            ports: u32::from(local_port) << 16 | u32::from(remote_port),
        }
    }

    pub(crate) fn local(&self) -> (IpAddr, u16) {
        let [a, b, _, _] = self.ports.to_be_bytes();
        (canonical(self.local), u16::from_be_bytes([a, b]))
    }

    pub(crate) fn remote(&self) -> (IpAddr, u16) {
        let [_, _, a, b] = self.ports.to_be_bytes();
        (canonical(self.remote), u16::from_be_bytes([a, b]))
    }

    /// The key as words to hash.
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    pub(crate) fn words(&self) -> [u64; 5] {
        [
            (self.local >> 64) as u64,
            self.local as u64,
            (self.remote >> 64) as u64,
            self.remote as u64,
            u64::from(self.ports),
        ]
    }
}

impl Hash for FlowKey {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        for word in self.words() {
            state.write_u64(word);
        }
    }
}

/// What a four-tuple leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// A live connection.
    Pcb(PcbId),
    /// A connection in TIME-WAIT.
    Tombstone(u32),
}

pub(crate) type FlowTable = HashMap<FlowKey, Flow, SipKey>;

fn mapped(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

fn canonical(bits: u128) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(bits)).to_canonical()
}
