//! The interfaces that a program sees: netcon's, which the service tells (netdevice(7),
//! getifaddrs(3)).
//!
//! A program's sockets are made by the service, so the kernel would answer the `SIOCGIF*` of one with
//! the service's interfaces. rtnetlink(7) sockets and /proc are the program's own and show its
//! namespace (docs/limits.md).

pub(crate) mod ioctl;

use core::ffi::c_int;

use netcon_wire::{Interface, MAX_INTERFACES, Reply, Request};

use crate::errno::Errno;
use crate::rpc;

pub(crate) const IFF_BROADCAST: u32 = 2;

/// All interfaces, in the order of the service.
#[derive(Debug)]
pub(crate) struct List([Option<Interface>; MAX_INTERFACES]);

impl List {
    /// Asks the service.
    pub(crate) fn ask() -> Result<List, Errno> {
        let mut list = List([None; MAX_INTERFACES]);
        for (slot, position) in list.0.iter_mut().zip(0..) {
            let mut buf = rpc::buffer();
            match rpc::call(&Request::Interface { position }, &[], &mut buf) {
                Ok(Reply::Interface(interface)) => *slot = Some(interface),
                Ok(_) => return Err(Errno::EPROTO),
                Err(Errno::ENODEV) => break,
                Err(errno) => return Err(errno),
            }
        }
        Ok(list)
    }

    /// Those there are.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.0.iter().flatten()
    }

    /// The interface of that name.
    pub(crate) fn named(&self, name: &[u8]) -> Option<&Interface> {
        self.iter().find(|interface| interface.name() == name)
    }

    /// The interface of that index.
    pub(crate) fn at(&self, index: c_int) -> Option<&Interface> {
        self.iter()
            .find(|interface| c_int::try_from(interface.index) == Ok(index))
    }
}

/// The IPv4 netmask of a prefix, in network order.
pub(crate) fn mask_v4(prefix: u8) -> [u8; 4] {
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    (!hosts).to_be_bytes()
}

/// The IPv6 netmask of a prefix.
pub(crate) fn mask_v6(prefix: u8) -> [u8; 16] {
    let hosts = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
    (!hosts).to_be_bytes()
}

/// The broadcast address of an IPv4 network; a link between two has none (RFC 3021), nor has `lo`.
pub(crate) fn broadcast(interface: &Interface, ip: [u8; 4], prefix: u8) -> Option<[u8; 4]> {
    if interface.flags & IFF_BROADCAST == 0 || prefix >= 31 {
        return None;
    }
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    Some((u32::from_be_bytes(ip) | hosts).to_be_bytes())
}

#[cfg(test)]
mod tests;
