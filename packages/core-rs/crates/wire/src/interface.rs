//! A network interface as netif(7) programs see it.

use crate::addr::{Family, SockAddr};
use crate::cursor::{DecodeError, EncodeError, Reader, Writer};
use crate::reply::MAX_ADDRESSES;

/// `IFNAMSIZ`: a name with its terminator.
pub const INTERFACE_NAME_LEN: usize = 16;
/// Most addresses of one interface: those of HELLO, and a link-local one.
pub const MAX_INTERFACE_ADDRESSES: usize = MAX_ADDRESSES + 1;
/// Most interfaces: loopback and the link.
pub const MAX_INTERFACES: usize = 2;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address, port 0; `scope` as in `sin6_scope_id`.
    pub addr: SockAddr,
    /// Length of the network's prefix, bits.
    pub prefix: u8,
}

/// Answer to INTERFACE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The name, padded with zeros; at least one.
    pub name: [u8; INTERFACE_NAME_LEN],
    /// As in if_nametoindex(3), never 0.
    pub index: u32,
    /// `IFF_*`, linux/if.h.
    pub flags: u32,
    /// `ARPHRD_*`, linux/if_arp.h.
    pub hardware: u16,
    /// Bytes of the largest packet.
    pub mtu: u32,
    /// Packets that its queue holds.
    pub queue: u32,
    /// The hardware address.
    pub mac: [u8; 6],
    /// The first `count` entries count.
    pub addresses: [InterfaceAddress; MAX_INTERFACE_ADDRESSES],
    /// How many of `addresses` are set.
    pub count: u8,
}

impl Interface {
    /// What `addresses` is filled with.
    pub const NO_ADDRESS: InterfaceAddress = InterfaceAddress {
        addr: SockAddr::unspecified(Family::Inet),
        prefix: 0,
    };

    /// The addresses it has.
    #[must_use]
    pub fn addresses(&self) -> &[InterfaceAddress] {
        self.addresses.get(..self.count.into()).unwrap_or(&[])
    }

    /// The name without its padding.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.name.split(|&byte| byte == 0).next().unwrap_or(&[])
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        let used = self
            .addresses
            .get(..self.count.into())
            .ok_or(EncodeError::FieldTooLong)?;
        w.put(&self.name)?;
        w.u32(self.index)?;
        w.u32(self.flags)?;
        w.u16(self.hardware)?;
        w.u32(self.mtu)?;
        w.u32(self.queue)?;
        w.put(&self.mac)?;
        w.u8(self.count)?;
        used.iter().try_for_each(|address| {
            address.addr.write(w)?;
            w.u8(address.prefix)
        })
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let name = r.array()?;
        if name.last() != Some(&0) {
            return Err(DecodeError::BadField);
        }
        let mut interface = Interface {
            name,
            index: r.u32()?,
            flags: r.u32()?,
            hardware: r.u16()?,
            mtu: r.u32()?,
            queue: r.u32()?,
            mac: r.array()?,
            addresses: [Interface::NO_ADDRESS; MAX_INTERFACE_ADDRESSES],
            count: r.u8()?,
        };
        let used = interface
            .addresses
            .get_mut(..interface.count.into())
            .ok_or(DecodeError::BadField)?;
        for slot in used {
            *slot = InterfaceAddress {
                addr: SockAddr::read(r)?,
                prefix: r.u8()?,
            };
        }
        Ok(interface)
    }
}
