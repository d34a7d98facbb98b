//! A link carries Ethernet frames between the stack and the world.
//!
//! [`TapLink`] is the first one; [`FaultLink`] and [`CaptureLink`] wrap any other. A link never blocks
//! and reads no clock: the owner tells the time once a turn ([`Link::handle_timeout`]). It knows
//! nothing of IP.

#![forbid(unsafe_code)]

mod capture;
mod fault;
mod rng;
mod tap;

#[cfg(test)]
mod testing;

use std::io;
use std::os::fd::BorrowedFd;

pub use capture::{CaptureLink, PcapWriter};
pub use fault::{DelayQueue, Fate, FaultLink, FaultModel, Faults};
pub use rng::SplitMix64;
pub use tap::TapLink;

/// A buffer of this size takes every frame of every link: 64 KiB of IP, Ethernet and VLAN headers, and
/// a byte by which a frame that was cut off is known.
pub const FRAME_BUFFER: usize = 65_536 + 18 + 1;

/// What the link says about a frame it received.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RxOffload {
    /// The layer-4 checksum was verified, or never computed (the sender is the same host).
    pub checksum_ok: bool,
    /// Size of the segments of a TCP super-frame, 0 for an ordinary frame.
    pub gso_size: u16,
}

/// What the link shall do to a frame it sends. Offsets count from the frame's first byte.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TxOffload {
    /// Complete the layer-4 checksum.
    pub checksum: Option<Checksum>,
    /// Cut a TCP super-frame into segments.
    pub segment: Option<Segment>,
}

/// Where a partial checksum is completed: the field holds the pseudo-header's folded sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    /// First byte that is summed: the layer-4 header.
    pub start: u16,
    /// The field's offset from there (16 for TCP).
    pub offset: u16,
}

/// How a super-frame is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// IPv6, otherwise IPv4.
    pub v6: bool,
    /// Bytes of all headers, Ethernet's included.
    pub header_len: u16,
    /// TCP payload of each segment.
    pub size: u16,
}

/// A link. Owned by one event loop.
pub trait Link: Send {
    /// Receives a frame into `buf`; its length. `None`: nothing there now.
    ///
    /// A decorator may have frames although the descriptor is not readable: also call this after
    /// [`Link::handle_timeout`]. `None` need not mean that the descriptor is drained: watch it
    /// level-triggered.
    ///
    /// # Errors
    ///
    /// Those of the device. After `EBADFD` the interface is gone; after any other, go on.
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<Option<(RxOffload, usize)>>;

    /// Sends a frame, or loses it as networks do.
    ///
    /// # Errors
    ///
    /// Those of the device. The frame is gone, as if the network had lost it.
    fn send(&mut self, offload: &TxOffload, frame: &[u8]) -> io::Result<()>;

    /// The same of a frame in parts.
    ///
    /// # Errors
    ///
    /// As for [`Link::send`].
    fn send_parts(&mut self, offload: &TxOffload, parts: [&[u8]; 3]) -> io::Result<()> {
        self.send(offload, &parts.concat())
    }

    /// When [`Link::handle_timeout`] is wanted next: microseconds on the clock that it is called with.
    fn poll_timeout(&self) -> Option<u64> {
        None
    }

    /// Tells the time, in microseconds from any fixed moment: at the start of each turn of the loop, and when
    /// [`Link::poll_timeout`] is due.
    fn handle_timeout(&mut self, now_micros: u64) {
        let _ = now_micros;
    }

    /// The descriptor that is readable when frames wait.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Something the link's user should be told, once: it still carries frames.
    fn take_warning(&mut self) -> Option<String> {
        None
    }
}

impl<L: Link + ?Sized> Link for Box<L> {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<Option<(RxOffload, usize)>> {
        (**self).recv(buf)
    }

    fn send(&mut self, offload: &TxOffload, frame: &[u8]) -> io::Result<()> {
        (**self).send(offload, frame)
    }

    fn send_parts(&mut self, offload: &TxOffload, parts: [&[u8]; 3]) -> io::Result<()> {
        (**self).send_parts(offload, parts)
    }

    fn poll_timeout(&self) -> Option<u64> {
        (**self).poll_timeout()
    }

    fn handle_timeout(&mut self, now_micros: u64) {
        (**self).handle_timeout(now_micros);
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        (**self).as_fd()
    }

    fn take_warning(&mut self) -> Option<String> {
        (**self).take_warning()
    }
}
