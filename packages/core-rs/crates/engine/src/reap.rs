//! Finds entries whose program has closed its socket.
//!
//! A connected socket's close hangs our end up. One that was never connected, or is connected directly to another
//! program's, closes in silence: it is looked for in the kernel's list of unix sockets (sock_diag(7)), when its
//! session ends, when a bind meets a conflict, when a limit is met, on `show`, and when the entries have doubled;
//! never by timer. So are datagram sockets, by other means.

use netcon_sys::diag;

use crate::engine::Engine;
use crate::table::{Role, SocketKey};

impl Engine {
    /// Removes dead entries; returns how many there were.
    pub(crate) fn reap(&mut self) -> usize {
        self.reap_due = false;
        self.recount_datagrams();
        let is_silent = |role: &Role| matches!(role, Role::Idle | Role::Listener(_) | Role::Ended);
        let is_direct = |role: &Role| matches!(role, Role::Direct(_));
        let (mut silent, mut direct) = (false, false);
        for socket in self.table.iter() {
            silent |= is_silent(&socket.role);
            direct |= is_direct(&socket.role);
        }
        if !silent && !direct {
            return 0;
        }
        // Without the list nothing can be told to be dead.
        let Ok(live) = diag::Pairs::look(direct) else {
            return 0;
        };
        let mut dead: Vec<SocketKey> = self
            .table
            .iter()
            .filter(|s| is_silent(&s.role))
            .filter(|s| s.cookie.is_some_and(|cookie| live.get(cookie).is_none()))
            .map(|s| s.key)
            .collect();
        if direct {
            dead.extend(self.dead_directs(&live));
        }
        for key in &dead {
            self.remove_socket(*key);
        }
        dead.len()
    }

    /// Reaps when the table has doubled since the last time: a constant cost for each socket.
    pub(crate) fn reap_when_many(&mut self) {
        if self.table.len() >= self.reap_threshold {
            self.reap();
            self.reap_threshold = (self.table.len() * 2).max(256);
        }
    }
}
