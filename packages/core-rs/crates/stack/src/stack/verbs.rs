//! The verbs of lwIP's raw API, with Linux's errors. docs/internals/pcb.md has a row for each.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_sender::Sender;
use netcon_wire::{Family, SockAddr};
use smoltcp::time::Instant;
use smoltcp::wire::IpEndpoint;

use super::Stack;
use crate::device::Exchange;
use crate::flow::FlowKey;
use crate::hash::SipKey;
use crate::net::Route;
use crate::pcb::{Conn, Kind, Listener, Stage, endpoint};
use crate::ports::{Binding, Claim};
use crate::stamps::Stamps;
use crate::tcb::Tcb;
use crate::{
    BindError, BindOptions, ConnectError, IoError, ListenError, OpenError, PcbId, PcbOptions, isn,
};

impl Stack {
    /// A new, unbound control block (lwIP's `tcp_new`).
    pub fn open(&mut self, family: Family) -> Result<PcbId, OpenError> {
        if self.pcbs.len() >= self.max_connections.saturating_mul(2) {
            return Err(OpenError::TableFull);
        }
        Ok(self.pcbs.insert(family, Kind::Idle))
    }

    /// Binds to an address of the stack (`tcp_bind`); port 0 is any free one. Gives the address
    /// with its port.
    pub fn bind(
        &mut self,
        id: PcbId,
        addr: SockAddr,
        options: BindOptions,
    ) -> Result<SockAddr, BindError> {
        let pcb = self.pcbs.get(id).ok_or(BindError::Stale)?;
        let family = pcb.family;
        if !matches!(pcb.kind, Kind::Idle) || pcb.bound.is_some() || addr.family() != family {
            return Err(BindError::Invalid);
        }
        let ip = addr.ip.to_canonical();
        if family == Family::Inet6 && ip.is_ipv4() && options.v6only {
            return Err(BindError::Invalid);
        }
        if !ip.is_unspecified() && !self.net.is_own(ip) {
            return Err(BindError::NotAvailable);
        }
        let options = BindOptions {
            // __inet6_bind() in net/ipv6/af_inet6.c: one address of IPv6 is IPv6 only.
            v6only: options.v6only || ip.is_ipv6() && !ip.is_unspecified(),
            ..options
        };
        let wanted = Binding {
            id,
            claim: Claim::new(ip, family, options),
            port: addr.port,
            listening: false,
        };
        let port = match addr.port {
            0 => self.free_port(&wanted).ok_or(BindError::InUse)?,
            port if self.ports.may_bind(&wanted) => port,
            _ => return Err(BindError::InUse),
        };
        let binding = Binding { port, ..wanted };
        self.ports.bind(binding);
        let pcb = self.pcbs.get_mut(id).ok_or(BindError::Stale)?;
        pcb.bound = Some(binding);
        pcb.bind_options = options;
        Ok(SockAddr {
            ip: addr.ip,
            port,
            scope: addr.scope,
        })
    }

    /// Listens (`tcp_listen_with_backlog`), on a free port when not bound. Again: a new backlog.
    pub fn listen(&mut self, id: PcbId, backlog: usize) -> Result<SockAddr, ListenError> {
        let pcb = self.pcbs.get(id).ok_or(ListenError::Stale)?;
        if matches!(pcb.kind, Kind::Conn(_) | Kind::Direct(_)) {
            return Err(ListenError::Invalid);
        }
        if pcb.bound.is_none() {
            let (any, options) = (SockAddr::unspecified(pcb.family), pcb.bind_options);
            self.bind(id, any, options)
                .map_err(|_| ListenError::InUse)?;
        }
        if let Some(listener) = self.pcbs.listener_mut(id) {
            listener.backlog = backlog;
        } else {
            let binding = self.pcbs.get(id).and_then(|pcb| pcb.bound);
            let binding = binding.ok_or(ListenError::Stale)?;
            if !self.ports.may_listen(&binding) {
                return Err(ListenError::InUse);
            }
            self.ports.set_listening(binding.port, id);
            let pcb = self.pcbs.get_mut(id).ok_or(ListenError::Stale)?;
            pcb.kind = Kind::Listener(Listener {
                backlog,
                ..Listener::default()
            });
        }
        Ok(self.info(id).ok_or(ListenError::Stale)?.local)
    }

