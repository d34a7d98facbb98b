//! listen(2) and the hand-over of finished handshakes.
//!
//! The program's listening socket is native: for each handshake the service connects to it a
//! socket whose name carries both addresses. accept(2), its queue, EMFILE, prefork and
//! EPOLLEXCLUSIVE are the kernel's. When the program's queue is full the connection waits here,
//! counted in the stack's backlog, and is offered again with a growing pause.

use std::collections::VecDeque;
use std::path::PathBuf;

use netcon_stack::PcbId;
use netcon_sys::diag;
use netcon_wire::{SockAddr, SocketName, SocketState};

use crate::engine::Engine;
use crate::native::libc_errno;
use crate::stream::Stream;
use crate::table::{Role, SocketKey};

const FIRST_PAUSE_MICROS: i64 = 500;
const LONGEST_PAUSE_MICROS: i64 = 200_000;
pub(crate) const CHECK_AT: usize = 256;

/// What is known of a listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    /// The native name.
    pub(crate) path: PathBuf,
    /// The inode of the program's socket: its queue is looked up by it.
    pub(crate) inode: u32,
    /// As given to listen(2).
    pub(crate) backlog: i32,
    /// Finished handshakes that the program's queue had no room for.
    pub(crate) handoffs: Vec<Handoff>,
    /// Connections handed to the kernel's queue that still take a place in the stack's backlog,
    /// oldest first.
    pub(crate) queued: VecDeque<PcbId>,
    /// Length of `queued` at which it is compared with the kernel's queue.
    pub(crate) check_at: usize,
    /// Connections that the program's queue certainly has room for, as far as was looked.
    pub(crate) room: usize,
}

/// A finished handshake that the program's queue had no room for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handoff {
    pcb: PcbId,
    local: SockAddr,
    peer: SockAddr,
    pause_micros: i64,
}

enum Offer {
    Taken,
    Full,
    ListenerGone,
}

impl Engine {
    /// A SYN has come: before it is answered, see whether anybody still listens.
    pub(crate) fn syn_received(&mut self, listener: PcbId) {
        let Some(key) = self.table.by_pcb(listener) else {
            return;
        };
        let Some(socket) = self.table.get(key) else {
            return;
        };
        let Role::Listener(listener) = &socket.role else {
            return;
        };
        if !self.native.is_alive(&listener.path) {
            self.remove_socket(key);
        }
    }

    /// A SYN has met a full backlog: tell the stack what the program has accepted meanwhile.
    ///
    /// Nobody is told of an accept(2), so a connection takes its place in the backlog until this
    /// looks: the kernel knows how many wait in the listener's queue.
    pub(crate) fn count_accepted(&mut self, listener: PcbId) {
        if let Some(key) = self.table.by_pcb(listener) {
            self.compare_queue(key);
        }
    }

    /// The same for all listeners, so that what is shown is true.
    pub(crate) fn count_all_accepted(&mut self) {
        let listeners: Vec<SocketKey> = self
            .table
            .iter()
            .filter(|s| matches!(&s.role, Role::Listener(l) if !l.queued.is_empty()))
            .map(|s| s.key)
            .collect();
        for key in listeners {
            self.compare_queue(key);
        }
    }

