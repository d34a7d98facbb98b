//! A TAP as a link: the virtio-net header to and from offload fields.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netcon_sys::tap::{HEADER_LEN, Tap};

use crate::{Link, RxOffload, TxOffload};

/// `struct virtio_net_hdr` (linux/virtio_net.h): flags, GSO type, and four 16-bit fields in the host's
/// byte order (tun.rst: legacy headers are native unless `TUNSETVNETLE`).
const NEEDS_CSUM: u8 = 1;
const DATA_VALID: u8 = 2;
const GSO_TCPV4: u8 = 1;
const GSO_TCPV6: u8 = 4;

/// Frames that were cut off are skipped; no more than this many in one call.
const SKIP_LIMIT: usize = 16;

/// A link over a TAP device.
#[derive(Debug)]
pub struct TapLink {
    tap: Tap,
}

impl TapLink {
    /// Takes an open device.
    #[must_use]
    pub fn new(tap: Tap) -> Self {
        Self { tap }
    }
}

impl Link for TapLink {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<Option<(RxOffload, usize)>> {
        let mut header = [0; HEADER_LEN];
        for _ in 0..SKIP_LIMIT {
            match self.tap.recv(&mut header, buf) {
                // A full buffer: the driver may have cut the frame off.
                Ok(len) if len == buf.len() => {}
                Ok(len) => return Ok(Some((parse_header(&header), len))),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    fn send(&mut self, offload: &TxOffload, frame: &[u8]) -> io::Result<()> {
        self.send_parts(offload, [frame, &[], &[]])
    }

    fn send_parts(&mut self, offload: &TxOffload, parts: [&[u8]; 3]) -> io::Result<()> {
        self.tap.send(&build_header(offload), parts).map(|_| ())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.tap.as_fd())
    }
}

fn parse_header(header: &[u8; HEADER_LEN]) -> RxOffload {
    let [flags, gso_type, _, _, size_a, size_b, ..] = *header;
    let size = u16::from_ne_bytes([size_a, size_b]);
    RxOffload {
        checksum_ok: flags & (NEEDS_CSUM | DATA_VALID) != 0,
        gso_size: if gso_type == 0 { 0 } else { size },
    }
}

fn build_header(offload: &TxOffload) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    if let Some(checksum) = offload.checksum {
        header[0] = NEEDS_CSUM;
        header[6..8].copy_from_slice(&checksum.start.to_ne_bytes());
        header[8..10].copy_from_slice(&checksum.offset.to_ne_bytes());
    }
    if let Some(segment) = offload.segment {
        header[1] = if segment.v6 { GSO_TCPV6 } else { GSO_TCPV4 };
        header[2..4].copy_from_slice(&segment.header_len.to_ne_bytes());
        header[4..6].copy_from_slice(&segment.size.to_ne_bytes());
    }
    header
}

#[cfg(test)]
mod tests;
