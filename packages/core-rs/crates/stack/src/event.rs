//! What a stack tells its owner.

use netcon_wire::SockAddr;

use crate::PcbId;

/// Something that happened. Events are level-safe: one may come twice, none is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A SYN came for a listener and its SYN-ACK has not left yet: an owner that finds the
    /// listener dead closes it, and the peer gets a reset.
    SynReceived {
        /// The listener.
        listener: PcbId,
    },
    /// A SYN came for a listener whose backlog is full. An owner that knows of connections the
    /// program has accepted says so now (`backlog_accepted`), or the SYN is dropped.
    BacklogFull {
        /// The listener.
        listener: PcbId,
    },
    /// A handshake with a listener is finished. The addresses have the listener's family.
    Incoming {
        /// The listener.
        listener: PcbId,
        /// The new connection.
        pcb: PcbId,
        /// Its own address.
        local: SockAddr,
        /// The peer's address.
        peer: SockAddr,
    },
    /// A connect succeeded.
    Connected {
        /// The connection.
        pcb: PcbId,
    },
    /// There is new data to read.
    Readable {
        /// The connection.
        pcb: PcbId,
    },
    /// There is room to write again after a write found little or none.
    Writable {
        /// The connection.
        pcb: PcbId,
    },
    /// The peer has sent everything (FIN). What is in the receive ring came before it.
    PeerClosed {
        /// The connection.
        pcb: PcbId,
    },
    /// The connection, or the attempt to connect, has failed. Data received before stays readable.
    /// The id stays valid until it is closed; after a failed connect it may connect again.
    Failed {
        /// The connection.
        pcb: PcbId,
        /// Why.
        cause: Cause,
    },
    /// The block is gone and its id invalid from now. Comes only after `close` or `abort`.
    Closed {
        /// The id that was.
        pcb: PcbId,
    },
}

/// Why a connection failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The peer reset the connection.
    Reset,
    /// The peer refused it: RST to our SYN, or ICMP port unreachable.
    Refused,
    /// No answer in time.
    TimedOut,
    /// The neighbour does not answer, or ICMP host unreachable.
    HostUnreachable,
    /// ICMP network unreachable.
    NetUnreachable,
    /// ICMP protocol unreachable.
    ProtocolUnreachable,
    /// ICMPv6 administratively prohibited.
    Denied,
}
