//! The interfaces that programs see: `lo`, and the link under the tap's name with the stack's
//! addresses. Their indices are those of the datagram sockets' namespace, so that `IP_PKTINFO` and
//! `sin6_scope_id` mean the same.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_stack::link_local;
use netcon_wire::{
    INTERFACE_NAME_LEN, Interface, InterfaceAddress, MAX_INTERFACE_ADDRESSES, SockAddr,
};

use crate::config::Config;
use crate::datagrams::{DEVICE, QUEUE_LEN};

/// linux/if.h.
const IFF_UP: u32 = 0x1;
const IFF_BROADCAST: u32 = 0x2;
const IFF_LOOPBACK: u32 = 0x8;
const IFF_RUNNING: u32 = 0x40;
const IFF_MULTICAST: u32 = 0x1000;
const IFF_LOWER_UP: u32 = 0x1_0000;
/// linux/if_arp.h.
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
/// Linux's for `lo` (drivers/net/loopback.c).
const LOOPBACK_MTU: u32 = 65_536;
const LOOPBACK_QUEUE: u32 = 1000;
/// `lo` is the first interface of every namespace.
const LOOPBACK_INDEX: u32 = 1;
/// Where there is no namespace to ask: the second.
const LINK_INDEX: u32 = 2;

/// The name of the link.
pub(crate) fn link_name(config: &Config) -> &str {
    config.tap.as_ref().map_or(DEVICE, |tap| &tap.name)
}

/// The stack's addresses as its interface has them.
pub(crate) fn link_addresses(config: &Config, mac: [u8; 6]) -> Vec<(IpAddr, u8)> {
    let mut all = config.addresses.clone();
    if all.iter().any(|(ip, _)| ip.is_ipv6()) {
        all.push((IpAddr::V6(link_local(mac)), 64));
    }
    if config.tap.is_none() {
        // Nobody else is there: ENETUNREACH rather than packets to nowhere.
        for (ip, len) in &mut all {
            *len = if ip.is_ipv4() { 32 } else { 128 };
        }
    }
    all
}

/// `lo`, then the link; `index` is the link's, if it has one elsewhere.
pub(crate) fn interfaces(config: &Config, mac: [u8; 6], index: Option<u32>) -> [Interface; 2] {
    let loopback = [
        (IpAddr::V4(Ipv4Addr::LOCALHOST), 8),
        (IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
    ];
    let up = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
    let lo = Interface {
        name: padded("lo"),
        index: LOOPBACK_INDEX,
        flags: up | IFF_LOOPBACK,
        hardware: ARPHRD_LOOPBACK,
        mtu: LOOPBACK_MTU,
        queue: LOOPBACK_QUEUE,
        mac: [0; 6],
        addresses: [Interface::NO_ADDRESS; MAX_INTERFACE_ADDRESSES],
        count: 0,
    };
    let link = Interface {
        name: padded(link_name(config)),
        index: index.unwrap_or(LINK_INDEX),
        flags: up | IFF_BROADCAST | IFF_MULTICAST,
        hardware: ARPHRD_ETHER,
        mtu: config.tap.as_ref().map_or(1500, |tap| tap.mtu).into(),
        queue: QUEUE_LEN,
        mac,
        ..lo
    };
    [
        with_addresses(lo, &loopback),
        with_addresses(link, &link_addresses(config, mac)),
    ]
}

/// The link-local address comes last and is kept when there are more than fit.
fn with_addresses(mut interface: Interface, addresses: &[(IpAddr, u8)]) -> Interface {
    let room = MAX_INTERFACE_ADDRESSES;
    let (listed, last) = match addresses {
        [listed @ .., last] if addresses.len() > room => (
            listed.get(..room - 1).unwrap_or(listed),
            std::slice::from_ref(last),
        ),
        all => (all, [].as_slice()),
    };
    let index = interface.index;
    for (slot, &(ip, prefix)) in interface
        .addresses
        .iter_mut()
        .zip(listed.iter().chain(last))
    {
        let mut addr = SockAddr::new(ip, 0);
        if matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()) {
            addr.scope = index;
        }
        *slot = InterfaceAddress { addr, prefix };
        interface.count += 1;
    }
    interface
}

/// The kernel takes no longer name for a tap.
fn padded(name: &str) -> [u8; INTERFACE_NAME_LEN] {
    let mut field = [0; INTERFACE_NAME_LEN];
    for (to, from) in field[..INTERFACE_NAME_LEN - 1]
        .iter_mut()
        .zip(name.as_bytes())
    {
        *to = *from;
    }
    field
}

#[cfg(test)]
mod tests;
