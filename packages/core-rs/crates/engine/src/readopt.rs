//! Sockets of a service that was killed: what is noted of them, and how the next one takes them back.
//!
//! A program's bound or listening socket lives on without its service; nothing of it but its cookie tells which
//! it is. What the cookie stood for is in the records ([`crate::records`]); the kernel says whether such
//! a socket still lives, whose it is, and which file it is bound to. How and why: docs/internals/restart.md.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::os::fd::BorrowedFd;

use netcon_sys::diag::{self, UnixSocket};
use netcon_sys::{process, sockopt, unix};
use netcon_wire::{Family, Mark, SocketName, SocketState};

use crate::accept::{CHECK_AT, Listener};
use crate::engine::{Engine, Event};
use crate::records::{Record, SocketRecord};
use crate::rpc::Failure;
use crate::rpc::errno::ENOBUFS;
use crate::sessions::{Admission, SessionId};
use crate::sockopts::facts;
use crate::table::{Role, SocketKey};

/// The session of a socket whose program has not asked for anything yet.
pub(crate) const NOBODY: SessionId = SessionId(0);
/// Linux's ECONNRESET.
const ECONNRESET: u32 = 104;

impl Engine {
    /// Notes what a restarted service must know of a socket: while it is bound or listens, and no longer.
    pub(crate) fn note(&mut self, key: SocketKey) {
        let Some(socket) = self.table.get(key) else {
            return;
        };
        let backlog = match &socket.role {
            Role::Listener(listener) => listener.backlog,
            Role::Idle if socket.state == SocketState::Fresh => 0,
            Role::Idle
            | Role::Waiting { .. }
            | Role::Filled { .. }
            | Role::Stream(_)
            | Role::Direct(_)
            | Role::Ended => return self.forget(key),
        };
        let (Some(bound), Some(cookie)) = (socket.bound, socket.cookie) else {
            return self.forget(key);
        };
        let owner = self.sessions.get(socket.session);
        let record = SocketRecord {
            cookie,
            token: socket.token,
            slot: socket.name_slot,
            pid: owner.map_or(socket.pid, |s| s.credentials.pid),
            backlog,
            family: socket.family,
            bound,
            options: socket.options.saved(),
        };
        match self.records.put(socket.record, &Record::Socket(record)) {
            Ok(index) => {
                if let Some(socket) = self.table.get_mut(key) {
                    socket.record = Some(index);
                }
            }
            Err(_) => {
                self.counters.records_failed += 1;
                if let Some(socket) = self.table.get_mut(key) {
                    socket.record = None;
                }
            }
        }
    }

    /// A restarted service need not know this socket.
    pub(crate) fn forget(&mut self, key: SocketKey) {
        if let Some(index) = self.table.get_mut(key).and_then(|s| s.record.take()) {
            self.records.clear(index);
        }
    }

    /// Takes back the sockets of the service before that still live, and clears up after the others.
    pub(crate) fn readopt(&mut self, left: Vec<(u32, Record)>) {
        let mut found = Vec::new();
        for (index, record) in left {
            match record {
                Record::Socket(record) => found.push((index, record)),
                Record::Member(member) => self.remember_member(index, member),
            }
        }
        let live = if found.is_empty() {
            HashMap::new()
        } else {
            diag::unix_sockets().unwrap_or_else(|e| {
                let why = format!(
                    "the sockets of the service before cannot be told from others ({e}): \
                     restart the programs that listen"
                );
                (self.events)(Event::Warning(why));
                HashMap::new()
            })
        };
        let uid = process::effective_uid();
        let mut taken = Vec::new();
        for (index, record) in found {
            let genuine = live.get(&record.cookie).filter(|socket| {
                socket.uid == uid && socket.is_stream && self.has_its_name(socket, &record)
            });
            match genuine.map(|socket| (socket, self.take_back(index, &record))) {
                Some((socket, Ok(key))) => taken.push((key, *socket, record)),
                Some((_, Err(Failure(errno)))) => {
                    self.not_taken(&record, errno);
                    self.records.clear(index);
                }
                None => self.records.clear(index),
            }
        }
        // All are bound before one listens: beside a listener nobody may bind.
        let mut listeners = Vec::new();
        for (key, socket, record) in taken {
            if !socket.is_listening {
                continue;
            }
            match self.listen_again(key, &socket, &record) {
                Ok(path) => listeners.push(path),
                Err(Failure(errno)) => {
                    self.not_taken(&record, errno);
                    self.remove_socket(key);
                }
            }
        }
        self.native.sweep(&listeners);
    }

    /// Whether the name in our directory is this very socket's. One that does not listen has none.
    fn has_its_name(&self, socket: &UnixSocket, record: &SocketRecord) -> bool {
        let path = self.native.listener_path(record.slot, record.token);
        if socket.is_listening {
            socket.file.is_some()
                && socket.file == self.native.file(&path)
                && self.native.is_alive(&path)
        } else {
            socket.file.is_none()
        }
    }

    fn not_taken(&self, record: &SocketRecord, errno: u32) {
        let (bound, pid) = (record.bound, record.pid);
        let why = std::io::Error::from_raw_os_error(errno.cast_signed());
        (self.events)(Event::Warning(format!(
            "the socket of process {pid} at {} port {} is not served any more: {why}",
            bound.ip, bound.port
        )));
    }

