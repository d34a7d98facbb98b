//! The table of sockets: which program's description stands for which PCB.
//!
//! A socket's identity is its kernel cookie, learnt when the service creates it or, for an
//! accepted one, when the program first passes it. Accepted sockets are found by the token in
//! their name until then.

use std::os::fd::OwnedFd;

use netcon_stack::PcbId;
use netcon_wire::{Family, SockAddr, SocketState};
use rustc_hash::FxHashMap;
use slab::Slab;

use crate::accept::Listener;
use crate::direct::Direct;
use crate::options::Options;
use crate::sessions::SessionId;
use crate::stream::Stream;

/// A slot of the table and the serial number of its tenant: a stale key finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SocketKey {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

impl SocketKey {
    pub(crate) const SERIAL_MASK: u32 = 0x1fff_ffff;
}

/// What a socket does, and what the service holds for it meanwhile.
#[derive(Debug)]
pub(crate) enum Role {
    /// Not connected, not listening; the program alone holds the description.
    Idle,
    /// The program's description is bound to `path` and listens.
    Listener(Listener),
    /// A blocking connect(2): `program` is the description to connect when the handshake is
    /// done, `reply_to` where the answer goes.
    Waiting {
        program: OwnedFd,
        reply_to: OwnedFd,
        request: u32,
    },
    /// A non-blocking connect(2): the pair stands, the program's send buffer (`send_buffer` bytes
    /// before) is filled so that it is not writable yet.
    Filled {
        /// Not when the program has closed it meanwhile.
        program: Option<OwnedFd>,
        end: OwnedFd,
        send_buffer: i32,
    },
    /// Connected.
    Stream(Stream),
    /// Connected to another program's socket, without us.
    Direct(Direct),
    /// The connection has failed, our end is closed, and the program may still hold its own.
    Ended,
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) key: SocketKey,
    pub(crate) family: Family,
    pub(crate) session: SessionId,
    pub(crate) created_micros: i64,
    /// SO_COOKIE of the program's description, once known.
    pub(crate) cookie: Option<u64>,
    /// Both in the native name of a listener; a connection's has `key.slot`.
    pub(crate) name_slot: u32,
    pub(crate) token: u64,
    /// Where it is noted for a restarted service.
    pub(crate) record: Option<u32>,
    /// Who bound it, as noted by the service before.
    pub(crate) pid: u32,
    pub(crate) pcb: Option<PcbId>,
    pub(crate) state: SocketState,
    /// The program has been told that its connect succeeded (see connect.rs).
    pub(crate) connect_noticed: bool,
    /// The native socket is used up by a failed connect: the next one needs a fresh one.
    pub(crate) used_up: bool,
    /// As given to bind(2), with the port chosen.
    pub(crate) bound: Option<SockAddr>,
    pub(crate) local: Option<SockAddr>,
    pub(crate) peer: Option<SockAddr>,
    /// SO_ERROR, an errno.
    pub(crate) error: Option<u32>,
    pub(crate) options: Options,
    pub(crate) role: Role,
    /// Counts against its session's limit (accepted sockets do not).
    pub(crate) counted: bool,
    /// It lies ready for the program, which has not named it yet (see ready.rs).
    pub(crate) is_ready: bool,
    /// Bytes from and to the program.
    pub(crate) from_program: u64,
    pub(crate) to_program: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Slab<Socket>,
    by_cookie: FxHashMap<u64, SocketKey>,
    by_pcb: FxHashMap<PcbId, SocketKey>,
    serial: u32,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn insert(
        &mut self,
        family: Family,
        session: SessionId,
        token: u64,
        now_micros: i64,
    ) -> &mut Socket {
        self.serial = self.serial.wrapping_add(1) & SocketKey::SERIAL_MASK;
        let serial = self.serial;
        let entry = self.slots.vacant_entry();
        // The table is bounded by Config::max_sockets, far below 2^32.
        let slot = u32::try_from(entry.key()).unwrap_or(u32::MAX);
        entry.insert(Socket {
            key: SocketKey { slot, serial },
            family,
            session,
            created_micros: now_micros,
            cookie: None,
            name_slot: slot,
            token,
            record: None,
            pid: 0,
            pcb: None,
            state: SocketState::Fresh,
            connect_noticed: false,
            used_up: false,
            bound: None,
            local: None,
            peer: None,
            error: None,
            options: Options::default(),
            role: Role::Idle,
            counted: false,
            is_ready: false,
            from_program: 0,
            to_program: 0,
        })
    }

    pub(crate) fn get(&self, key: SocketKey) -> Option<&Socket> {
        self.slots
            .get(usize::try_from(key.slot).ok()?)
            .filter(|s| s.key == key)
    }

    pub(crate) fn get_mut(&mut self, key: SocketKey) -> Option<&mut Socket> {
        self.slots
            .get_mut(usize::try_from(key.slot).ok()?)
            .filter(|s| s.key == key)
    }

    pub(crate) fn by_cookie(&self, cookie: u64) -> Option<SocketKey> {
        self.by_cookie.get(&cookie).copied()
    }

    pub(crate) fn by_pcb(&self, pcb: PcbId) -> Option<SocketKey> {
        self.by_pcb.get(&pcb).copied()
    }

    /// The socket whose native name holds that slot and token.
    pub(crate) fn by_name(&self, slot: u32, token: u64) -> Option<SocketKey> {
        let socket = self.slots.get(usize::try_from(slot).ok()?)?;
        (socket.token == token).then_some(socket.key)
    }

    pub(crate) fn set_cookie(&mut self, key: SocketKey, cookie: u64) {
        let Some(socket) = self.get_mut(key) else {
            return;
        };
        if let Some(old) = socket.cookie.replace(cookie) {
            self.by_cookie.remove(&old);
        }
        self.by_cookie.insert(cookie, key);
    }

    /// Ties a socket to a PCB, or unties it; returns the PCB it had.
    pub(crate) fn set_pcb(&mut self, key: SocketKey, pcb: Option<PcbId>) -> Option<PcbId> {
        let socket = self.get_mut(key)?;
        let old = std::mem::replace(&mut socket.pcb, pcb);
        if let Some(old) = old {
            self.by_pcb.remove(&old);
        }
        if let Some(pcb) = pcb {
            self.by_pcb.insert(pcb, key);
        }
        old
    }

    pub(crate) fn remove(&mut self, key: SocketKey) -> Option<Socket> {
        self.get(key)?;
        let socket = self.slots.remove(usize::try_from(key.slot).ok()?);
        if let Some(cookie) = socket.cookie {
            self.by_cookie.remove(&cookie);
        }
        if let Some(pcb) = socket.pcb {
            self.by_pcb.remove(&pcb);
        }
        Some(socket)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Socket> {
        self.slots.iter().map(|(_, socket)| socket)
    }
}

#[cfg(test)]
mod tests;
