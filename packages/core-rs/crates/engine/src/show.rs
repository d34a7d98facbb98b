//! What the engine shows of itself.

use netcon_stack::{PcbInfo, SenderInfo, TcpState};
use netcon_sys::process;
use netcon_wire::{Family, SockAddr, SocketState};

use crate::datagrams::Datagrams;
use crate::engine::Engine;
use crate::table::{Role, Socket};

/// Totals.
#[derive(Clone, Debug)]
pub struct Status {
    /// Since the start.
    pub uptime_micros: i64,
    /// Connected sockets.
    pub connections: usize,
    /// Listening sockets.
    pub listeners: usize,
    /// Programs.
    pub sessions: usize,
    /// All entries.
    pub sockets: usize,
    /// Name and value.
    pub counters: Vec<(&'static str, u64)>,
}

/// One socket, as ss(8) would show it.
#[derive(Clone, Debug)]
pub struct SocketRow {
    /// Index in the table; 0xffffffff for a connection that no program holds any more.
    pub id: u32,
    /// tcp, udp, udplite or ping.
    pub protocol: &'static str,
    /// 4 or 6.
    pub family: u8,
    /// RFC 9293's names.
    pub state: String,
    /// Connected directly to another program's socket: the service moves none of its octets and counts none.
    pub shortcut: bool,
    /// Local endpoint.
    pub local: String,
    /// Peer; empty when there is none.
    pub peer: String,
    /// Bytes received and not taken by the program; for a listener, connections waiting.
    pub recv_queue: usize,
    /// Bytes not acknowledged; for a listener, its backlog.
    pub send_queue: usize,
    /// Owner.
    pub session: u32,
    /// Owner.
    pub pid: u32,
    /// Owner.
    pub program: String,
    /// Owner.
    pub uid: u32,
    /// Since it was created.
    pub age_micros: i64,
    /// What the sender of a connection shows.
    pub sender: Option<SenderInfo>,
    /// Bytes given to the program.
    pub rx_bytes: u64,
    /// Bytes taken from the program.
    pub tx_bytes: u64,
}

/// One program.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Counts up from 1.
    pub id: u32,
    /// Process.
    pub pid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Its name.
    pub program: String,
    /// Whose channel it came over.
    pub parent: Option<u32>,
    /// Sockets it has created and not closed.
    pub sockets: u32,
    /// Since it joined.
    pub age_micros: i64,
}

impl Engine {
    pub(crate) fn status(&mut self) -> Status {
        self.reap();
        let count =
            |wanted: fn(&Role) -> bool| self.table.iter().filter(|s| wanted(&s.role)).count();
        let (c, s) = (&self.counters, self.stack.counters());
        Status {
            uptime_micros: self.uptime_micros(),
            connections: count(|r| matches!(r, Role::Stream(_) | Role::Direct(_))),
            listeners: count(|r| matches!(r, Role::Listener(_))),
            sessions: self.sessions.len(),
            sockets: count(|r| !matches!(r, Role::Ended)) - self.lying_ready,
            counters: [
                ("turns", c.turns),
                ("turns_busy_polled", self.busy_poll.found),
                ("requests", c.requests),
                ("bad_frames", c.bad_frames),
                ("name_questions", c.questions),
                ("sockets_refused", c.refused),
                ("records_failed", c.records_failed),
                ("shortcuts", c.shortcuts),
                ("link_received", c.link_received),
                ("link_sent", c.link_sent),
                ("link_send_failed", c.link_failed),
                ("rx_frames", s.rx_frames),
                ("rx_bytes", s.rx_bytes),
                ("rx_bad", s.rx_bad),
                ("tx_frames", s.tx_frames),
                ("tx_bytes", s.tx_bytes),
                ("loop_frames", s.loop_frames),
                ("backlog_drops", s.backlog_drops),
                ("accepted", s.accepted),
                ("connected", s.connected),
                ("rst_sent", s.rst_sent),
                ("rst_received", s.rst_received),
                ("datagrams_in", s.datagrams_in),
                ("datagrams_out", s.datagrams_out),
                ("datagrams_refused", s.datagrams_refused),
            ]
            .into_iter()
            .chain(self.datagrams.iter().flat_map(Datagrams::counters))
            .collect(),
        }
    }