    pub(crate) fn compare_queue(&mut self, key: SocketKey) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        let Role::Listener(listener) = &mut socket.role else {
            return;
        };
        // Where unix_diag is refused the queue's own EAGAIN is the only limit.
        let looked = diag::listener_queue(listener.inode);
        let (waiting, backlog) = looked.map_or((0, None), |(waiting, backlog)| {
            let wide = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
            (wide(waiting), Some(wide(backlog)))
        });
        while listener.queued.len() > waiting {
            let Some(pcb) = listener.queued.pop_front() else {
                break;
            };
            self.stack.backlog_accepted(pcb);
        }
        // Nothing is connected directly where that cannot be known.
        listener.room = backlog.map_or(0, |backlog| (backlog + 1).saturating_sub(waiting));
        let outside = waiting.saturating_sub(listener.queued.len());
        if let Some(pcb) = socket.pcb {
            self.stack.backlog_outside(pcb, outside);
        }
        listener.check_at = (listener.queued.len() * 2).max(CHECK_AT);
    }

    /// A handshake is finished: offer it to the program.
    pub(crate) fn incoming(
        &mut self,
        listener: PcbId,
        pcb: PcbId,
        local: SockAddr,
        peer: SockAddr,
    ) {
        let Some(key) = self.table.by_pcb(listener) else {
            self.stack.abort(pcb);
            return;
        };
        let handoff = Handoff {
            pcb,
            local,
            peer,
            pause_micros: FIRST_PAUSE_MICROS,
        };
        let waiting = self
            .table
            .get(key)
            .is_some_and(|s| matches!(&s.role, Role::Listener(l) if !l.handoffs.is_empty()));
        if waiting {
            // First come, first served: queue behind those that wait.
            self.postpone(key, handoff);
            return;
        }
        match self.offer(key, &handoff) {
            Offer::Taken => {}
            Offer::Full => {
                self.handoff_due
                    .push((self.now_micros + handoff.pause_micros, key));
                self.postpone(key, handoff);
            }
            Offer::ListenerGone => {
                self.stack.abort(pcb);
                self.remove_socket(key);
            }
        }
    }

    fn postpone(&mut self, key: SocketKey, handoff: Handoff) {
        if let Some(socket) = self.table.get_mut(key)
            && let Role::Listener(listener) = &mut socket.role
        {
            listener.handoffs.push(handoff);
        }
    }

    fn offer(&mut self, key: SocketKey, handoff: &Handoff) -> Offer {
        let Some(listener) = self.table.get(key) else {
            return Offer::ListenerGone;
        };
        let Role::Listener(native) = &listener.role else {
            return Offer::ListenerGone;
        };
        let path = native.path.clone();
        let (family, session) = (listener.family, listener.session);
        let options = listener.options.for_child();
        if self.table.len() >= self.config.max_sockets {
            return Offer::Full;
        }
        let token = self.token();
        let now = self.now_micros;
        let child = self.table.insert(family, session, token, now);
        let child_key = child.key;
        child.options = options;
        let identity = SocketName {
            id: child_key.slot,
            token,
            local: handoff.local,
            peer: handoff.peer,
            direct: false,
        };
        let end = match self.native.offer(&path, &identity) {
            Ok(end) => end,
            Err(e) => {
                self.table.remove(child_key);
                // Anything but "nobody listens" may pass: no fd left, queue full.
                return if e.raw_os_error() == Some(libc_errno::ECONNREFUSED)
                    || e.kind() == std::io::ErrorKind::NotFound
                {
                    Offer::ListenerGone
                } else {
                    Offer::Full
                };
            }
        };
        if self.register_stream(&end, child_key).is_err() {
            self.table.remove(child_key);
            return Offer::Full;
        }
        if let Some(child) = self.table.get_mut(child_key) {
            child.state = SocketState::Connected;
            child.local = Some(handoff.local);
            child.peer = Some(handoff.peer);
            child.role = Role::Stream(Stream::new(end));
        }
        self.table.set_pcb(child_key, Some(handoff.pcb));
        if let Some(listener) = self.table.get_mut(key)
            && let Role::Listener(listener) = &mut listener.role
        {
            listener.queued.push_back(handoff.pcb);
            listener.room = listener.room.saturating_sub(1);
            if listener.queued.len() >= listener.check_at {
                self.compare_queue(key);
            }
        }
        self.stream_opened(child_key);
        Offer::Taken
    }

    /// Offers again what is due.
    pub(crate) fn retry_handoffs(&mut self) {
        let now = self.now_micros;
        let due: Vec<SocketKey> = self
            .handoff_due
            .extract_if(.., |(at, _)| *at <= now)
            .map(|(_, key)| key)
            .collect();
        for key in due {
            self.retry_handoff(key);
        }
    }

    fn retry_handoff(&mut self, key: SocketKey) {
        loop {
            let Some(socket) = self.table.get(key) else {
                return;
            };
            let Role::Listener(listener) = &socket.role else {
                return;
            };
            let Some(mut first) = listener.handoffs.first().copied() else {
                return;
            };
            // The peer may have given up meanwhile.
            let gone = self
                .stack
                .info(first.pcb)
                .is_none_or(|i| i.failed.is_some());
            let outcome = if gone {
                self.stack.abort(first.pcb);
                Offer::Taken
            } else {
                self.offer(key, &first)
            };
            match outcome {
                Offer::ListenerGone => {
                    self.remove_socket(key);
                    return;
                }
                Offer::Taken => self.with_handoffs(key, |list| {
                    list.remove(0);
                }),
                Offer::Full => {
                    first.pause_micros = (first.pause_micros * 2).min(LONGEST_PAUSE_MICROS);
                    self.with_handoffs(key, |list| {
                        if let Some(slot) = list.first_mut() {
                            *slot = first;
                        }
                    });
                    self.handoff_due
                        .push((self.now_micros + first.pause_micros, key));
                    return;
                }
            }
        }
    }

    fn with_handoffs(&mut self, key: SocketKey, change: impl FnOnce(&mut Vec<Handoff>)) {
        if let Some(socket) = self.table.get_mut(key)
            && let Role::Listener(listener) = &mut socket.role
        {
            change(&mut listener.handoffs);
        }
    }

    /// Gives a socket up: its PCB is closed or, with connections the program never took, reset.
    pub(crate) fn remove_socket(&mut self, key: SocketKey) {
        let Some(socket) = self.table.remove(key) else {
            return;
        };
        if let Some(index) = socket.record {
            self.records.clear(index);
        }
        if socket.is_ready {
            self.lying_ready -= 1;
        }
        if let Some(pcb) = socket.pcb {
            self.stack.close(pcb);
        }
        if let Some(session) = self.sessions.get_mut(socket.session) {
            session.sockets = session.sockets.saturating_sub(u32::from(socket.counted));
        }
        match socket.role {
            Role::Listener(listener) => {
                for handoff in listener.handoffs {
                    self.stack.abort(handoff.pcb);
                }
                self.native.remove(&listener.path);
            }
            Role::Direct(direct) => self.part(direct, socket.options.for_stack().reset_on_close),
            // Nobody else holds our end: closed, it leaves the epoll set.
            Role::Stream(_)
            | Role::Idle
            | Role::Waiting { .. }
            | Role::Filled { .. }
            | Role::Ended => {}
        }
    }
}