    fn take_back(&mut self, index: u32, record: &SocketRecord) -> Result<SocketKey, Failure> {
        if self.table.len() >= self.config.max_sockets {
            return Err(Failure(ENOBUFS));
        }
        let now = self.now_micros;
        let socket = self.table.insert(record.family, NOBODY, record.token, now);
        let key = socket.key;
        socket.name_slot = record.slot;
        socket.pid = record.pid;
        for (level, name, value) in &record.options {
            let facts = facts(socket, &self.interfaces);
            // One that this version does not know is left out.
            let _ = socket
                .options
                .set(record.family, *level, *name, value, facts);
        }
        socket.bound = Some(record.bound);
        socket.local = Some(record.bound);
        let options = socket.options.for_stack();
        self.table.set_cookie(key, record.cookie);
        let bound = self.pcb(key).and_then(|pcb| {
            self.stack.set_options(pcb, options);
            let options = self.bind_options(key);
            let bound = self.stack.bind(pcb, record.bound, options);
            bound.map_err(|e| Failure(e.errno().unsigned_abs()))
        });
        if let Err(failure) = bound {
            self.remove_socket(key);
            return Err(failure);
        }
        if let Some(socket) = self.table.get_mut(key) {
            socket.record = Some(index);
        }
        Ok(key)
    }

    fn listen_again(
        &mut self,
        key: SocketKey,
        native: &UnixSocket,
        record: &SocketRecord,
    ) -> Result<std::path::PathBuf, Failure> {
        let pcb = self.pcb(key)?;
        self.stack
            .listen(pcb, crate::rpc::backlog_limit(record.backlog))
            .map_err(|e| Failure(e.errno().unsigned_abs()))?;
        let path = self.native.listener_path(record.slot, record.token);
        if let Some(socket) = self.table.get_mut(key) {
            socket.state = SocketState::Listening;
            socket.role = Role::Listener(Listener {
                path: path.clone(),
                inode: native.inode,
                backlog: record.backlog,
                handoffs: Vec::new(),
                queued: VecDeque::new(),
                check_at: CHECK_AT,
                room: 0,
            });
        }
        Ok(path)
    }

    /// An entry for a socket that only the service before knew: one that was neither bound nor connected, or
    /// what is left of a connection.
    pub(crate) fn inherit(
        &mut self,
        session: SessionId,
        fd: BorrowedFd<'_>,
        cookie: u64,
    ) -> Option<SocketKey> {
        let Some(Mark::Socket { family, state, .. }) =
            sockopt::mark(fd).ok().and_then(Mark::unpack)
        else {
            return None;
        };
        if self.table.len() >= self.config.max_sockets {
            return None;
        }
        let own = unix::local_name(fd).ok()?;
        let peer = unix::peer_name(fd).ok();
        let name = [Some(&own), peer.as_ref()]
            .into_iter()
            .flatten()
            .find_map(|name| SocketName::decode(name).ok());
        match name {
            Some(name) if name.direct && state == SocketState::Connected => {
                let key = self.inherit_counted(session, family, cookie)?;
                let accepted = SocketName::decode(&own).is_err();
                self.inherit_direct(key, &name, accepted);
                Some(key)
            }
            // It was this service's, and both directions had ended in order.
            Some(name) if name.token >> 48 == u64::from(self.records.instance) => None,
            Some(name) if state == SocketState::Connected => {
                Some(self.inherit_connection(session, cookie, &name))
            }
            Some(name) => {
                // Its connect was under way, or had failed: the next one gets a fresh description.
                let key = self.inherit_counted(session, family, cookie)?;
                if let Some(socket) = self.table.get_mut(key) {
                    socket.state = SocketState::Failed;
                    socket.local = Some(name.local);
                    socket.error = Some(ECONNRESET);
                }
                Some(key)
            }
            None if state == SocketState::Fresh && own.is_empty() && peer.is_none() => {
                // It carries our mark; that it is also of our user's making says that a service made it.
                let (found, socket) = diag::unix_socket(fd).ok()?;
                let genuine = found == cookie
                    && socket.is_stream
                    && socket.uid == process::effective_uid()
                    && !socket.is_listening;
                genuine.then(|| self.inherit_counted(session, family, cookie))?
            }
            None => None,
        }
    }

    fn inherit_counted(
        &mut self,
        session: SessionId,
        family: Family,
        cookie: u64,
    ) -> Option<SocketKey> {
        let asker = self.sessions.get_mut(session)?;
        let Admission::Admitted { max_sockets } = asker.admission else {
            return None;
        };
        if asker.sockets >= max_sockets {
            return None;
        }
        asker.sockets += 1;
        let token = self.token();
        let now = self.now_micros;
        let socket = self.table.insert(family, session, token, now);
        socket.counted = true;
        let key = socket.key;
        self.table.set_cookie(key, cookie);
        Some(key)
    }

    /// The connection ended with its service: a reset, told once.
    fn inherit_connection(
        &mut self,
        session: SessionId,
        cookie: u64,
        name: &SocketName,
    ) -> SocketKey {
        let now = self.now_micros;
        let socket = self
            .table
            .insert(name.local.family(), session, name.token, now);
        let key = socket.key;
        socket.state = SocketState::Connected;
        socket.connect_noticed = true;
        socket.local = Some(name.local);
        socket.peer = Some(name.peer);
        socket.error = Some(ECONNRESET);
        socket.role = Role::Ended;
        self.table.set_cookie(key, cookie);
        self.keep_ended(key);
        key
    }
}
