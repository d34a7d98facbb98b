//! What travels beside a frame.

/// What the link says of a received frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RxMeta {
    /// The transport checksum was checked, or never left the host: don't verify it.
    pub checksum_ok: bool,
}

/// What the link has to do with a frame. Offsets count from the start of the Ethernet header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxMeta {
    /// The checksum is partial: the sum over everything from `start` goes to `start + offset`,
    /// where the sum of the pseudo-header stands (virtio's `NEEDS_CSUM`).
    pub csum: Option<PartialChecksum>,
    /// Cut the payload into segments.
    pub gso: Option<Segmentation>,
}

/// See [`TxMeta::csum`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialChecksum {
    /// Where the summed bytes start.
    pub start: u16,
    /// Where the field is, from `start`.
    pub offset: u16,
}

/// See [`TxMeta::gso`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// IPv6, otherwise IPv4.
    pub v6: bool,
    /// Bytes of all headers.
    pub hdr_len: u16,
    /// Payload bytes of each segment.
    pub size: u16,
}

/// Takes frames out of the stack.
pub trait FrameSink {
    /// One Ethernet frame. A sink that cannot take it drops it, as a full link does.
    fn send(&mut self, meta: &TxMeta, frame: &[u8]);

    /// The same of a frame in parts: all headers, then the payload in the up to two pieces that a ring has it in.
    fn send_parts(&mut self, meta: &TxMeta, parts: [&[u8]; 3]) {
        self.send(meta, &parts.concat());
    }
}
