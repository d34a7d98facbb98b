//! The stack: its parts, and what an owner polls. The verbs, the ways in and out, and a
//! connection's progress are in the modules below; none of them knows a socket or a clock.

use std::collections::VecDeque;

use netcon_sender::Algorithm;
use smoltcp::iface::Interface;
use smoltcp::time::Instant;

use crate::device::{Exchange, INNER_MTU, Largest};
use crate::ethernet::HEADER;
use crate::flow::FlowTable;
use crate::hash::SipKey;
use crate::neighbour::Neighbours;
use crate::net::Net;
use crate::outbox::Outbox;
use crate::pcb::{Table, endpoint};
use crate::ports::Ports;
use crate::seq::Seq;
use crate::timers::Timers;
use crate::tombstone::Yard;
use crate::{Config, Counters, Event, Family, PcbId, PcbInfo, RingSource, TcpState, isn};

mod direct;
mod egress;
mod ingress;
mod memory;
mod progress;
mod release;
mod segments;
mod sending;
mod verbs;

pub use direct::Meeting;

/// Purposes that keys are derived for.
const FOR_FLOWS: u64 = 1;
const FOR_ISN: u64 = 2;
const FOR_PORTS: u64 = 3;
const FOR_NEIGHBOURS: u64 = 4;
const FOR_STAMPS: u64 = 5;

/// A TCP/IP stack.
///
/// A turn: feed frames and time-outs, poll events, call verbs, poll transmit, poll events again
/// (loopback is delivered while transmitting), sleep until [`Stack::poll_timeout`].
pub struct Stack {
    net: Net,
    largest: Largest,
    ring: usize,
    max_connections: usize,
    congestion: Algorithm,
    isn_key: SipKey,
    stamp_key: SipKey,
    port_key: SipKey,
    /// Makes consecutive ephemeral ports differ (RFC 6056 3.3.3).
    port_step: u64,

    now: Instant,
    iface: Interface,
    rings: Box<dyn RingSource + Send>,
    warm: memory::Warm,
    pcbs: Table,
    /// Blocks that hold rings.
    connections: usize,
    flows: FlowTable,
    yard: Yard,
    ports: Ports,
    neighbours: Neighbours,
    timers: Timers,
    events: VecDeque<Event>,
    counters: Counters,

    /// Connections that may have something to send, in turn.
    dirty: VecDeque<PcbId>,
    /// New embryos with their SYNs: the SYN-ACKs wait until the owner has seen the events.
    held: Vec<(PcbId, Vec<u8>)>,
    /// SYNs to look at once more: those that met a full backlog, when the owner has had the chance to
    /// tell what was accepted, and those of a listener that was found dead: another may have the port.
    waiting_syns: Vec<Vec<u8>>,
    /// Those SYNs are being looked at again: now they are dropped.
    retrying: bool,
    /// Closed by their owners, oldest first: what is recycled when the table is full.
    orphans: VecDeque<PcbId>,
    outbox: Outbox,
    /// Errors for the host of datagram sockets.
    refusals: VecDeque<Vec<u8>>,
    /// Super-frames on their way round inside the stack.
    looped: VecDeque<(Vec<u8>, usize)>,
    /// Buffers of such frames, to use again.
    pool: Vec<Vec<u8>>,
    /// Where smoltcp writes, behind room for an Ethernet header.
    scratch: Vec<u8>,
    /// Where one small frame is put together.
    piece: Vec<u8>,
    /// ICMP errors sent in the current second.
    icmp_budget: (Instant, u32),
}

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack")
            .field("pcbs", &self.pcbs.len())
            .field("flows", &self.flows.len())
            .finish_non_exhaustive()
    }
}

impl Stack {
    /// A stack with no connection. It announces its addresses on the link with its first frames.
    pub fn new(config: Config, rings: Box<dyn RingSource + Send>, now: Instant) -> Stack {
        let net = Net::new(&config);
        let largest = Largest::for_mtu(net.mtu);
        let mut scratch = frame_buffer();
        let mut io = Exchange {
            rx: None,
            tx: &mut scratch,
            tx_len: 0,
            largest,
        };
        let iface = isn::interface(Seq(0), &mut io, now);
        let key = |purpose| SipKey::derive(config.secret, purpose);
        let mut stack = Stack {
            net,
            largest,
            // smoltcp takes rings of up to 1 GiB; below a segment nothing moves.
            ring: config.ring.clamp(4096, 1 << 30),
            max_connections: config.max_connections.max(1),
            congestion: config.congestion,
            isn_key: key(FOR_ISN),
            stamp_key: key(FOR_STAMPS),
            port_key: key(FOR_PORTS),
            port_step: 0,
            now,
            iface,
            rings,
            warm: memory::Warm::new(now),
            pcbs: Table::default(),
            connections: 0,
            flows: FlowTable::with_hasher(key(FOR_FLOWS)),
            yard: Yard::new(config.max_tombstones),
            ports: Ports::default(),
            neighbours: Neighbours::new(key(FOR_NEIGHBOURS)),
            timers: Timers::default(),
            events: VecDeque::new(),
            counters: Counters::default(),
            dirty: VecDeque::new(),
            held: Vec::new(),
            waiting_syns: Vec::new(),
            retrying: false,
            orphans: VecDeque::new(),
            outbox: Outbox::default(),
            refusals: VecDeque::new(),
            looped: VecDeque::new(),
            pool: Vec::new(),
            scratch,
            piece: Vec::new(),
            icmp_budget: (now, 0),
        };
        stack.announce();
        stack
    }

