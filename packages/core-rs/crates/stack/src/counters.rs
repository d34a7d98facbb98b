//! What a stack counts.

/// Totals since the stack was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames taken from the link.
    pub rx_frames: u64,
    /// Bytes of them.
    pub rx_bytes: u64,
    /// Frames dropped as malformed or with a wrong checksum.
    pub rx_bad: u64,
    /// Frames that were not for us, or of a protocol that is not spoken.
    pub rx_ignored: u64,
    /// Frames given to the link.
    pub tx_frames: u64,
    /// Bytes of them.
    pub tx_bytes: u64,
    /// Of those, super-frames with segmentation metadata.
    pub tx_super_frames: u64,
    /// Frames that went round inside the stack.
    pub loop_frames: u64,
    /// Frames dropped because a bounded queue was full.
    pub queue_drops: u64,
    /// SYNs dropped because a backlog was full.
    pub backlog_drops: u64,
    /// Connections refused for lack of room or memory.
    pub no_room: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Connects that succeeded.
    pub connected: u64,
    /// Embryos that were given up.
    pub embryos_dead: u64,
    /// Resets sent.
    pub rst_sent: u64,
    /// Resets received and believed.
    pub rst_received: u64,
    /// Challenge ACKs sent (RFC 5961).
    pub challenge_acks: u64,
    /// TIME-WAIT tombstones recycled before their time.
    pub tombstones_recycled: u64,
    /// Neighbours that did not answer.
    pub neighbours_failed: u64,
    /// Packets given to the host of datagram sockets.
    pub datagrams_in: u64,
    /// Packets taken from it.
    pub datagrams_out: u64,
    /// Of those, packets that may not leave it, or had nowhere to go.
    pub datagrams_refused: u64,
}
