//! Who was admitted, so that it is again by the next service.
//!
//! A program is admitted by its user, and its descendants whatever their users have become (nginx's workers).
//! When the service has been killed there is no channel left to say whose descendant a process is: so each
//! admitted process is noted, and a process that asks again is in if it, or an ancestor, is the same as noted.

use netcon_sys::process;

use crate::engine::Engine;
use crate::records::{Member, Record};
use crate::sessions::SessionId;

/// Generations that are looked at.
const ANCESTORS: usize = 32;

impl Engine {
    /// A process that the service before had admitted; one that has ended is nobody.
    pub(crate) fn remember_member(&mut self, index: u32, member: Member) {
        if process::start_time(member.pid) == Some(member.started) {
            self.members.insert(member.pid, (member.started, index));
        } else {
            self.records.clear(index);
        }
    }

    /// Whether that process or an ancestor of it was admitted by the service before.
    pub(crate) fn is_member(&self, pid: u32) -> bool {
        if self.members.is_empty() {
            return false;
        }
        let mut next = Some(pid);
        for _ in 0..ANCESTORS {
            let Some(pid) = next.filter(|&pid| pid != 0) else {
                return false;
            };
            let known = self.members.get(&pid).map(|&(started, _)| started);
            if known.is_some() && known == process::start_time(pid) {
                return true;
            }
            next = process::parent(pid);
        }
        false
    }

    /// Notes a session's process.
    pub(crate) fn note_member(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let pid = session.credentials.pid;
        // 0 is a process of a pid namespace that we do not see: nothing names it.
        let Some(started) = process::start_time(pid) else {
            return;
        };
        let before = self.members.get(&pid).filter(|known| known.0 == started);
        if before.is_some() {
            return;
        }
        match self
            .records
            .put(None, &Record::Member(Member { pid, started }))
        {
            Ok(index) => session.record = Some(index),
            Err(_) => self.counters.records_failed += 1,
        }
    }
}
