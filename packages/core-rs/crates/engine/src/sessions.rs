//! Sessions: one per RPC channel, which is one per process.
//!
//! A channel is accepted, says HELLO, waits for the service's policy, and is then served. A child
//! gets a channel of its own by ATTACH over its parent's and is admitted as its parent was.

use std::os::fd::OwnedFd;

use netcon_sys::unix::Credentials;
use rustc_hash::FxHashMap;

use crate::ready::Ready;

/// Counts up from 1; 0 is nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub u32);

/// A program asks to join: to be answered by `Command::Admit` or `Command::Refuse`.
#[derive(Clone, Debug)]
pub struct Hello {
    /// To be named in the answer.
    pub session: SessionId,
    /// Credentials of the channel's peer, as the kernel gives them.
    pub pid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// It, or a process that it descends from, was admitted by the service that was killed before this one.
    pub returning: bool,
    /// The HELLO frame as received.
    pub frame: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// No HELLO yet.
    Silent,
    /// HELLO handed out.
    Asked,
    /// May have that many sockets.
    Admitted { max_sockets: u32 },
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) channel: OwnedFd,
    pub(crate) credentials: Credentials,
    pub(crate) parent: Option<SessionId>,
    pub(crate) program: String,
    /// Of the RPC, as its library speaks it.
    pub(crate) minor: u8,
    pub(crate) admission: Admission,
    pub(crate) sockets: u32,
    pub(crate) created_micros: i64,
    /// Where its process is noted for a restarted service.
    pub(crate) record: Option<u32>,
    /// Sockets that lie ready for it, once it has asked.
    pub(crate) ready: Option<Ready>,
}

#[derive(Debug, Default)]
pub(crate) struct Sessions {
    map: FxHashMap<SessionId, Session>,
    last: u32,
}

impl Sessions {
    pub(crate) fn insert(
        &mut self,
        channel: OwnedFd,
        credentials: Credentials,
        now_micros: i64,
    ) -> &mut Session {
        self.last = self.last.wrapping_add(1).max(1);
        let id = SessionId(self.last);
        self.map
            .entry(id)
            .insert_entry(Session {
                id,
                channel,
                credentials,
                parent: None,
                program: String::new(),
                minor: 0,
                admission: Admission::Silent,
                sockets: 0,
                created_micros: now_micros,
                record: None,
                ready: None,
            })
            .into_mut()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        self.map.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.map.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.map.remove(&id)
    }

    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.map.values()
    }
}
