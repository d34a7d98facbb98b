//! connect(2), blocking and not.
//!
//! Blocking: the handshake comes first; the program waits for the answer on a socket of its own,
//! and its description is connected natively only on success. A failed connect leaves it as it
//! was. A signal that ends the wait closes that socket: the connect goes on as a non-blocking one.
//!
//! Non-blocking: the kernel must not call the fd writable before the handshake is done. The
//! description is connected at once, with the smallest send buffer, and filled; when the handshake
//! is done the service restores the buffer and takes the filling out again. On failure it closes
//! its end without doing so: the program's poll shows what Linux shows for a refused connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};

use netcon_stack::{Cause, PcbId};
use netcon_sys::epoll::EDGE_HUP;
use netcon_wire::{Op, Reply, SockAddr, SocketName, SocketState};

use crate::engine::Engine;
use crate::native;
use crate::rpc::errno::{
    EALREADY, ECONNABORTED, EINPROGRESS, EINVAL, EIO, EISCONN, ENETUNREACH, ESTALE,
};
use crate::rpc::{Answer, Failure};
use crate::stream::Stream;
use crate::table::{Role, SocketKey};
use crate::token::Token;

/// What came of a connect at once.
pub(crate) enum Begun {
    /// All that there is to say.
    Answered(Answer),
    /// Connected directly to another program.
    Connected,
    /// A handshake has been started.
    Handshake,
}

impl Engine {
    /// `Ok(None)`: the answer goes, or has gone, to `reply_to`, where a blocking call waits.
    pub(crate) fn connect(
        &mut self,
        key: SocketKey,
        program: OwnedFd,
        to: SockAddr,
        reply_to: Option<OwnedFd>,
        request: u32,
    ) -> Result<Option<Answer>, Failure> {
        let begun = self.begin_connect(key, Some(&program), to);
        let Some(reply_to) = reply_to else {
            match begun? {
                Begun::Answered(answer) => return Ok(Some(answer)),
                // TCP says so on loopback, too; the socket is writable by then.
                Begun::Connected => return Err(Failure(EINPROGRESS)),
                Begun::Handshake => {}
            }
            self.begin_filled(key, program)?;
            return Err(Failure(EINPROGRESS));
        };
        match begun {
            Ok(Begun::Answered(answer)) => self.answer_wait(&reply_to, request, &answer),
            Ok(Begun::Connected) => {
                if let Some(socket) = self.table.get_mut(key) {
                    socket.connect_noticed = true;
                }
                // Before the program goes on: whoever holds its description keeps it open.
                drop(program);
                let answer = self.connected_answer(key);
                self.answer_wait(&reply_to, request, &answer);
            }
            Err(Failure(errno)) => self.fail_wait(&reply_to, request, errno),
            Ok(Begun::Handshake) => {
                let token = Token::Wait(key).pack();
                if let Err(e) = self.epoll.add(reply_to.as_fd(), EDGE_HUP, token) {
                    let Failure(errno) = self.give_up(key, &e);
                    self.fail_wait(&reply_to, request, errno);
                    return Ok(None);
                }
                self.set_state(key, SocketState::Connecting, None);
                if let Some(socket) = self.table.get_mut(key) {
                    socket.role = Role::Waiting {
                        program,
                        reply_to,
                        request,
                    };
                }
            }
        }
        Ok(None)
    }

    /// The state decides what connect(2) means.
    pub(crate) fn begin_connect(
        &mut self,
        key: SocketKey,
        program: Option<&OwnedFd>,
        to: SockAddr,
    ) -> Result<Begun, Failure> {
        let socket = self.table.get_mut(key).ok_or(Failure(EIO))?;
        match (socket.state, &socket.role) {
            (SocketState::Fresh, Role::Idle) => {}
            (SocketState::Connecting, Role::Filled { .. } | Role::Waiting { .. }) => {
                return Err(Failure(EALREADY));
            }
            (SocketState::Connected, _) if !socket.connect_noticed => {
                // connect(2) after a non-blocking one that succeeded: 0 once, as on Linux.
                socket.connect_noticed = true;
                return Ok(Begun::Answered(self.connected_answer(key)));
            }
            (SocketState::Failed, _) if !socket.used_up => {
                // The error once; without one left, Linux says ECONNABORTED.
                socket.used_up = true;
                return Err(Failure(socket.error.take().unwrap_or(ECONNABORTED)));
            }
            (SocketState::Failed, _) => return self.renew(key).map(Begun::Answered),
            _ => return Err(Failure(EISCONN)),
        }
        // ip(7): connecting to the wildcard address means this host.
        let to = match to.ip {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => SockAddr {
                ip: Ipv4Addr::LOCALHOST.into(),
                ..to
            },
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => SockAddr {
                ip: Ipv6Addr::LOCALHOST.into(),
                ..to
            },
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        };
        if let IpAddr::V6(ip) = to.ip
            && ip.to_ipv4_mapped().is_some()
            && self.bind_options(key).v6only
        {
            return Err(Failure(ENETUNREACH));
        }
        let pcb = self.pcb(key)?;
        let options = self
            .table
            .get(key)
            .map(|s| s.options.for_stack())
            .unwrap_or_default();
        self.stack.set_options(pcb, options);
        if let Some(program) = program
            && self.shortcut(key, pcb, program, to)?
        {
            return Ok(Begun::Connected);
        }
        let local = self
            .stack
            .connect(pcb, to, self.now())
            .map_err(|e| Failure(e.errno().unsigned_abs()))?;
        if let Some(socket) = self.table.get_mut(key) {
            socket.local = Some(local);
            socket.peer = Some(to);
            socket.error = None;
        }
        self.forget(key);
        Ok(Begun::Handshake)
    }