    /// Starts to connect (`tcp_connect`), from a free port when not bound. Gives the local
    /// address; the outcome is an event.
    pub fn connect(
        &mut self,
        id: PcbId,
        to: SockAddr,
        now: Instant,
    ) -> Result<SockAddr, ConnectError> {
        self.advance(now);
        self.may_connect(id)?;
        let Start {
            family,
            bound,
            claim,
            key,
        } = self.starting_point(id, to)?;
        let ((local, port), (remote, _)) = (key.local(), key.remote());
        let mut conn = self
            .make_conn(key, Stage::Connecting)
            .ok_or(ConnectError::NoBuffers)?;
        let mut io = Exchange {
            rx: None,
            tx: &mut self.scratch,
            tx_len: 0,
            largest: self.largest,
        };
        let mut iface = isn::interface(conn.iss, &mut io, self.now);
        let ends = (
            IpEndpoint::new(remote.into(), to.port),
            IpEndpoint::new(local.into(), port),
        );
        let started = conn
            .tcb
            .act(|socket| socket.connect(iface.context(), ends.0, ends.1));
        if started.is_err() {
            self.give_rings(conn);
            return Err(ConnectError::NetUnreachable);
        }
        if bound.is_some() {
            self.ports.set_claim(port, id, claim);
        }
        self.admit(id, conn);
        self.mark_dirty(id);
        self.rearm(id);
        Ok(endpoint((local, port), family))
    }

    /// The program has got the connection: frees its place in the listener's backlog.
    pub fn backlog_accepted(&mut self, id: PcbId) {
        let listener = self.pcbs.conn_mut(id).and_then(|conn| match conn.stage {
            Stage::Open | Stage::Detached => conn.listener.take(),
            Stage::Embryo | Stage::Connecting => None,
        });
        if let Some(listener) = listener.and_then(|listener| self.pcbs.listener_mut(listener)) {
            listener.unaccepted = listener.unaccepted.saturating_sub(1);
        }
    }

    /// Free bytes of the send ring; 0 when nothing may be written.
    pub fn send_space(&self, id: PcbId) -> usize {
        let open = self
            .pcbs
            .conn(id)
            .filter(|conn| conn.stage == Stage::Open && !conn.orphan);
        open.filter(|conn| conn.tcb.get(|socket| socket.may_send()))
            .map_or(0, |conn| conn.sender.space())
    }

    /// Bytes written and not acknowledged.
    pub fn send_queue(&self, id: PcbId) -> usize {
        self.pcbs.conn(id).map_or(0, Conn::send_queue)
    }

    /// Bytes received and not read.
    pub fn recv_queue(&self, id: PcbId) -> usize {
        self.pcbs.conn(id).map_or(0, Conn::recv_queue)
    }

