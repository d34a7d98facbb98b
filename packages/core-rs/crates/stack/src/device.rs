//! The smoltcp device: one packet in, one packet out, both in memory.
//!
//! It always reports an MTU of 64 KiB with segmentation and no checksums. A connection so makes
//! super-frames, and [`offload`](crate::offload) prepares them for the link: by metadata, or by
//! cutting and summing them itself. (smoltcp's own path stalls with IPv6: it drops anything over
//! the reported MTU.)

use std::num::NonZeroUsize;

use smoltcp::phy::{Checksum, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::time::Instant;

/// The largest IP packet inside the stack, and on loopback.
pub(crate) const INNER_MTU: usize = 65_535;

/// One exchange with smoltcp.
pub(crate) struct Exchange<'a> {
    /// The packet to take in; it is taken once.
    pub(crate) rx: Option<&'a [u8]>,
    /// Where a packet that smoltcp makes goes.
    pub(crate) tx: &'a mut [u8],
    /// Its length; 0 is none.
    pub(crate) tx_len: usize,
    /// Largest super-frame for IPv4 and for IPv6, headers included.
    pub(crate) largest: Largest,
}

/// Sizes of super-frames that are whole numbers of the link's segments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Largest {
    pub(crate) v4: usize,
    pub(crate) v6: usize,
}

impl Largest {
    /// For a link with that MTU.
    pub(crate) fn for_mtu(mtu: usize) -> Largest {
        let whole = |headers: usize| {
            let segment = mtu.saturating_sub(headers).max(1);
            headers + (INNER_MTU - headers) / segment * segment
        };
        Largest {
            v4: whole(40),
            v6: whole(60),
        }
    }
}

pub(crate) struct Rx<'a>(&'a [u8]);

pub(crate) struct Tx<'a> {
    buffer: &'a mut [u8],
    len: &'a mut usize,
}

impl RxToken for Rx<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

impl TxToken for Tx<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        *self.len = len;
        f(&mut self.buffer[..len])
    }
}

impl Device for Exchange<'_> {
    type RxToken<'b>
        = Rx<'b>
    where
        Self: 'b;
    type TxToken<'b>
        = Tx<'b>
    where
        Self: 'b;

    fn receive(&mut self, _: Instant) -> Option<(Rx<'_>, Tx<'_>)> {
        let packet = self.rx.take()?;
        Some((
            Rx(packet),
            Tx {
                buffer: self.tx,
                len: &mut self.tx_len,
            },
        ))
    }

    fn transmit(&mut self, _: Instant) -> Option<Tx<'_>> {
        Some(Tx {
            buffer: self.tx,
            len: &mut self.tx_len,
        })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut caps = DeviceCapabilities::default();
        caps.medium = Medium::Ip;
        caps.max_transmission_unit = INNER_MTU;
        caps.checksum.tcp = Checksum::None;
        // Verified in packet.rs already.
        caps.checksum.ipv4 = Checksum::Tx;
        caps.segmentation.tcpv4 = NonZeroUsize::new(self.largest.v4);
        caps.segmentation.tcpv6 = NonZeroUsize::new(self.largest.v6);
        caps
    }
}
