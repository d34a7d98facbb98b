//! Serves the requests of admitted programs.
//!
//! Every request about a socket carries its description; the cookie of that description, not a
//! number in a frame, says which socket is meant.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netcon_stack::{BindError, BindOptions, ListenError, PcbId};
use netcon_sys::unix;
use netcon_sys::{diag, sockopt};
use netcon_wire::{
    CONNECT_DETACH, CONNECT_FILLED, CONNECT_RELEASE, CONNECT_WAIT, DirectMark, Interface,
    LEVEL_NETCON, MAX_FRAME, MapReply, Mark, NETCON_RESET, Op, Reply, Request, SockAddr,
    SocketName, SocketState,
};

use crate::accept::{CHECK_AT, Listener};
use crate::engine::Engine;
use crate::native;
use crate::options::{SO_ERROR, level::SOCKET as SOL_SOCKET};
use crate::readopt::NOBODY;
use crate::sessions::SessionId;
use crate::table::{Role, SocketKey};

pub(crate) mod errno {
    //! errno(3), asm-generic/errno.h.
    pub(crate) const EIO: u32 = 5;
    pub(crate) const EBADF: u32 = 9;
    pub(crate) const EAGAIN: u32 = 11;
    pub(crate) const ENODEV: u32 = 19;
    pub(crate) const EINVAL: u32 = 22;
    pub(crate) const ENFILE: u32 = 23;
    pub(crate) const EPIPE: u32 = 32;
    pub(crate) const ENETUNREACH: u32 = 101;
    pub(crate) const ENOTSOCK: u32 = 88;
    pub(crate) const EPROTONOSUPPORT: u32 = 93;
    pub(crate) const EOPNOTSUPP: u32 = 95;
    pub(crate) const EADDRINUSE: u32 = 98;
    pub(crate) const ECONNREFUSED: u32 = 111;
    pub(crate) const ECONNABORTED: u32 = 103;
    pub(crate) const ENOBUFS: u32 = 105;
    pub(crate) const EISCONN: u32 = 106;
    pub(crate) const ENOTCONN: u32 = 107;
    pub(crate) const EALREADY: u32 = 114;
    pub(crate) const EINPROGRESS: u32 = 115;
    pub(crate) const ESTALE: u32 = 116;
}
use errno::{
    EADDRINUSE, EALREADY, EBADF, EINVAL, EIO, ENFILE, ENODEV, ENOTCONN, ENOTSOCK, EOPNOTSUPP,
};

/// The errno of a refused request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure(pub(crate) u32);

/// A successful answer, owned.
#[derive(Debug)]
pub(crate) enum Answer {
    Socket {
        id: u32,
        fd: OwnedFd,
    },
    /// CONNECT on a used-up socket: put this in its place and ask again.
    Renewed {
        status: u32,
        fd: OwnedFd,
    },
    /// A kernel socket that has no entry.
    Datagram(OwnedFd),
    Addr(SockAddr),
    Connect {
        local: SockAddr,
        peer: SockAddr,
    },
    Map(MapReply),
    Value(Vec<u8>),
    Interface(Box<Interface>),
    Done,
}

impl Engine {
    /// One request of an admitted session; `fds_lost` if we had no room for what came beside it.
    pub(crate) fn serve(
        &mut self,
        session: SessionId,
        frame: &[u8],
        mut fds: Vec<OwnedFd>,
        fds_lost: bool,
    ) {
        self.counters.requests += 1;
        let (id, request) = match Request::decode(frame) {
            Ok(decoded) => decoded,
            Err(_) => {
                self.counters.bad_frames += 1;
                self.refuse_frame(session, frame);
                return;
            }
        };
        let op = request.op();
        if let Request::Attach { .. } = request {
            if let Some(channel) = fds.pop() {
                self.attach(session, channel, id);
            }
            return;
        }
        if let Request::NoDelay { id, token, on } = request {
            return self.set_no_delay(session, id, token, on);
        }
        if let Request::Dial { addr, fd } = request {
            // What fails is the socket's to tell.
            let _ = self.dial(session, fd, addr);
            return;
        }
        if let Request::Ready {
            more: more @ 1.., ..
        } = request
        {
            self.fill_due.push((session, more.into()));
            return;
        }
        fds.reverse();
        let outcome = if fds_lost {
            self.counters.refused += 1;
            Err(Failure(ENFILE))
        } else if let Request::Resolve(_) = request {
            self.ask(session, fds.pop(), id, frame)
        } else {
            self.perform(session, &request, fds, id)
        };
        let Some(channel) = self.sessions.get(session).map(|s| s.channel.as_fd()) else {
            return;
        };
        match outcome {
            Ok(Some(answer)) => self.send_answer(channel, op, id, &answer),
            Ok(None) => {}
            Err(Failure(errno)) => {
                self.send_reply(channel, op, id, errno, &Reply::Failed(errno), &[]);
            }
        }
    }

