//! The stack (skeleton: signatures first).

use netcon_wire::{Family, SockAddr};
use smoltcp::time::Instant;

use crate::*;

/// A TCP/IP stack.
pub struct Stack {
    counters: Counters,
}

#[expect(unused_variables, clippy::needless_pass_by_value, reason = "skeleton")]
impl Stack {
    /// A stack with no connection.
    pub fn new(config: Config, rings: Box<dyn RingSource + Send>, now: Instant) -> Stack {
        Stack {
            counters: Counters::default(),
        }
    }
    /// A new, unbound control block (`tcp_new`).
    pub fn open(&mut self, family: Family) -> Result<PcbId, OpenError> {
        Err(OpenError::TableFull)
    }
    /// Binds (`tcp_bind`); gives the address with the port filled in.
    pub fn bind(
        &mut self,
        id: PcbId,
        addr: SockAddr,
        opts: BindOptions,
    ) -> Result<SockAddr, BindError> {
        Err(BindError::Stale)
    }
    /// Listens (`tcp_listen_with_backlog`); binds to a free port if need be. Again: sets the backlog.
    pub fn listen(&mut self, id: PcbId, backlog: usize) -> Result<SockAddr, ListenError> {
        Err(ListenError::Stale)
    }
    /// Starts to connect (`tcp_connect`); gives the local address.
    pub fn connect(
        &mut self,
        id: PcbId,
        to: SockAddr,
        now: Instant,
    ) -> Result<SockAddr, ConnectError> {
        Err(ConnectError::Stale)
    }
    /// The child was handed to the program: frees a place in its listener's backlog.
    pub fn backlog_accepted(&mut self, id: PcbId) {}
    /// Free bytes of the send ring.
    pub fn send_space(&self, id: PcbId) -> usize {
        0
    }
    /// Bytes written and not acknowledged.
    pub fn send_queue(&self, id: PcbId) -> usize {
        0
    }
    /// Bytes received and not read.
    pub fn recv_queue(&self, id: PcbId) -> usize {
        0
    }
    /// Lets `f` fill the contiguous free part of the send ring; it returns how much it wrote.
    pub fn write_with<R>(
        &mut self,
        id: PcbId,
        f: impl FnOnce(&mut [u8]) -> (usize, R),
    ) -> Result<R, IoError> {
        Err(IoError::Stale)
    }
    /// Lets `f` read the contiguous full part of the receive ring; it returns how much it took.
    pub fn read_with<R>(
        &mut self,
        id: PcbId,
        f: impl FnOnce(&[u8]) -> (usize, R),
    ) -> Result<R, IoError> {
        Err(IoError::Stale)
    }
    /// FIN after the queued data.
    pub fn shutdown_write(&mut self, id: PcbId) {}
    /// Gives the block up; a connection goes on sending what is queued.
    pub fn close(&mut self, id: PcbId) {}
    /// RST, and gone.
    pub fn abort(&mut self, id: PcbId) {}
    /// Sets the options.
    pub fn set_options(&mut self, id: PcbId, options: PcbOptions) {}
    /// What the block shows of itself.
    pub fn info(&self, id: PcbId) -> Option<PcbInfo> {
        None
    }
    /// Takes a frame from the link.
    pub fn handle_frame(&mut self, now: Instant, meta: &RxMeta, frame: &[u8]) {}
    /// Runs what is due.
    pub fn handle_timeout(&mut self, now: Instant) {}
    /// Sends at most about `budget` frames; true when there is more to send.
    pub fn poll_transmit(&mut self, now: Instant, budget: usize, sink: &mut dyn FrameSink) -> bool {
        false
    }
    /// When to call again; `None` is never.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        None
    }
    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        None
    }
    /// Totals.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
    /// All control blocks, TIME-WAIT tombstones included.
    pub fn pcbs(&self) -> impl Iterator<Item = (PcbId, PcbInfo)> + '_ {
        std::iter::empty()
    }
}