    /// When to call [`Stack::handle_timeout`] or [`Stack::poll_transmit`] next; `None` is never.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        if self.has_work() {
            return Some(self.now);
        }
        let neighbours = self.neighbours.deadline();
        let connections = self.next_alarm();
        let memory = self.memory_deadline();
        [neighbours, connections, memory]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next event. Poll until `None` after feeding frames and after transmitting.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            let event = self.events.pop_front()?;
            let wanted = match event {
                Event::Readable { pcb } => self.owned(pcb, |conn| conn.told_readable = false),
                Event::Writable { pcb } => self.owned(pcb, |conn| conn.told_writable = false),
                Event::Connected { pcb } | Event::PeerClosed { pcb } => self.owned(pcb, |_| ()),
                Event::Incoming { listener, pcb, .. } => self.introduce(listener, pcb),
                Event::Failed { pcb, .. } => self
                    .pcbs
                    .get(pcb)
                    .is_some_and(|pcb| pcb.conn().is_none_or(|c| !c.orphan)),
                Event::SynReceived { listener } | Event::BacklogFull { listener } => {
                    self.pcbs.get(listener).is_some()
                }
                Event::Closed { .. } => true,
            };
            if wanted {
                return Some(event);
            }
        }
    }

    /// Totals.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What a block shows of itself.
    pub fn info(&self, id: PcbId) -> Option<PcbInfo> {
        self.pcbs.get(id).map(crate::pcb::Pcb::info)
    }

    /// All blocks, orphans and TIME-WAIT tombstones included (a tombstone has the id of the block
    /// it came from). Call [`Stack::handle_timeout`] first for tombstones to be up to date.
    pub fn pcbs(&self) -> impl Iterator<Item = (PcbId, PcbInfo)> + '_ {
        let tombstones = self.yard.iter().map(|stone| {
            let family = if stone.key.local().0.is_ipv4() {
                Family::Inet
            } else {
                Family::Inet6
            };
            let info = PcbInfo {
                family,
                state: TcpState::TimeWait,
                local: endpoint(stone.key.local(), family),
                peer: Some(endpoint(stone.key.remote(), family)),
                send_queue: 0,
                recv_queue: 0,
                mss: 0,
                peer_closed: true,
                failed: None,
                orphan: true,
                rx_bytes: 0,
                tx_bytes: 0,
                measures: crate::Measures::default(),
                sender: None,
            };
            (stone.id, info)
        });
        self.pcbs
            .iter()
            .map(|(id, pcb)| (id, pcb.info()))
            .chain(tombstones)
    }

    /// Whether something waits to be sent.
    fn has_work(&self) -> bool {
        !self.dirty.is_empty()
            || !self.held.is_empty()
            || !self.waiting_syns.is_empty()
            || !self.outbox.is_empty()
            || !self.looped.is_empty()
    }

    /// Moves time on (never back) and lets tombstones go.
    fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(stone) = self.yard.take_expired(self.now, &mut self.flows) {
            self.tombstone_gone(&stone);
        }
    }

    /// Whether a new connection may be told. When its listener has gone meanwhile nobody wants it:
    /// it is reset, as Linux does with what was not accepted.
    fn introduce(&mut self, listener: PcbId, id: PcbId) -> bool {
        if self.pcbs.get(listener).is_none() {
            self.abort(id);
            return false;
        }
        self.owned(id, |conn| conn.announced = true)
    }

    /// Runs `f` on a connection that still has an owner.
    fn owned(&mut self, id: PcbId, f: impl FnOnce(&mut crate::pcb::Conn)) -> bool {
        match self.pcbs.conn_mut(id).filter(|conn| !conn.orphan) {
            Some(conn) => {
                f(conn);
                true
            }
            None => false,
        }
    }
}

/// Room for the largest frame.
fn frame_buffer() -> Vec<u8> {
    vec![0; HEADER + INNER_MTU]
}

#[cfg(test)]
mod tests;