    /// A frame with a readable header gets an errno, so that its sender does not wait for ever.
    fn refuse_frame(&self, session: SessionId, frame: &[u8]) {
        let mut buf = [0; MAX_FRAME];
        if let Some(channel) = self.sessions.get(session).map(|s| s.channel.as_fd())
            && let Ok(n) = netcon_wire::refuse(frame, EOPNOTSUPP, &mut buf)
            && let Some(reply) = buf.get(..n)
        {
            let _ = unix::send_record(channel, reply, None);
        }
    }

    fn perform(
        &mut self,
        session: SessionId,
        request: &Request<'_>,
        mut fds: Vec<OwnedFd>,
        id: u32,
    ) -> Result<Option<Answer>, Failure> {
        if let Request::Socket {
            family,
            flags,
            kind,
        } = *request
        {
            return self.socket(session, family, flags, kind).map(Some);
        }
        if let Request::Interface { position } = *request {
            let found = self.interfaces.get(usize::from(position));
            let interface = found.ok_or(Failure(ENODEV))?;
            return Ok(Some(Answer::Interface(Box::new(*interface))));
        }
        if let Request::Ready {
            family, channel, ..
        } = *request
        {
            return self.make_ready(session, family, channel, id);
        }
        let program = fds.pop().ok_or(Failure(EBADF))?;
        let key = self
            .lookup(session, program.as_fd())
            .ok_or(Failure(ENOTSOCK))?;
        let answer = match *request {
            Request::Bind { addr } => self.bind(key, addr)?,
            Request::Listen { backlog } => self.listen(key, &program, backlog)?,
            Request::Connect { addr, flags } => {
                if flags & CONNECT_DETACH != 0 {
                    return Err(self.detach_wait(key));
                }
                if flags & CONNECT_RELEASE != 0 {
                    self.release_connecting(key);
                    drop(program);
                    return Err(Failure(EALREADY));
                }
                if flags & CONNECT_FILLED != 0 {
                    return self
                        .connect_filled(session, key, program, addr)
                        .map(|()| None);
                }
                let reply_to = fds.pop();
                if reply_to.is_some() != (flags & CONNECT_WAIT != 0) {
                    return Err(Failure(EINVAL));
                }
                return self.connect(key, program, addr, reply_to, id);
            }
            Request::Map => self.map(key)?,
            Request::GetSockName => Answer::Addr(self.map_reply(key)?.local),
            Request::GetPeerName => {
                let socket = self.table.get(key).ok_or(Failure(EIO))?;
                match (socket.state, socket.peer) {
                    (SocketState::Connected, Some(peer)) => Answer::Addr(peer),
                    _ => return Err(Failure(ENOTCONN)),
                }
            }
            Request::GetSockOpt { level, name, len } => {
                let room = usize::from(len);
                if (level, name) == (SOL_SOCKET, SO_ERROR) {
                    self.was_reset(key, &program);
                }
                let mut value = self.get_option(key, level, name, room)?;
                value.truncate(room);
                Answer::Value(value)
            }
            Request::SetSockOpt {
                level: LEVEL_NETCON,
                name: NETCON_RESET,
                ..
            } => {
                self.reset_other_end(&program);
                Answer::Done
            }
            Request::SetSockOpt { level, name, value } => {
                self.set_option(key, Some(&program), level, name, value)?;
                Answer::Done
            }
            Request::Shutdown { .. } => self.shutdown(key)?,
            Request::Accepted => Answer::Done,
            Request::Hello { .. }
            | Request::Attach { .. }
            | Request::Socket { .. }
            | Request::Interface { .. }
            | Request::Ready { .. }
            | Request::NoDelay { .. }
            | Request::Dial { .. }
            | Request::Resolve(_) => {
                return Err(Failure(EOPNOTSUPP));
            }
        };
        Ok(Some(answer))
    }

    /// The entry a description stands for: by cookie, or for an accepted socket that comes here
    /// for the first time, by the token in its peer's name, or as the heir of another service.
    pub(crate) fn lookup(&mut self, session: SessionId, fd: BorrowedFd<'_>) -> Option<SocketKey> {
        let cookie = sockopt::cookie(fd).ok()?;
        if let Some(key) = self.table.by_cookie(cookie) {
            if let Some(socket) = self.table.get_mut(key)
                && socket.session == NOBODY
            {
                socket.session = session;
            }
            self.take_ready(key);
            return Some(key);
        }
        let accepted = self.lookup_accepted(fd, cookie);
        accepted.or_else(|| self.inherit(session, fd, cookie))
    }