    pub(crate) fn socket_rows(&mut self) -> Vec<SocketRow> {
        self.reap();
        self.count_all_accepted();
        let mut rows: Vec<SocketRow> = self
            .table
            .iter()
            .filter(|s| !matches!(s.role, Role::Ended) && !s.is_ready)
            .map(|s| self.row(s))
            .collect();
        for (id, info) in self.stack.pcbs() {
            if self.table.by_pcb(id).is_none() {
                rows.push(orphan(&info));
            }
        }
        rows.extend(self.datagram_rows());
        rows
    }

    fn row(&self, socket: &Socket) -> SocketRow {
        let info = socket.pcb.and_then(|p| self.stack.info(p));
        let owner = self.sessions.get(socket.session);
        let state = info.map_or_else(|| without_pcb(socket.state), |i| i.state.to_string());
        let pid = owner.map_or(socket.pid, |o| o.credentials.pid);
        SocketRow {
            id: socket.key.slot,
            protocol: "tcp",
            family: if socket.family == Family::Inet6 { 6 } else { 4 },
            state,
            shortcut: matches!(socket.role, Role::Direct(_)),
            local: endpoint(socket.local.unwrap_or(SockAddr::unspecified(socket.family))),
            peer: socket.peer.map_or_else(String::new, endpoint),
            recv_queue: info.map_or(0, |i| i.recv_queue),
            send_queue: info.map_or(0, |i| i.send_queue),
            session: socket.session.0,
            pid,
            program: process::program(pid)
                .or_else(|| owner.map(|o| o.program.clone()))
                .unwrap_or_default(),
            uid: owner.map_or(0, |o| o.credentials.uid),
            age_micros: self.now_micros - socket.created_micros,
            sender: info.and_then(|i| i.sender),
            rx_bytes: socket.to_program,
            tx_bytes: socket.from_program,
        }
    }

    pub(crate) fn session_rows(&mut self) -> Vec<SessionRow> {
        self.recount_datagrams();
        let mut rows: Vec<SessionRow> = self
            .sessions
            .iter()
            .map(|s| SessionRow {
                id: s.id.0,
                pid: s.credentials.pid,
                uid: s.credentials.uid,
                program: process::program(s.credentials.pid).unwrap_or_else(|| s.program.clone()),
                parent: s.parent.map(|p| p.0),
                sockets: s.sockets,
                age_micros: self.now_micros - s.created_micros,
            })
            .collect();
        rows.sort_by_key(|row| row.id);
        rows
    }
}

/// A connection that goes on without its program: FIN-WAIT, LAST-ACK, TIME-WAIT.
fn orphan(info: &PcbInfo) -> SocketRow {
    SocketRow {
        id: u32::MAX,
        protocol: "tcp",
        family: if info.family == Family::Inet6 { 6 } else { 4 },
        state: info.state.to_string(),
        shortcut: false,
        local: endpoint(info.local),
        peer: info.peer.map_or_else(String::new, endpoint),
        recv_queue: info.recv_queue,
        send_queue: info.send_queue,
        session: 0,
        pid: 0,
        program: String::new(),
        uid: 0,
        age_micros: 0,
        sender: info.sender,
        rx_bytes: info.rx_bytes,
        tx_bytes: info.tx_bytes,
    }
}

fn without_pcb(state: SocketState) -> String {
    match state {
        SocketState::Connected => TcpState::Closed,
        SocketState::Fresh | SocketState::Failed => TcpState::Closed,
        SocketState::Listening => TcpState::Listen,
        SocketState::Connecting => TcpState::SynSent,
    }
    .to_string()
}

fn endpoint(addr: SockAddr) -> String {
    std::net::SocketAddr::new(addr.ip, addr.port).to_string()
}
