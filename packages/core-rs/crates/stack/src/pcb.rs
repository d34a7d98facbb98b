//! Protocol control blocks: what an id stands for.
//!
//! ```text
//!            listen                      SYN
//! open ──> Idle ──────> Listener ··············> embryo (SYN-RECEIVED) ──> Incoming
//!            │ connect                              │ RST, 63 s: gone, nobody was told
//!            └──────> Conn (SYN-SENT) ──> Connected / Failed (back to Idle, may connect again)
//! ```
//!
//! A connection's own progress is smoltcp's state; beside it stands its [`Stage`]: who knows of it
//! and whether segments still reach it. What a program has closed lives on as an *orphan* until TCP
//! is done with it.

use std::net::IpAddr;

use netcon_sender::Sender;
use netcon_wire::{Family, SockAddr};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;

use crate::flow::FlowKey;
use crate::meter::{Measures, Meter};
use crate::ports::{Binding, Claim};
use crate::ring::{Ring, RingPages};
use crate::sack::Reported;
use crate::seq::Seq;
use crate::stamps::Stamps;
use crate::tcb::Tcb;
use crate::timers::Alarm;
use crate::{BindOptions, Cause, PcbId, PcbInfo, PcbOptions, TcpState};

/// What an id stands for.
pub(crate) struct Pcb {
    pub(crate) generation: u32,
    pub(crate) family: Family,
    /// Bound by `bind`, or by `listen`, as it was then; connects bind nothing here.
    pub(crate) bound: Option<Binding>,
    pub(crate) bind_options: BindOptions,
    pub(crate) options: PcbOptions,
    /// Why the last connect failed.
    pub(crate) failed: Option<Cause>,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    Idle,
    Listener(Listener),
    Conn(Box<Conn>),
    /// A connection whose octets go another way; see stack/direct.rs.
    Direct(FlowKey),
}

/// A listening block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Listener {
    pub(crate) backlog: usize,
    /// Handshakes under way.
    pub(crate) embryos: usize,
    /// Finished ones that the program has not got yet.
    pub(crate) unaccepted: usize,
    /// Connections that did not come through the stack and wait for the program.
    pub(crate) outside: usize,
}

/// Who knows of a connection, and whether segments reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A listener's handshake; no event has named it.
    Embryo,
    /// Our own SYN is out.
    Connecting,
    /// Established, or later.
    Open,
    /// Out of the flow table: failed, closed by both sides, or in TIME-WAIT. Only what was
    /// received is left.
    Detached,
}

/// A connection.
pub(crate) struct Conn {
    /// Receives, and has the state. It believes that nothing but SYN and FIN was ever sent.
    pub(crate) tcb: Tcb,
    /// Sends.
    pub(crate) sender: Sender<Ring>,
    pub(crate) opening: Opening,
    /// Where headers are put together.
    pub(crate) header: Vec<u8>,
    pub(crate) spoken: Spoken,
    pub(crate) reported: Reported,
    pub(crate) stamps: Stamps,
    pub(crate) key: FlowKey,
    pub(crate) stage: Stage,
    /// The listener it came from, until the program has it.
    pub(crate) listener: Option<PcbId>,
    /// Both ends are inside the stack.
    pub(crate) looped: bool,
    /// The neighbour that packets go through.
    pub(crate) hop: IpAddr,
    pub(crate) orphan: bool,
    pub(crate) failed: Option<Cause>,
    /// An ICMP error that did not end it but explains a time-out (RFC 1122 4.2.3.9).
    pub(crate) soft: Option<Cause>,

    pub(crate) iss: Seq,
    pub(crate) irs: Seq,
    /// The sender's, and those of the SYN.
    pub(crate) snd_una: Seq,
    pub(crate) snd_nxt: Seq,
    /// Shift of the window we advertise.
    pub(crate) shift: u8,
    /// `IP_TTL`, where it was set.
    pub(crate) hop_limit: Option<u8>,
    /// Payload of a full segment now; the peer's, the link's, or the path's limit.
    pub(crate) mss: u16,

