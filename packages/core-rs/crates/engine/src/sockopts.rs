//! GETSOCKOPT and SETSOCKOPT: an entry's options, and what the stack knows of its connection.

use std::os::fd::{AsFd, OwnedFd};

use netcon_stack::{Algorithm, Instant, PcbInfo};
use netcon_sys::unix;
use netcon_wire::{Interface, LEVEL_NETCON, NETCON_OUTQ, NETCON_OUTQNSD};

use crate::engine::{Engine, RING};
use crate::options::{Facts, SO_ERROR, TCP_INFO, TCP_NODELAY, level};
use crate::rpc::Failure;
use crate::rpc::errno::EIO;
use crate::sessions::SessionId;
use crate::table::{Role, Socket, SocketKey};
use crate::tcp_info::tcp_info;

impl Engine {
    /// GETSOCKOPT.
    pub(crate) fn get_option(
        &mut self,
        key: SocketKey,
        level: i32,
        name: i32,
        room: usize,
    ) -> Result<Vec<u8>, Failure> {
        let info = self
            .table
            .get(key)
            .and_then(|s| s.pcb)
            .and_then(|p| self.stack.info(p));
        let mtu = self.config.tap.as_ref().map_or(u16::MAX, |t| t.mtu);
        let socket = self.table.get_mut(key).ok_or(Failure(EIO))?;
        if (level, name) == (level::SOCKET, SO_ERROR) {
            let error = socket.error.take().unwrap_or(0);
            return Ok(error.to_ne_bytes().to_vec());
        }
        if (level, name) == (level::TCP, TCP_INFO) {
            let now = Instant::from_micros(self.now_micros);
            return Ok(tcp_info(info.as_ref(), now, RING));
        }
        if level == LEVEL_NETCON {
            let octets = match (&socket.role, name) {
                (Role::Stream(stream), NETCON_OUTQ | NETCON_OUTQNSD) => {
                    // What the program wrote is in its socket first, in the ring then.
                    let unread = unix::queued(stream.end.as_fd()).unwrap_or(0);
                    unread + waiting(info.as_ref(), name == NETCON_OUTQNSD)
                }
                _ => 0,
            };
            let octets = i32::try_from(octets).unwrap_or(i32::MAX);
            return Ok(octets.to_ne_bytes().to_vec());
        }
        let facts = Facts {
            mss: info.map_or(536, |i| i.mss),
            mtu,
            room,
            congestion: info
                .and_then(|i| i.sender)
                .map_or(self.config.congestion, |sender| sender.algorithm),
            ..facts(socket, &self.interfaces)
        };
        socket
            .options
            .get(socket.family, level, name, facts)
            .map_err(Failure)
    }

    /// `TCP_NODELAY` of a connection, named as its name has it.
    pub(crate) fn set_no_delay(&mut self, session: SessionId, id: u32, token: u64, on: bool) {
        let named = self.table.by_name(id, token);
        let Some(key) = named.or_else(|| self.own_by_cookie(session, token)) else {
            return;
        };
        self.take_ready(key);
        // Any number is good for it, and a connection has it: it is not refused.
        let _ = self.set_option(
            key,
            None,
            level::TCP,
            TCP_NODELAY,
            &i32::from(on).to_ne_bytes(),
        );
    }

    /// A socket without a name, by its cookie: what anybody could know counts for a session's own only, and
    /// for those of the process it was forked from.
    fn own_by_cookie(&self, session: SessionId, cookie: u64) -> Option<SocketKey> {
        let key = self.table.by_cookie(cookie)?;
        let owner = self.table.get(key)?.session;
        let mut asker = Some(session);
        // Bounded: a parent joined before its child.
        while let Some(id) = asker {
            if id == owner {
                return Some(key);
            }
            asker = self.sessions.get(id).and_then(|s| s.parent);
        }
        None
    }

    /// SETSOCKOPT; `program` is the description, whose mark says whether accept copies options.
    pub(crate) fn set_option(
        &mut self,
        key: SocketKey,
        program: Option<&OwnedFd>,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Failure> {
        let socket = self.table.get_mut(key).ok_or(Failure(EIO))?;
        let facts = facts(socket, &self.interfaces);
        let inherited = socket.options.inherits();
        socket
            .options
            .set(socket.family, level, name, value, facts)
            .map_err(Failure)?;
        let (options, state) = (socket.options.for_stack(), socket.state);
        let inherits = socket.options.inherits();
        if let Some(pcb) = socket.pcb {
            self.stack.set_options(pcb, options);
            self.stack.set_bind_options(pcb, self.bind_options(key));
        }
        // Nothing is accepted from a direct connection, and its mark has more to say by now.
        let is_direct = matches!(self.table.get(key).map(|s| &s.role), Some(Role::Direct(_)));
        if inherits != inherited && !is_direct {
            self.set_state(key, state, program);
        }
        if self.table.get(key).is_some_and(|s| s.record.is_some()) {
            self.note(key);
        }
        Ok(())
    }
}

/// What the options of a socket depend on; its segment size, MTU and algorithm are left to who knows them.
pub(crate) fn facts<'a>(socket: &Socket, interfaces: &'a [Interface; 2]) -> Facts<'a> {
    let [lo, link] = interfaces;
    Facts {
        state: socket.state,
        bound: socket.bound.is_some(),
        mss: 0,
        mtu: 0,
        room: 0,
        interfaces: [lo.name(), link.name()],
        congestion: Algorithm::default(),
    }
}

/// Octets in the stack's queue: all, or those that were not sent.
fn waiting(info: Option<&PcbInfo>, unsent: bool) -> usize {
    let Some(info) = info else { return 0 };
    match info.sender {
        Some(sender) if unsent => usize::try_from(sender.unsent).unwrap_or(usize::MAX),
        Some(_) | None => info.send_queue,
    }
}