    /// Lets `f` fill the contiguous free part of the send ring (`tcp_write`); it returns how much
    /// it wrote. After a wrap, or to see whether there is more room, call again. The slice is
    /// empty when the ring is full: [`Event::Writable`](crate::Event::Writable) will come.
    pub fn write_with<R>(
        &mut self,
        id: PcbId,
        f: impl FnOnce(&mut [u8]) -> (usize, R),
    ) -> Result<R, IoError> {
        let now = self.now;
        let conn = open_conn(self.pcbs.get_mut(id).ok_or(IoError::Stale)?)?;
        if let Some(cause) = conn.failed {
            return Err(IoError::Failed(cause));
        }
        if !conn.tcb.get(|socket| socket.may_send()) {
            return Err(IoError::Shutdown);
        }
        if !conn.sender.has_memory() && conn.sender.space() > 0 && !self.lend_ring(id) {
            return Err(IoError::NoMemory);
        }
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return Err(IoError::Stale);
        };
        let (wrote, result) = conn.sender.write(f);
        conn.written += wrote as u64;
        conn.short |= conn.sender.space() < conn.sender.capacity() / 4;
        if wrote > 0 {
            if !conn.outstanding {
                conn.outstanding = true;
                conn.progress = now;
            }
            self.mark_dirty(id);
        } else {
            self.reclaim_ring(id);
        }
        Ok(result)
    }

    /// Lets `f` read the contiguous full part of the receive ring (`tcp_recved` included); it
    /// returns how much it took. The slice is empty when there is nothing: not yet, or never
    /// again after [`Event::PeerClosed`](crate::Event::PeerClosed).
    pub fn read_with<R>(
        &mut self,
        id: PcbId,
        f: impl FnOnce(&[u8]) -> (usize, R),
    ) -> Result<R, IoError> {
        let conn = open_conn(self.pcbs.get_mut(id).ok_or(IoError::Stale)?)?;
        if conn.recv_queue() == 0 {
            return match conn.failed {
                Some(cause) => Err(IoError::Failed(cause)),
                None => Ok(f(&[]).1),
            };
        }
        let mut took = 0;
        let read = conn.tcb.act(|socket| {
            socket.recv(|data| {
                let (len, result) = f(data);
                took = len.min(data.len());
                (took, result)
            })
        });
        let result = read.map_err(|_| IoError::NotConnected)?;
        conn.consumed += took as u64;
        conn.seen = conn.recv_queue();
        if conn.seen == 0 {
            self.warm.list(id, conn);
        }
        // The window may have to be told; nobody listens after the FIN.
        if took > 0 && conn.stage == Stage::Open && !conn.fin_seen {
            self.mark_dirty(id);
        }
        Ok(result)
    }

    /// FIN after the queued data (`tcp_shutdown` of the sending half).
    pub fn shutdown_write(&mut self, id: PcbId) {
        let Some(conn) = self
            .pcbs
            .conn_mut(id)
            .filter(|conn| conn.stage == Stage::Open)
        else {
            return;
        };
        conn.tcb.act(|socket| socket.close());
        conn.sender.finish();
        self.mark_dirty(id);
        self.rearm(id);
    }

    /// Gives the block up (`tcp_close`). A connection sends what is queued and its FIN as an
    /// orphan; with data unread, or lingering for no time, it is reset. A listener's handshakes
    /// are reset. [`Event::Closed`](crate::Event::Closed) comes when the block is gone.
    pub fn close(&mut self, id: PcbId) {
        let Some(pcb) = self.pcbs.get(id) else { return };
        let reset_on_close = pcb.options.reset_on_close;
        match &pcb.kind {
            Kind::Idle | Kind::Direct(_) => self.release(id),
            Kind::Listener(_) => self.close_listener(id),
            Kind::Conn(conn) if conn.orphan => {}
            Kind::Conn(conn) => match conn.stage {
                Stage::Embryo | Stage::Connecting => self.abort(id),
                Stage::Detached => self.release(id),
                // RFC 1122 4.2.2.13, RFC 2525 2.17: data was lost, and the peer must know.
                Stage::Open if reset_on_close || conn.recv_queue() > 0 => self.abort(id),
                Stage::Open => self.orphan(id),
            },
        }
    }

    /// RST, and gone (`tcp_abort`). Data not sent yet is lost.
    pub fn abort(&mut self, id: PcbId) {
        let Some(pcb) = self.pcbs.get(id) else { return };
        match &pcb.kind {
            Kind::Idle | Kind::Direct(_) => self.release(id),
            Kind::Listener(_) => self.close_listener(id),
            Kind::Conn(_) => {
                self.reset_peer(id);
                self.release(id);
            }
        }
    }

    /// Sets the options of a block; a listener's are for its children.
    pub fn set_options(&mut self, id: PcbId, options: PcbOptions) {
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        pcb.options = options;
        let Some(conn) = pcb.conn_mut() else { return };
        apply(conn, &options);
        self.mark_dirty(id);
        self.rearm(id);
    }

    /// Sets how the addresses of a block are shared, also of one that is bound or connected.
    pub fn set_bind_options(&mut self, id: PcbId, options: BindOptions) {
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        let local = pcb.flow_local();
        let before = local.map(|(addr, port)| (port, pcb.flow_claim(addr)));
        pcb.bind_options = options;
        if let Some(((addr, port), (_, before))) = local.zip(before) {
            let claim = pcb.flow_claim(addr);
            self.ports.flow_begins(port, claim);
            self.ports.flow_ends(port, before);
        }
        let Some(bound) = &mut pcb.bound else { return };
        bound.claim = Claim::new(bound.claim.addr, pcb.family, options);
        let claim = local.map_or(bound.claim, |(addr, _)| Claim {
            addr,
            ..bound.claim
        });
        self.ports.set_claim(bound.port, id, claim);
    }

    /// A connection's memory and numbers; `None` when there is no room.
    pub(super) fn make_conn(&mut self, key: FlowKey, stage: Stage) -> Option<Conn> {
        if self.connections >= self.max_connections && !self.recycle() {
            self.counters.no_room += 1;
            return None;
        }
        let Some(ring) = self.take_ring() else {
            self.counters.no_room += 1;
            return None;
        };
        let iss = isn::initial(&self.isn_key, &key, self.now);
        let sender = Sender::new(self.ring, self.congestion);
        let stamps = Stamps::new(&self.stamp_key, &key);
        let numbers = (iss, stamps);
        let receiving = self.warm.start(&ring, self.now);
        let receiver = (Tcb::new(ring), receiving);
        let mut conn = Conn::new(receiver, sender, key, stage, numbers, self.now);
        match self.net.route(key.remote().0) {
            Route::Loop => conn.looped = true,
            Route::Hop(hop) => conn.hop = hop,
            Route::None => {}
        }
        Some(conn)
    }

    /// Puts a connection into its block and the tables.
    pub(super) fn admit(&mut self, id: PcbId, mut conn: Conn) {
        let key = conn.key;
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        apply(&mut conn, &pcb.options);
        self.warm.list(id, &mut conn);
        pcb.failed = None;
        pcb.kind = Kind::Conn(Box::new(conn));
        self.connections += 1;
        let (addr, port) = key.local();
        self.ports.flow_begins(port, pcb.flow_claim(addr));
        self.flows.insert(key, crate::flow::Flow::Pcb(id));
    }

    /// Where a connect begins: its address and port, a free one when not bound.
    pub(super) fn starting_point(
        &mut self,
        id: PcbId,
        to: SockAddr,
    ) -> Result<Start, ConnectError> {
        let pcb = self.pcbs.get(id).ok_or(ConnectError::Stale)?;
        let (family, bound) = (pcb.family, pcb.bound);
        let remote = destination(family, pcb.bind_options.v6only, to)?;
        let local = self.local_address(bound, remote)?;
        let claim = pcb.flow_claim(local);
        let taken = |port| {
            self.flows.contains_key(&FlowKey::new(local, port, remote, to.port))
                // A connection with itself is only made on purpose.
                || (bound.is_none() && local == remote && port == to.port)
        };
        let port = match bound {
            Some(bound) if taken(bound.port) => return Err(ConnectError::InUse),
            Some(bound) => bound.port,
            None => {
                let target = FlowKey::new(local, 0, remote, to.port);
                let start = self
                    .port_key
                    .hash(&target.words())
                    .wrapping_add(self.port_step);
                let found = self.ports.connect_port(start, &claim, taken);
                found.ok_or(ConnectError::NotAvailable)?
            }
        };
        self.port_step = self.port_step.wrapping_add(1);
        Ok(Start {
            family,
            bound,
            claim,
            key: FlowKey::new(local, port, remote, to.port),
        })
    }

    pub(super) fn may_connect(&mut self, id: PcbId) -> Result<(), ConnectError> {
        let pcb = self.pcbs.get(id).ok_or(ConnectError::Stale)?;
        match &pcb.kind {
            Kind::Idle => Ok(()),
            Kind::Direct(_) => Err(ConnectError::IsConnected),
            Kind::Listener(_) => Err(ConnectError::Invalid),
            Kind::Conn(conn) if conn.orphan => Err(ConnectError::Stale),
            Kind::Conn(conn) => match conn.stage {
                Stage::Connecting => Err(ConnectError::InProgress),
                Stage::Detached if conn.failed.is_some() => {
                    self.forget_conn(id);
                    Ok(())
                }
                Stage::Embryo | Stage::Open | Stage::Detached => Err(ConnectError::IsConnected),
            },
        }
    }

    fn local_address(&self, bound: Option<Binding>, to: IpAddr) -> Result<IpAddr, ConnectError> {
        let automatic = self
            .net
            .source_for(to)
            .ok_or(ConnectError::NetUnreachable)?;
        match bound
            .map(|bound| bound.claim.addr)
            .filter(|addr| !addr.is_unspecified())
        {
            // Nothing comes back to 127.0.0.1 from the link, nor to the other family.
            Some(addr) if addr.is_ipv4() != to.is_ipv4() => Err(ConnectError::NetUnreachable),
            Some(addr) if addr.is_loopback() && self.net.route(to) != Route::Loop => {
                Err(ConnectError::NetUnreachable)
            }
            Some(addr) => Ok(addr),
            None => Ok(automatic),
        }
    }

    fn free_port(&mut self, wanted: &Binding) -> Option<u16> {
        self.port_step = self.port_step.wrapping_add(1);
        let start = SipKey::hash(&self.port_key, &[self.port_step]);
        self.ports.free_port(start, wanted)
    }
}

