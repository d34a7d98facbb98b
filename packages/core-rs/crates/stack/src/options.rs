//! Options of a control block, and what it shows of itself.

use std::fmt;

use netcon_sender::{Algorithm, Info};
use netcon_wire::{Family, SockAddr};
use smoltcp::time::Duration;

use crate::{Cause, Measures};

/// How `bind` treats addresses that others hold; socket(7), ipv6(7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BindOptions {
    /// `SO_REUSEADDR`
    pub reuse_addr: bool,
    /// `SO_REUSEPORT`
    pub reuse_port: bool,
    /// `IPV6_V6ONLY`
    pub v6only: bool,
}

/// Keep-alive of a connection; tcp(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// `TCP_KEEPIDLE`: silence before the first probe.
    pub idle: Duration,
    /// `TCP_KEEPINTVL`: time between probes.
    pub interval: Duration,
    /// `TCP_KEEPCNT`: unanswered probes before the connection is given up.
    pub count: u32,
}

/// Options of a control block. A listener's are inherited by its children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PcbOptions {
    /// `TCP_NODELAY`: off is Nagle's algorithm.
    pub nodelay: bool,
    /// `SO_KEEPALIVE` with its times.
    pub keepalive: Option<KeepAlive>,
    /// `TCP_USER_TIMEOUT`: how long data may stay unacknowledged.
    pub user_timeout: Option<Duration>,
    /// `SO_LINGER` with a time of zero: `close` resets the connection.
    pub reset_on_close: bool,
    /// `TCP_MAXSEG`: no segment carries more than that.
    pub max_segment: Option<u16>,
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`: 0 or `None` is 64.
    pub hop_limit: Option<u8>,
    /// `TCP_DEFER_ACCEPT`: how long a connection may wait for its first data before the listener's owner is told.
    pub defer_accept: Option<Duration>,
    /// `TCP_CONGESTION`; `None` is the stack's.
    pub congestion: Option<Algorithm>,
}

/// States of a control block, by the RFC's names (RFC 9293 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "RFC 9293 3.3.2")]
pub enum TcpState {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl fmt::Display for TcpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TcpState::Closed => "CLOSED",
            TcpState::Listen => "LISTEN",
            TcpState::SynSent => "SYN-SENT",
            TcpState::SynReceived => "SYN-RECEIVED",
            TcpState::Established => "ESTABLISHED",
            TcpState::FinWait1 => "FIN-WAIT-1",
            TcpState::FinWait2 => "FIN-WAIT-2",
            TcpState::CloseWait => "CLOSE-WAIT",
            TcpState::Closing => "CLOSING",
            TcpState::LastAck => "LAST-ACK",
            TcpState::TimeWait => "TIME-WAIT",
        })
    }
}

/// What a control block shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PcbInfo {
    /// The family it was opened with.
    pub family: Family,
    /// Its state.
    pub state: TcpState,
    /// Its own address, in its family's form; port 0 when not bound.
    pub local: SockAddr,
    /// The peer's.
    pub peer: Option<SockAddr>,
    /// Bytes written and not acknowledged. A listener: its backlog.
    pub send_queue: usize,
    /// Bytes received and not read. A listener: connections not handed to the program yet.
    pub recv_queue: usize,
    /// Payload bytes of a full segment; 0 before the handshake.
    pub mss: u16,
    /// The peer has sent its FIN.
    pub peer_closed: bool,
    /// Why it failed, if it has.
    pub failed: Option<Cause>,
    /// Its owner has closed it.
    pub orphan: bool,
    /// Bytes read by the program so far.
    pub rx_bytes: u64,
    /// Bytes written by the program so far.
    pub tx_bytes: u64,
    /// Segments and when they came and went; nothing before there is a connection.
    pub measures: Measures,
    /// What the sender of an open connection shows.
    pub sender: Option<Info>,
}
