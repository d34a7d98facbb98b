//! The local shortcut: two programs of one service hold the two ends of one unix connection, and the service is out
//! of the data path. docs/internals/sockets.md says what that is like and when it is not done.
//!
//! The service holds no descriptor of such a connection. Its two entries end as those of unconnected sockets do:
//! they are compared with the kernel's list (reap.rs).

use std::os::fd::{AsFd, OwnedFd};

use netcon_stack::{ConnectError, Meeting, PcbId};
use netcon_sys::{diag, peer};
use netcon_wire::{SockAddr, SocketName, SocketState};

use crate::engine::Engine;
use crate::native::{self, libc_errno};
use crate::rpc::Failure;
use crate::rpc::errno::{ECONNREFUSED, EIO};
use crate::table::{Role, Socket, SocketKey};

/// From that minor version on a program's library knows direct names.
const KNOWS_DIRECT: u8 = 1;
/// Dead listeners passed over in one connect.
const DEAD_LISTENERS: usize = 16;
/// Linux's ECONNRESET.
const ECONNRESET: u32 = 104;

/// One end of a direct connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Direct {
    /// The other end's entry, while there is one.
    pub(crate) partner: Option<SocketKey>,
    /// This end connected; the other was accepted.
    pub(crate) connector: bool,
}

/// Whether closing it is a reset.
fn lingers(socket: &Socket) -> bool {
    socket.options.for_stack().reset_on_close
}

impl Engine {
    /// Connects a program directly to a listener of ours. `false`: not possible or not equal, so the stack shall
    /// do it.
    pub(crate) fn shortcut(
        &mut self,
        key: SocketKey,
        pcb: PcbId,
        program: &OwnedFd,
        to: SockAddr,
    ) -> Result<bool, Failure> {
        let options = self.table.get(key).map(|s| s.options.for_stack());
        if !self.shortcuts || options.is_none_or(|options| options.reset_on_close) {
            return Ok(false);
        }
        let Some((meeting, listener)) = self.find_listener(key, pcb, to) else {
            return Ok(false);
        };
        if self.table.len() >= self.config.max_sockets {
            self.reap();
            if self.table.len() >= self.config.max_sockets {
                return Ok(false);
            }
        }
        self.connect_directly(key, pcb, program, to, &meeting, listener)
    }

    /// A living listener that takes a direct connection now.
    fn find_listener(
        &mut self,
        key: SocketKey,
        pcb: PcbId,
        to: SockAddr,
    ) -> Option<(Meeting, SocketKey)> {
        if !self.knows_direct(key) {
            return None;
        }
        let now = self.now();
        for _ in 0..DEAD_LISTENERS {
            let mut met = self.stack.meet(pcb, to, now);
            if matches!(met, Err(ConnectError::NotAvailable | ConnectError::InUse)) {
                // The ports of connections that have ended are only not noticed yet.
                self.reap();
                met = self.stack.meet(pcb, to, now);
            }
            let meeting = met.ok()??;
            let listener = self.table.by_pcb(meeting.listener)?;
            let socket = self.table.get(listener)?;
            let Role::Listener(native) = &socket.role else {
                return None;
            };
            if !self.native.is_alive(&native.path) {
                self.remove_socket(listener);
                continue;
            }
            let options = socket.options.for_stack();
            let equal = options.defer_accept.is_none()
                && !options.reset_on_close
                && native.handoffs.is_empty()
                && self.knows_direct(listener);
            return (equal && self.has_room(listener)).then_some((meeting, listener));
        }
        None
    }

    fn knows_direct(&self, key: SocketKey) -> bool {
        let session = self.table.get(key).map(|s| s.session);
        let session = session.and_then(|id| self.sessions.get(id));
        session.is_some_and(|session| session.minor >= KNOWS_DIRECT)
    }

    /// Whether the listener's queue takes one more. The program's description may be a blocking one, on which
    /// connect(2) would wait for room: the service must know before.
    fn has_room(&mut self, listener: SocketKey) -> bool {
        if self.room(listener) == 0 {
            self.compare_queue(listener);
        }
        self.room(listener) > 0
    }

    fn room(&self, listener: SocketKey) -> usize {
        if let Some(Role::Listener(listener)) = self.table.get(listener).map(|s| &s.role) {
            listener.room
        } else {
            0
        }
    }