    pub(crate) receiving: Receiving,
    pub(crate) meter: Meter,
    /// Bytes read and written.
    pub(crate) consumed: u64,
    pub(crate) written: u64,
    /// The receive queue when it was last looked at.
    pub(crate) seen: usize,
    pub(crate) fin_seen: bool,
    /// A write found too little room: tell when there is more.
    pub(crate) short: bool,
    /// An event has named it: its end is told, too.
    pub(crate) announced: bool,
    /// An event is queued already.
    pub(crate) told_readable: bool,
    pub(crate) told_writable: bool,
    pub(crate) dirty: bool,
    /// Waits for its neighbour.
    pub(crate) blocked: bool,

    pub(crate) alarm: Alarm,
    pub(crate) opened: Instant,
    /// A segment came last.
    pub(crate) heard: Instant,
    /// The peer acknowledged something new last, or something became outstanding.
    pub(crate) progress: Instant,
    pub(crate) outstanding: bool,
    /// FIN-WAIT-2 as an orphan began.
    pub(crate) fin_wait_2: Option<Instant>,
    /// Keep-alive probes unanswered.
    pub(crate) probes: u32,
    /// No challenge ACK before that (RFC 5961 7).
    pub(crate) next_challenge: Instant,
}

/// The memory of the receive ring, see [`memory`](crate::stack).
pub(crate) struct Receiving {
    /// None where there is nothing to give back.
    pub(crate) pages: Option<Box<dyn RingPages>>,
    /// Bytes of it that may be in memory.
    pub(crate) filled: usize,
    /// It waits to be given back.
    pub(crate) listed: bool,
    /// Payload came last.
    pub(crate) fed: Instant,
    /// Behind the last octet that may lie in the ring, in order or not.
    pub(crate) end: Seq,
}

/// The handshake, for the sender.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Opening {
    /// The handshake has ended, and the sender knows.
    pub(crate) done: bool,
    /// SYNs sent, and when the first was.
    pub(crate) syns: u32,
    pub(crate) sent: Option<Instant>,
    /// One of them was a SYN-ACK.
    pub(crate) answered: bool,
    /// Of the peer's SYN: its window, the shift of later ones, whether it permits SACK.
    pub(crate) window: u16,
    pub(crate) shift: u8,
    pub(crate) sack: bool,
    /// It can do ECN, and so do we then (RFC 3168 6.1.1).
    pub(crate) ecn: bool,
}

/// What the peer was told of what we have received, and what it has to be told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spoken {
    /// The right edge of the window that smoltcp has announced, and will take what lies before it.
    pub(crate) edge: Seq,
    /// What it was sent last.
    pub(crate) sent_ack: Seq,
    pub(crate) sent_window: u16,
    /// It has to be sent by then, alone if nothing else leaves.
    pub(crate) due: Option<Instant>,
    /// Because the window has opened.
    pub(crate) due_now: bool,
    /// With so much received and such a window it could have been told, but smoltcp did not open it: it believes that
    /// the window of its SYN was scaled. The next octet that comes opens it.
    pub(crate) futile: Option<(Seq, u16)>,
    /// Congestion was experienced, until the peer says that it has heard (RFC 3168 6.1.3).
    pub(crate) echo: bool,
}

impl Conn {
    pub(crate) fn new(
        (tcb, receiving): (Tcb, Receiving),
        sender: Sender<Ring>,
        key: FlowKey,
        stage: Stage,
        (iss, stamps): (Seq, Stamps),
        now: Instant,
    ) -> Conn {
        Conn {
            tcb,
            sender,
            opening: Opening::default(),
            header: Vec::new(),
            spoken: Spoken::default(),
            reported: Reported::default(),
            stamps,
            key,
            stage,
            listener: None,
            looped: false,
            hop: key.remote().0,
            orphan: false,
            failed: None,
            soft: None,
            iss,
            irs: Seq(0),
            snd_una: iss,
            snd_nxt: iss,
            shift: 0,
            hop_limit: None,
            mss: 536,
            receiving,
            meter: Meter::default(),
            consumed: 0,
            written: 0,
            seen: 0,
            fin_seen: false,
            short: false,
            announced: stage != Stage::Embryo,
            told_readable: false,
            told_writable: false,
            dirty: false,
            blocked: false,
            alarm: Alarm::default(),
            opened: now,
            heard: now,
            progress: now,
            outstanding: true,
            fin_wait_2: None,
            probes: 0,
            next_challenge: now,
        }
    }

