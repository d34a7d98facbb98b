//! RPC channels: accepting them, admission, attaching, and their end.

use std::fs;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use netcon_stack::Event as StackEvent;
use netcon_sys::epoll::LEVEL_IN;
use netcon_sys::process;
use netcon_sys::unix::{self, Kind, Name, Received};
use netcon_wire::{
    Family, Header, HelloReply, MAX_ADDRESSES, MAX_FRAME, Op, Reply, Request, SockAddr,
};

use crate::config::Config;
use crate::engine::{Engine, Event};
use crate::error::OpenError;
use crate::sessions::{Admission, Hello, SessionId};
use crate::token::Token;

/// Records taken from one channel in a turn.
const RECORDS: usize = 32;
/// Pause between two warnings of a full table.
const SILENCE_MICROS: i64 = 60_000_000;
/// Channels accepted in a turn.
const CHANNELS: usize = 256;
/// Channels at most; each is an fd of the service.
pub(crate) const MAX_SESSIONS: usize = 8192;

impl Engine {
    pub(crate) fn accept_channels(&mut self) {
        // Bounded by the listener's backlog; level-triggered, so the rest comes next turn.
        for _ in 0..CHANNELS {
            match unix::accept(self.rpc.as_fd()) {
                Ok(channel) => drop(self.add_session(channel, None)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.turn_away(),
            }
        }
    }

    /// No descriptor is left: the next in the queue is let in with the spare one and turned away,
    /// or the queue would keep the loop awake.
    fn turn_away(&mut self) {
        self.counters.refused += 1;
        self.spare = None;
        drop(unix::accept(self.rpc.as_fd()));
        self.spare = File::open("/dev/null").ok();
        if self.full_until > self.now_micros {
            return;
        }
        self.full_until = self.now_micros + SILENCE_MICROS;
        let limit = process::fd_limit().unwrap_or(0);
        (self.events)(Event::Warning(format!(
            "all {limit} descriptors are in use: programs are turned away; give the service more \
             (ulimit -n, LimitNOFILE= in a systemd unit)"
        )));
    }

    /// A new channel; `parent` when it came by ATTACH.
    pub(crate) fn add_session(
        &mut self,
        channel: OwnedFd,
        parent: Option<SessionId>,
    ) -> Option<SessionId> {
        if self.sessions.len() >= MAX_SESSIONS {
            self.counters.refused += 1;
            return None;
        }
        let credentials = unix::peer_credentials(channel.as_fd()).ok()?;
        let session = self.sessions.insert(channel, credentials, self.now_micros);
        let id = session.id;
        session.parent = parent;
        let added = self
            .epoll
            .add(session.channel.as_fd(), LEVEL_IN, Token::Channel(id).pack());
        if added.is_err() {
            self.sessions.remove(id);
            return None;
        }
        Some(id)
    }

    pub(crate) fn serve_channel(&mut self, id: SessionId) {
        let mut buf = [0; MAX_FRAME];
        let mut fds = Vec::new();
        for _ in 0..RECORDS {
            let Some(session) = self.sessions.get(id) else {
                return;
            };
            match unix::recv_record(session.channel.as_fd(), &mut buf, &mut fds) {
                Ok(Received { len: 0, .. }) => return self.end_session(id),
                Ok(Received { len: n, fds_lost }) => {
                    let admission = session.admission;
                    let Some(frame) = buf.get(..n) else { return };
                    match admission {
                        Admission::Silent => self.hello(id, frame),
                        // One HELLO at a time; anything else is out of order.
                        Admission::Asked => self.end_session(id),
                        Admission::Admitted { .. } => {
                            self.serve(id, frame, std::mem::take(&mut fds), fds_lost);
                        }
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.end_session(id),
            }
        }
    }

    /// The first record: handed out as it is, so that policy also answers other versions.
    fn hello(&mut self, id: SessionId, frame: &[u8]) {
        let pid = self.sessions.get(id).map_or(0, |s| s.credentials.pid);
        let returning = self.is_member(pid);
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        session.admission = Admission::Asked;
        session.minor = Header::decode(frame).map_or(0, |(header, _)| header.minor);
        if let Ok((_, Request::Hello { program, .. })) = Request::decode(frame) {
            session.program = String::from_utf8_lossy(program).into_owned();
        }
        let hello = Hello {
            session: id,
            pid: session.credentials.pid,
            uid: session.credentials.uid,
            gid: session.credentials.gid,
            returning,
            groups: unix::peer_groups(session.channel.as_fd()),
            frame: frame.to_vec(),
        };
        (self.events)(Event::Hello(hello));
    }

    pub(crate) fn admit(&mut self, id: SessionId, max_sockets: u32, reply: &[u8]) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        if session.admission != Admission::Asked {
            return;
        }
        session.admission = Admission::Admitted { max_sockets };
        // Before it can do anything: what it does next may be the last that this service sees.
        self.note_member(id);
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        if unix::send_record(session.channel.as_fd(), reply, None).is_err() {
            self.end_session(id);
        }
    }

    pub(crate) fn refuse(&mut self, id: SessionId, reply: &[u8]) {
        if let Some(session) = self.sessions.get(id) {
            // It may have gone already.
            let _ = unix::send_record(session.channel.as_fd(), reply, None);
            self.end_session(id);
        }
    }

    /// ATTACH: a descendant is admitted as its ancestor was, whatever its uid is by now.
    pub(crate) fn attach(&mut self, parent: SessionId, channel: OwnedFd, request: u32) {
        let Some(session) = self.sessions.get(parent) else {
            return;
        };
        let (admission, program) = (session.admission, session.program.clone());
        let minor = session.minor;
        let Some(id) = self.add_session(channel, Some(parent)) else {
            return;
        };
        let mut addresses = [SockAddr::unspecified(Family::Inet); MAX_ADDRESSES];
        let mut count = 0;
        for (slot, (ip, _)) in addresses.iter_mut().zip(&self.config.addresses) {
            *slot = SockAddr::new(*ip, 0);
            count += 1;
        }
        let reply = Reply::Hello(HelloReply {
            session: id.0,
            message: b"",
            addresses,
            count,
        });
        if let Some(session) = self.sessions.get_mut(id) {
            session.admission = admission;
            session.program = program;
            session.minor = minor;
        }
        self.note_member(id);
        if let Some(session) = self.sessions.get(id) {
            self.send_reply(session.channel.as_fd(), Op::Attach, request, 0, &reply, &[]);
        }
    }

    fn end_session(&mut self, id: SessionId) {
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        let _ = self.epoll.delete(session.channel.as_fd());
        if let Some(ready) = session.ready {
            self.drop_ready(ready);
        }
        if let Some(index) = session.record {
            self.records.clear(index);
        }
        self.questions.forget(id);
        // Its sockets may live on in other processes: only the kernel knows.
        self.reap_due |= session.sockets > 0;
    }

    pub(crate) fn drain_events(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            match event {
                StackEvent::SynReceived { listener } => self.syn_received(listener),
                StackEvent::BacklogFull { listener } => self.count_accepted(listener),
                StackEvent::Incoming {
                    listener,
                    pcb,
                    local,
                    peer,
                } => {
                    self.incoming(listener, pcb, local, peer);
                }
                StackEvent::Connected { pcb } => self.connected(pcb),
                StackEvent::Readable { pcb } | StackEvent::Writable { pcb } => {
                    self.stream_dirty(pcb);
                }
                StackEvent::PeerClosed { pcb } => self.peer_closed(pcb),
                StackEvent::Failed { pcb, cause } => self.pcb_failed(pcb, cause),
                // The entry was removed when it was closed.
                StackEvent::Closed { .. } => {}
            }
        }
    }
}

/// The RPC listener. A path that nobody answers on is a leftover and is replaced.
pub(crate) fn listen(config: &Config) -> Result<OwnedFd, OpenError> {
    let path: &PathBuf = &config.socket_path;
    let failed = |source| OpenError::Socket {
        path: path.clone(),
        source,
    };
    let name = Name::Path(path);
    let probe = unix::socket(Kind::SeqPacket, true).map_err(failed)?;
    match unix::connect(probe.as_fd(), name) {
        Ok(()) => return Err(OpenError::SocketInUse(path.clone())),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
            return Err(OpenError::SocketInUse(path.clone()));
        }
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)?;
        }
        Err(_) => {}
    }
    let rpc = unix::socket(Kind::SeqPacket, true).map_err(failed)?;
    unix::bind(rpc.as_fd(), name).map_err(failed)?;
    // Everybody may knock: who may join is decided by credentials, with a message to the others.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).map_err(failed)?;
    unix::listen(rpc.as_fd(), 1024).map_err(failed)?;
    Ok(rpc)
}