    fn connected_answer(&self, key: SocketKey) -> Answer {
        let unset = |family| SockAddr::unspecified(family);
        self.table
            .get(key)
            .map_or(Answer::Done, |s| Answer::Connect {
                local: s.local.unwrap_or(unset(s.family)),
                peer: s.peer.unwrap_or(unset(s.family)),
            })
    }

    fn identity(&self, key: SocketKey) -> Option<SocketName> {
        let s = self.table.get(key)?;
        Some(SocketName {
            id: s.key.slot,
            token: s.token,
            local: s.local?,
            peer: s.peer?,
            direct: false,
        })
    }

    /// Connects the program's description natively and keeps it unwritable.
    fn begin_filled(&mut self, key: SocketKey, program: OwnedFd) -> Result<(), Failure> {
        let filled = self.native_pair(key, &program).and_then(|end| {
            let send_buffer = native::fill(program.as_fd(), self.native.fill)?;
            Ok((end, send_buffer))
        });
        let (end, send_buffer) = filled.map_err(|e| self.give_up(key, &e))?;
        self.set_state(key, SocketState::Connecting, Some(&program));
        if let Some(socket) = self.table.get_mut(key) {
            socket.role = Role::Filled {
                program: Some(program),
                end,
                send_buffer,
            };
        }
        Ok(())
    }

    fn native_pair(&self, key: SocketKey, program: &OwnedFd) -> io::Result<OwnedFd> {
        let identity = self
            .identity(key)
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
        self.native.connect(program.as_fd(), &identity)
    }

    /// The native side failed: the network side must not stay behind.
    pub(crate) fn give_up(&mut self, key: SocketKey, why: &io::Error) -> Failure {
        if let Some(pcb) = self.table.set_pcb(key, None) {
            self.stack.abort(pcb);
        }
        self.set_state(key, SocketState::Failed, None);
        Failure(native::errno(why))
    }

    /// The handshake is done.
    pub(crate) fn connected(&mut self, pcb: PcbId) {
        let Some(key) = self.table.by_pcb(pcb) else {
            return;
        };
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        match std::mem::replace(&mut socket.role, Role::Idle) {
            Role::Waiting {
                program,
                reply_to,
                request,
            } => {
                let _ = self.epoll.delete(reply_to.as_fd());
                match self.native_pair(key, &program) {
                    Ok(end) => {
                        self.set_state(key, SocketState::Connected, Some(&program));
                        if let Some(socket) = self.table.get_mut(key) {
                            socket.connect_noticed = true;
                        }
                        self.become_stream(key, end);
                        let answer = self.connected_answer(key);
                        self.answer_wait(&reply_to, request, &answer);
                    }
                    Err(e) => {
                        let failure = self.give_up(key, &e);
                        self.fail_wait(&reply_to, request, failure.0);
                    }
                }
            }
            Role::Filled {
                program,
                end,
                send_buffer,
            } => {
                // The mark first: once writable, the program may look at it.
                self.set_state(key, SocketState::Connected, program.as_ref());
                if program.is_none() {
                    let _ = self.epoll.delete(end.as_fd());
                }
                let restore = program.as_ref().map(|p| (p.as_fd(), send_buffer));
                match native::release(restore, end.as_fd(), self.native.fill) {
                    Ok(()) => self.become_stream(key, end),
                    Err(e) => drop(self.give_up(key, &e)),
                }
            }
            other @ (Role::Idle
            | Role::Listener(_)
            | Role::Stream(_)
            | Role::Direct(_)
            | Role::Ended) => {
                socket.role = other;
            }
        }
    }