    /// Whether the receive ring holds octets, such as came out of order included.
    pub(crate) fn holds_received(&self) -> bool {
        self.recv_queue() > 0 || self.receiving.end.after(self.rcv_nxt())
    }

    pub(crate) fn recv_queue(&self) -> usize {
        self.tcb.get(|socket| socket.recv_queue())
    }

    pub(crate) fn send_queue(&self) -> usize {
        if self.stage == Stage::Detached {
            0
        } else {
            self.sender.queued()
        }
    }

    /// The next sequence number expected of the peer: SYN, what was read, what waits, FIN.
    #[expect(clippy::cast_possible_truncation, reason = "modulo 2^32 on purpose")]
    pub(crate) fn rcv_nxt(&self) -> Seq {
        let octets = (self.consumed as u32).wrapping_add(self.recv_queue() as u32);
        self.irs
            .plus(1)
            .plus(octets)
            .plus(u32::from(fin_received(self.tcb.state())))
    }

    fn measures(&self) -> Measures {
        Measures {
            window_shifts: (self.opening.shift, self.shift),
            sack: self.opening.sack,
            timestamps: self.stamps.on,
            ..self.meter.seen
        }
    }

    /// The acknowledgement smoltcp is shown: it has sent a SYN and perhaps a FIN, and nothing between.
    pub(crate) fn shown_ack(&self) -> Seq {
        self.iss.plus(1).plus(u32::from(self.sender.finished()))
    }

    /// The window to advertise, scaled.
    pub(crate) fn window(&self) -> u16 {
        let free = self
            .tcb
            .get(|socket| socket.recv_capacity() - socket.recv_queue());
        u16::try_from(free >> self.shift).unwrap_or(u16::MAX)
    }

    /// Whether something the peer has to acknowledge is queued or out.
    pub(crate) fn owes(&self) -> bool {
        self.sender.owes()
    }

    /// The state to show: a tombstone has taken over from a detached one.
    pub(crate) fn state(&self) -> TcpState {
        match self.stage {
            Stage::Detached => TcpState::Closed,
            Stage::Embryo | Stage::Connecting | Stage::Open => state(self.tcb.state()),
        }
    }
}

impl Pcb {
    /// The local end of a connection that holds its port: one in the stack, or a direct one.
    pub(crate) fn flow_local(&self) -> Option<(IpAddr, u16)> {
        match &self.kind {
            Kind::Idle | Kind::Listener(_) => None,
            Kind::Conn(conn) => (conn.stage != Stage::Detached).then(|| conn.key.local()),
            Kind::Direct(key) => Some(key.local()),
        }
    }

    /// What the connection of this block holds.
    pub(crate) fn flow_claim(&self, local: IpAddr) -> Claim {
        Claim::new(local, self.family, self.bind_options)
    }

    pub(crate) fn info(&self) -> PcbInfo {
        let local = self
            .bound
            .map_or(SockAddr::unspecified(self.family), |bound| {
                SockAddr::new(bound.claim.addr, bound.port).as_family(self.family)
            });
        let mut info = PcbInfo {
            family: self.family,
            state: TcpState::Closed,
            local,
            peer: None,
            send_queue: 0,
            recv_queue: 0,
            mss: 0,
            peer_closed: false,
            failed: self.failed,
            orphan: false,
            rx_bytes: 0,
            tx_bytes: 0,
            measures: Measures::default(),
            sender: None,
        };
        match &self.kind {
            Kind::Idle => {}
            Kind::Listener(listener) => {
                info.state = TcpState::Listen;
                info.send_queue = listener.backlog;
                info.recv_queue = listener.unaccepted + listener.outside;
            }
            Kind::Conn(conn) => {
                info.state = conn.state();
                info.local = endpoint(conn.key.local(), self.family);
                info.peer = Some(endpoint(conn.key.remote(), self.family));
                info.send_queue = conn.send_queue();
                info.recv_queue = conn.recv_queue();
                info.mss = conn.mss;
                info.peer_closed = conn.fin_seen;
                info.failed = conn.failed;
                info.orphan = conn.orphan;
                info.rx_bytes = conn.consumed;
                info.tx_bytes = conn.written;
                info.measures = conn.measures();
                info.sender = conn.opening.done.then(|| conn.sender.info());
            }
            Kind::Direct(key) => {
                info.state = TcpState::Established;
                info.local = endpoint(key.local(), self.family);
                info.peer = Some(endpoint(key.remote(), self.family));
                info.mss = crate::net::inner_mss(key.remote().0);
            }
        }
        info
    }