    fn lookup_accepted(&mut self, fd: BorrowedFd<'_>, cookie: u64) -> Option<SocketKey> {
        let name = SocketName::decode(&unix::peer_name(fd).ok()?).ok()?;
        let key = self.table.by_name(name.id, name.token)?;
        // The name is ours only on the peer of an accepted socket.
        self.table.get(key).filter(|s| s.cookie.is_none())?;
        self.table.set_cookie(key, cookie);
        Some(key)
    }

    /// What makes a name ours: which service of this directory's this is, and 48 random bits.
    pub(crate) fn token(&mut self) -> u64 {
        // getrandom(2) fails only for a bad pointer or before the kernel is seeded.
        let random = self
            .random
            .next_u64()
            .unwrap_or(self.now_micros.cast_unsigned());
        u64::from(self.records.instance) << 48 | random >> 16
    }

    /// The PCB of a socket, made when it is first needed.
    pub(crate) fn pcb(&mut self, key: SocketKey) -> Result<PcbId, Failure> {
        let socket = self.table.get(key).ok_or(Failure(EIO))?;
        if let Some(pcb) = socket.pcb {
            return Ok(pcb);
        }
        let family = socket.family;
        let pcb = self
            .stack
            .open(family)
            .map_err(|e| Failure(e.errno().unsigned_abs()))?;
        self.stack.set_bind_options(pcb, self.bind_options(key));
        self.table.set_pcb(key, Some(pcb));
        Ok(pcb)
    }

    pub(crate) fn bind_options(&self, key: SocketKey) -> BindOptions {
        self.table
            .get(key)
            .map_or_else(BindOptions::default, |s| BindOptions {
                reuse_addr: s.options.reuse_addr(),
                reuse_port: s.options.reuse_port(),
                v6only: s.options.v6only(),
            })
    }

    fn bind(&mut self, key: SocketKey, addr: SockAddr) -> Result<Answer, Failure> {
        let socket = self.table.get(key).ok_or(Failure(EIO))?;
        if socket.state != SocketState::Fresh || socket.bound.is_some() {
            return Err(Failure(EINVAL));
        }
        let pcb = self.pcb(key)?;
        let options = self.bind_options(key);
        let mut bound = self.stack.bind(pcb, addr, options);
        if bound == Err(BindError::InUse) {
            // The holder may have closed: its end is only not noticed yet.
            self.settle();
            bound = self.stack.bind(pcb, addr, options);
        }
        let bound = bound.map_err(|e| Failure(e.errno().unsigned_abs()))?;
        if let Some(socket) = self.table.get_mut(key) {
            socket.bound = Some(bound);
            socket.local = Some(bound);
            if let IpAddr::V6(ip) = bound.ip
                && !ip.is_unspecified()
                && ip.to_ipv4_mapped().is_none()
            {
                // __inet6_bind() in net/ipv6/af_inet6.c: such a socket speaks IPv6 only.
                socket.options.set_v6only();
            }
        }
        self.note(key);
        Ok(Answer::Addr(bound))
    }

    fn listen(
        &mut self,
        key: SocketKey,
        program: &OwnedFd,
        backlog: i32,
    ) -> Result<Answer, Failure> {
        let socket = self.table.get(key).ok_or(Failure(EIO))?;
        let (state, token, family) = (socket.state, socket.token, socket.family);
        let name_slot = socket.name_slot;
        let (options, is_bound) = (socket.options.for_stack(), socket.bound.is_some());
        if !matches!(state, SocketState::Fresh | SocketState::Listening) {
            return Err(Failure(EINVAL));
        }
        let pcb = self.pcb(key)?;
        if state == SocketState::Fresh {
            self.stack.set_options(pcb, options);
            if !is_bound {
                // V6ONLY and the like must be known to the port that listen(2) chooses.
                self.bind(key, SockAddr::unspecified(family))?;
            }
        }
        let limit = backlog_limit(backlog);
        let mut listening = self.stack.listen(pcb, limit);
        if listening == Err(ListenError::InUse) {
            self.settle();
            listening = self.stack.listen(pcb, limit);
        }
        let local = listening.map_err(|e| Failure(e.errno().unsigned_abs()))?;
        if state == SocketState::Listening {
            unix::listen(program.as_fd(), backlog).map_err(|_| Failure(EADDRINUSE))?;
            // A service that was killed between two steps of the first call has not marked it.
            self.set_state(key, SocketState::Listening, Some(program));
            if let Some(Role::Listener(listener)) = self.table.get_mut(key).map(|s| &mut s.role) {
                listener.backlog = backlog;
                listener.room = 0;
            }
            self.note(key);
            return Ok(Answer::Addr(local));
        }
        let path = self.native.listener_path(name_slot, token);
        self.native
            .listen(program.as_fd(), &path, backlog)
            .map_err(|_| Failure(EIO))?;
        self.set_state(key, SocketState::Listening, Some(program));
        if let Some(socket) = self.table.get_mut(key) {
            socket.local = Some(local);
            socket.role = Role::Listener(Listener {
                path,
                inode: diag::socket_inode(program.as_fd()).unwrap_or(0),
                backlog,
                handoffs: Vec::new(),
                queued: VecDeque::new(),
                check_at: CHECK_AT,
                room: 0,
            });
        }
        self.note(key);
        Ok(Answer::Addr(local))
    }