/// Where a connect begins.
pub(super) struct Start {
    pub(super) family: Family,
    bound: Option<Binding>,
    claim: Claim,
    pub(super) key: FlowKey,
}

/// Where a connect goes: the canonical address, the unspecified one meaning loopback as on Linux.
fn destination(family: Family, v6only: bool, to: SockAddr) -> Result<IpAddr, ConnectError> {
    let ip = match to.ip.to_canonical() {
        IpAddr::V6(_) if family == Family::Inet => return Err(ConnectError::Family),
        IpAddr::V4(_) if v6only => return Err(ConnectError::NetUnreachable),
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip @ (IpAddr::V4(_) | IpAddr::V6(_)) => ip,
    };
    if to.port == 0 {
        Err(ConnectError::Refused)
    } else {
        Ok(ip)
    }
}

/// The connection of a block, if its owner may read or write.
fn open_conn(pcb: &mut crate::pcb::Pcb) -> Result<&mut Conn, IoError> {
    let failed = pcb.failed;
    let conn = match &mut pcb.kind {
        Kind::Idle if let Some(cause) = failed => return Err(IoError::Failed(cause)),
        Kind::Idle | Kind::Listener(_) | Kind::Direct(_) => return Err(IoError::NotConnected),
        Kind::Conn(conn) => conn,
    };
    match conn.stage {
        _ if conn.orphan => Err(IoError::Stale),
        Stage::Embryo | Stage::Connecting => Err(IoError::NotConnected),
        Stage::Open | Stage::Detached => Ok(conn),
    }
}

fn apply(conn: &mut Conn, options: &PcbOptions) {
    if let Some(limit) = options.max_segment.filter(|limit| *limit > 0) {
        conn.mss = conn.mss.min(conn.payload(limit));
        conn.sender.limit_segments(conn.mss);
    }
    conn.sender.set_nodelay(options.nodelay);
    if let Some(algorithm) = options.congestion {
        conn.sender.set_algorithm(algorithm);
    }
    conn.hop_limit = options.hop_limit.filter(|limit| *limit > 0);
    conn.tcb.act(|socket| socket.set_hop_limit(conn.hop_limit));
}