    pub(crate) fn conn(&self) -> Option<&Conn> {
        match &self.kind {
            Kind::Conn(conn) => Some(conn),
            Kind::Idle | Kind::Listener(_) | Kind::Direct(_) => None,
        }
    }

    pub(crate) fn conn_mut(&mut self) -> Option<&mut Conn> {
        match &mut self.kind {
            Kind::Conn(conn) => Some(conn),
            Kind::Idle | Kind::Listener(_) | Kind::Direct(_) => None,
        }
    }
}

/// An endpoint in the form a socket of that family shows.
pub(crate) fn endpoint((ip, port): (IpAddr, u16), family: Family) -> SockAddr {
    SockAddr::new(ip, port).as_family(family)
}

/// Whether the peer's FIN has been taken in.
pub(crate) fn fin_received(state: tcp::State) -> bool {
    matches!(
        state,
        tcp::State::CloseWait | tcp::State::LastAck | tcp::State::Closing | tcp::State::TimeWait
    )
}

fn state(state: tcp::State) -> TcpState {
    match state {
        tcp::State::Closed => TcpState::Closed,
        // Only between a SYN's arrival and its digestion.
        tcp::State::Listen => TcpState::SynReceived,
        tcp::State::SynSent => TcpState::SynSent,
        tcp::State::SynReceived => TcpState::SynReceived,
        tcp::State::Established => TcpState::Established,
        tcp::State::FinWait1 => TcpState::FinWait1,
        tcp::State::FinWait2 => TcpState::FinWait2,
        tcp::State::CloseWait => TcpState::CloseWait,
        tcp::State::Closing => TcpState::Closing,
        tcp::State::LastAck => TcpState::LastAck,
        tcp::State::TimeWait => TcpState::TimeWait,
    }
}

/// All control blocks, by id.
#[derive(Default)]
pub(crate) struct Table {
    slots: slab::Slab<Pcb>,
    next_generation: u32,
}

impl Table {
    pub(crate) fn insert(&mut self, family: Family, kind: Kind) -> PcbId {
        // Never 0, so that no id is; a slot's generation comes again after 2^32 blocks.
        self.next_generation = self.next_generation.wrapping_add(1).max(1);
        let generation = self.next_generation;
        let slot = self.slots.insert(Pcb {
            generation,
            family,
            bound: None,
            bind_options: BindOptions::default(),
            options: PcbOptions::default(),
            failed: None,
            kind,
        });
        PcbId::new(u32::try_from(slot).unwrap_or(u32::MAX), generation)
    }

    pub(crate) fn get(&self, id: PcbId) -> Option<&Pcb> {
        self.slots
            .get(id.slot())
            .filter(|pcb| pcb.generation == id.generation())
    }

    pub(crate) fn get_mut(&mut self, id: PcbId) -> Option<&mut Pcb> {
        self.slots
            .get_mut(id.slot())
            .filter(|pcb| pcb.generation == id.generation())
    }

    pub(crate) fn conn(&self, id: PcbId) -> Option<&Conn> {
        self.get(id)?.conn()
    }

    pub(crate) fn conn_mut(&mut self, id: PcbId) -> Option<&mut Conn> {
        self.get_mut(id)?.conn_mut()
    }

    pub(crate) fn listener_mut(&mut self, id: PcbId) -> Option<&mut Listener> {
        match &mut self.get_mut(id)?.kind {
            Kind::Listener(listener) => Some(listener),
            Kind::Idle | Kind::Conn(_) | Kind::Direct(_) => None,
        }
    }

    pub(crate) fn remove(&mut self, id: PcbId) -> Option<Pcb> {
        self.get(id)?;
        self.slots.try_remove(id.slot())
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PcbId, &Pcb)> {
        self.slots.iter().map(|(slot, pcb)| {
            (
                PcbId::new(u32::try_from(slot).unwrap_or(u32::MAX), pcb.generation),
                pcb,
            )
        })
    }
}