    /// shutdown(2) of a listener: it stops listening and keeps its address.
    fn shutdown(&mut self, key: SocketKey) -> Result<Answer, Failure> {
        let socket = self.table.get(key).ok_or(Failure(EIO))?;
        match socket.state {
            SocketState::Listening => {
                let bound = socket.local;
                // The library puts another description in its place.
                self.forget(key);
                if let Some(pcb) = self.table.set_pcb(key, None) {
                    self.stack.close(pcb);
                }
                let pcb = self.pcb(key)?;
                let options = self.bind_options(key);
                if let Some(bound) = bound {
                    // Nobody else can have taken the address within this call.
                    let _ = self.stack.bind(pcb, bound, options);
                }
                Ok(Answer::Done)
            }
            SocketState::Connected | SocketState::Connecting => Ok(Answer::Done),
            SocketState::Fresh | SocketState::Failed => Err(Failure(ENOTCONN)),
        }
    }

    fn map_reply(&self, key: SocketKey) -> Result<MapReply, Failure> {
        let s = self.table.get(key).ok_or(Failure(EIO))?;
        Ok(MapReply {
            id: s.key.slot,
            family: s.family,
            state: s.state,
            local: s.local.unwrap_or(SockAddr::unspecified(s.family)),
            peer: s.peer.unwrap_or(SockAddr::unspecified(s.family)),
        })
    }

    fn map(&self, key: SocketKey) -> Result<Answer, Failure> {
        self.map_reply(key).map(Answer::Map)
    }

    /// Notes a socket's state, in its entry and where the description is at hand, in its mark.
    pub(crate) fn set_state(
        &mut self,
        key: SocketKey,
        state: SocketState,
        program: Option<&OwnedFd>,
    ) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        socket.state = state;
        let mark = Mark::Socket {
            family: socket.family,
            state,
            inherits: socket.options.inherits(),
            direct: matches!(socket.role, Role::Direct(_)).then(DirectMark::default),
            id: socket.key.slot,
        };
        if let Some(program) = program {
            // Fails for no socket of ours; without a mark the library would ask by MAP.
            let _ = native::set_mark(program.as_fd(), mark);
        }
    }

    pub(crate) fn send_answer(&self, to: BorrowedFd<'_>, op: Op, id: u32, answer: &Answer) {
        let (status, reply, fd) = match answer {
            Answer::Socket { id, fd } => (0, Reply::Socket { id: *id }, Some(fd)),
            Answer::Datagram(fd) => (0, Reply::Socket { id: u32::MAX }, Some(fd)),
            Answer::Renewed { status, fd } => (*status, Reply::Failed(*status), Some(fd)),
            Answer::Addr(addr) => (0, Reply::Addr(*addr), None),
            Answer::Connect { local, peer } => (
                0,
                Reply::Connect {
                    local: *local,
                    peer: *peer,
                },
                None,
            ),
            Answer::Map(map) => (0, Reply::Map(*map), None),
            Answer::Value(value) => (0, Reply::Value(value), None),
            Answer::Interface(interface) => (0, Reply::Interface(**interface), None),
            Answer::Done => (0, Reply::Done, None),
        };
        let fd = fd.map(AsFd::as_fd);
        self.send_reply(to, op, id, status, &reply, fd.as_slice());
    }

    pub(crate) fn send_reply(
        &self,
        to: BorrowedFd<'_>,
        op: Op,
        id: u32,
        status: u32,
        reply: &Reply<'_>,
        fds: &[BorrowedFd<'_>],
    ) {
        let mut buf = [0; MAX_FRAME];
        if let Ok(n) = reply.encode(op, id, status, &mut buf)
            && let Some(frame) = buf.get(..n)
        {
            // A program that does not read its answers loses them: the queue is the kernel's.
            let _ = unix::send_record_with(to, frame, fds);
        }
    }
}

/// listen(2): a negative backlog is the largest; net.core.somaxconn (its default) caps it.
pub(crate) fn backlog_limit(backlog: i32) -> usize {
    const SOMAXCONN: usize = 4096;
    usize::try_from(backlog).unwrap_or(SOMAXCONN).min(SOMAXCONN)
}