    fn become_stream(&mut self, key: SocketKey, end: OwnedFd) {
        if let Err(e) = self.register_stream(&end, key) {
            self.give_up(key, &e);
            return;
        }
        if let Some(socket) = self.table.get_mut(key) {
            socket.role = Role::Stream(Stream::new(end));
        }
        self.stream_opened(key);
    }

    /// The PCB has failed: a connect that was refused or timed out, or a connection's end.
    pub(crate) fn pcb_failed(&mut self, pcb: PcbId, cause: Cause) {
        let Some(key) = self.table.by_pcb(pcb) else {
            return;
        };
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        let errno = cause.errno().unsigned_abs();
        match std::mem::replace(&mut socket.role, Role::Idle) {
            Role::Waiting {
                reply_to,
                request,
                program,
            } => {
                let _ = self.epoll.delete(reply_to.as_fd());
                socket.peer = None;
                socket.local = socket.bound;
                self.set_state(key, SocketState::Fresh, Some(&program));
                self.note(key);
                self.fail_wait(&reply_to, request, errno);
            }
            Role::Filled { program, end, .. } => {
                socket.error = Some(errno);
                self.set_state(key, SocketState::Failed, program.as_ref());
                if let Some(pcb) = self.table.set_pcb(key, None) {
                    self.stack.close(pcb);
                }
                // Closed with the filling unread: IN|OUT|RDHUP|HUP|ERR, as for TCP.
                drop(end);
            }
            other @ (Role::Idle
            | Role::Listener(_)
            | Role::Stream(_)
            | Role::Direct(_)
            | Role::Ended) => {
                socket.role = other;
                self.stream_failed(key, cause);
            }
        }
    }

    /// The program does not wait any more (a signal, or it has died): go on without it.
    pub(crate) fn wait_ended(&mut self, key: SocketKey) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        match std::mem::replace(&mut socket.role, Role::Idle) {
            Role::Waiting {
                program, reply_to, ..
            } => {
                let _ = self.epoll.delete(reply_to.as_fd());
                drop(reply_to);
                // A failure is in the socket's state for the program's next call.
                let _ = self.begin_filled(key, program);
            }
            Role::Filled {
                program: None, end, ..
            } => {
                // Nobody holds it any more.
                let _ = self.epoll.delete(end.as_fd());
                if let Some(pcb) = self.table.set_pcb(key, None) {
                    self.stack.abort(pcb);
                }
                self.remove_socket(key);
            }
            other @ (Role::Idle
            | Role::Listener(_)
            | Role::Filled { .. }
            | Role::Stream(_)
            | Role::Direct(_)
            | Role::Ended) => socket.role = other,
        }
    }

    /// The same, said by the program before its call returns: its poll is silent from then on.
    pub(crate) fn detach_wait(&mut self, key: SocketKey) -> Failure {
        self.wait_ended(key);
        match self.table.get(key).map(|s| s.state) {
            Some(SocketState::Connecting) => Failure(EALREADY),
            _ => Failure(EINVAL),
        }
    }

    /// After a failed non-blocking connect the native socket is used up: the program gets a fresh
    /// one for the same entry, and puts it in the place of the old.
    fn renew(&mut self, key: SocketKey) -> Result<Answer, Failure> {
        let fd = self.fresh_description(key, false)?;
        if let Some(socket) = self.table.get_mut(key) {
            socket.used_up = false;
            socket.peer = None;
            socket.local = socket.bound;
            socket.token = 0;
        }
        let token = self.token();
        if let Some(socket) = self.table.get_mut(key) {
            socket.token = token;
        }
        self.set_state(key, SocketState::Fresh, Some(&fd));
        self.rebind(key);
        Ok(Answer::Renewed { status: ESTALE, fd })
    }

    fn rebind(&mut self, key: SocketKey) {
        let Some(bound) = self.table.get(key).and_then(|s| s.bound) else {
            return;
        };
        // The port may have been taken meanwhile: then the connect that follows chooses another.
        if let Ok(pcb) = self.pcb(key) {
            let options = self.bind_options(key);
            let _ = self.stack.bind(pcb, bound, options);
        }
        self.note(key);
    }

    fn answer_wait(&self, reply_to: &OwnedFd, request: u32, answer: &Answer) {
        self.send_answer(reply_to.as_fd(), Op::Connect, request, answer);
    }

    fn fail_wait(&self, reply_to: &OwnedFd, request: u32, errno: u32) {
        self.send_reply(
            reply_to.as_fd(),
            Op::Connect,
            request,
            errno,
            &Reply::Failed(errno),
            &[],
        );
    }
}