    fn connect_directly(
        &mut self,
        key: SocketKey,
        pcb: PcbId,
        program: &OwnedFd,
        to: SockAddr,
        meeting: &Meeting,
        listener: SocketKey,
    ) -> Result<bool, Failure> {
        let Some((path, family, session, options)) = self.table.get_mut(listener).and_then(|s| {
            let Role::Listener(native) = &mut s.role else {
                return None;
            };
            native.room = native.room.saturating_sub(1);
            Some((
                native.path.clone(),
                s.family,
                s.session,
                s.options.for_child(),
            ))
        }) else {
            return Ok(false);
        };
        let Ok(child_pcb) = self.stack.join(pcb, meeting) else {
            return Ok(false);
        };
        let (token, now) = (self.token(), self.now_micros);
        let child = self.table.insert(family, session, token, now);
        let child_key = child.key;
        child.options = options;
        child.state = SocketState::Connected;
        child.connect_noticed = true;
        child.local = Some(to.as_family(family));
        child.peer = Some(meeting.local.as_family(family));
        child.role = Role::Direct(Direct {
            partner: Some(key),
            connector: false,
        });
        self.table.set_pcb(child_key, Some(child_pcb));
        let name = SocketName {
            id: child_key.slot,
            token,
            local: meeting.local,
            peer: to,
            direct: true,
        };
        if let Err(e) = self.native.join(program.as_fd(), &path, &name) {
            self.remove_socket(child_key);
            if let Some(pcb) = self.table.set_pcb(key, None) {
                self.stack.close(pcb);
            }
            // It has its name by now, and can have no other: the next connect gets a fresh one.
            self.set_state(key, SocketState::Failed, Some(program));
            if let Some(socket) = self.table.get_mut(key) {
                socket.used_up = true;
            }
            return Err(Failure(match e.raw_os_error() {
                Some(libc_errno::ECONNREFUSED) => ECONNREFUSED,
                _ => EIO,
            }));
        }
        if let Some(socket) = self.table.get_mut(key) {
            socket.local = Some(meeting.local);
            socket.peer = Some(to);
            socket.error = None;
            socket.role = Role::Direct(Direct {
                partner: Some(child_key),
                connector: true,
            });
        }
        self.counters.shortcuts += 1;
        self.set_state(key, SocketState::Connected, Some(program));
        // connect(2) of a unix socket wakes nobody who waits for the connector to be writable; this does.
        native::wake_writers(program.as_fd());
        self.forget(key);
        self.reap_when_many();
        Ok(true)
    }

    /// Whether a direct connection of which the program has read the end was reset by the other side: it was closed
    /// with `SO_LINGER` {1, 0}, which the unix socket does not know.
    pub(crate) fn was_reset(&mut self, key: SocketKey, program: &OwnedFd) {
        let Some(Role::Direct(direct)) = self.table.get(key).map(|s| &s.role) else {
            return;
        };
        let Some(partner) = direct.partner else {
            return;
        };
        if self.table.get(partner).is_some_and(lingers)
            && diag::peer_inode(program.as_fd()).is_err()
        {
            self.remove_socket(partner);
        }
    }

    /// The entry of an end goes: the other one is alone, and may have to be told of a reset.
    pub(crate) fn part(&mut self, direct: Direct, resets: bool) {
        if let Some(partner) = direct.partner.and_then(|key| self.table.get_mut(key)) {
            if let Role::Direct(direct) = &mut partner.role {
                direct.partner = None;
            }
            if resets {
                partner.error = Some(ECONNRESET);
            }
        }
    }

    /// The program is about to close an end that lingers for no time: makes the kernel give the other end a reset,
    /// where we may reach into its process.
    pub(crate) fn reset_other_end(&self, program: &OwnedFd) {
        let pids = self.sessions.iter().map(|s| s.credentials.pid);
        peer::poison(program.as_fd(), pids.filter(|&pid| pid != 0));
    }

    /// An entry for an end of a direct connection that is not known, or not any more: the service before made it,
    /// or it is the accepted end of one whose connector has gone.
    pub(crate) fn inherit_direct(&mut self, key: SocketKey, name: &SocketName, accepted: bool) {
        if let Some(socket) = self.table.get_mut(key) {
            let name = if accepted { name.of_accepted() } else { *name };
            socket.state = SocketState::Connected;
            socket.connect_noticed = true;
            socket.local = Some(name.local.as_family(socket.family));
            socket.peer = Some(name.peer.as_family(socket.family));
            socket.role = Role::Direct(Direct {
                partner: None,
                connector: !accepted,
            });
        }
    }

    /// Compares direct connections with the kernel's list: learns accepted ends, and finds those that have ended.
    pub(crate) fn dead_directs(&mut self, live: &diag::Pairs) -> Vec<SocketKey> {
        let mut learnt = Vec::new();
        let mut dead = Vec::new();
        let mut kept = Vec::new();
        for socket in self.table.iter() {
            let Role::Direct(direct) = socket.role else {
                continue;
            };
            let own = socket.cookie.and_then(|cookie| live.get(cookie));
            match (socket.cookie, own) {
                (Some(_), None) => dead.push(socket.key),
                (Some(_), Some(own)) if direct.connector => {
                    let Some(partner) = direct.partner else {
                        continue;
                    };
                    let known = self.table.get(partner).and_then(|s| s.cookie);
                    if known.is_some() {
                        continue;
                    }
                    match live.cookie_of(own.peer) {
                        Some(cookie) => learnt.push((partner, cookie)),
                        // Neither in a queue nor held by anybody.
                        None if own.shut_both => dead.push(partner),
                        None => {}
                    }
                }
                (Some(_), Some(_)) => {}
                // Never seen: alive as long as its connector, which finds it then.
                (None, _) => {
                    let connector = direct.partner.and_then(|key| self.table.get(key));
                    let alive = connector
                        .and_then(|s| s.cookie)
                        .is_some_and(|cookie| live.get(cookie).is_some());
                    if alive || socket.error.is_some() {
                        continue;
                    }
                    // What it may have to be told of a reset is kept, among a bounded number of such.
                    if connector.is_some_and(lingers) {
                        kept.push(socket.key);
                    } else {
                        dead.push(socket.key);
                    }
                }
            }
        }
        for key in kept {
            // It is asked about, and holds no port.
            if let Some(pcb) = self.table.set_pcb(key, None) {
                self.stack.close(pcb);
            }
            self.keep_ended(key);
        }
        for (key, cookie) in learnt {
            if self.table.by_cookie(cookie).is_none() {
                self.table.set_cookie(key, cookie);
            }
        }
        dead
    }
}
