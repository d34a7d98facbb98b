//! socket(2): an entry of the table and its description, or a kernel datagram socket.

use std::os::fd::{AsFd, OwnedFd};

use netcon_sys::sockopt;
use netcon_sys::unix::{self, Kind};
use netcon_wire::{Family, SOCKET_NONBLOCK, SocketKind, SocketState};

use crate::datagrams::Datagrams;
use crate::engine::Engine;
use crate::native;
use crate::ready::Ready;
use crate::rpc::errno::{EIO, ENFILE, ENOBUFS};
use crate::rpc::{Answer, Failure};
use crate::sessions::{Admission, SessionId};
use crate::table::SocketKey;

impl Engine {
    /// SOCKET of an admitted session.
    pub(crate) fn socket(
        &mut self,
        session: SessionId,
        family: Family,
        flags: u8,
        kind: SocketKind,
    ) -> Result<Answer, Failure> {
        match kind {
            SocketKind::Stream => self.open_socket(session, family, flags),
            SocketKind::Udp | SocketKind::UdpLite | SocketKind::Ping => {
                let nonblocking = flags & SOCKET_NONBLOCK != 0;
                self.open_datagram(session, family, kind, nonblocking)
            }
        }
    }

    fn open_socket(
        &mut self,
        session: SessionId,
        family: Family,
        flags: u8,
    ) -> Result<Answer, Failure> {
        self.admit_socket(session)?;
        let (token, now) = (self.token(), self.now_micros);
        let socket = self.table.insert(family, session, token, now);
        socket.counted = true;
        let key = socket.key;
        let made = self.fresh_description(key, flags & SOCKET_NONBLOCK != 0);
        let fd = made.inspect_err(|_| drop(self.table.remove(key)))?;
        if let Some(session) = self.sessions.get_mut(session) {
            session.sockets += 1;
        }
        self.reap_when_many();
        Ok(Answer::Socket { id: key.slot, fd })
    }

    /// Whether a program may have one more socket, of any kind: `--max-sockets`, together and each.
    pub(crate) fn admit_socket(&mut self, session: SessionId) -> Result<(), Failure> {
        if self.is_full(session)? {
            self.reap();
            if self.is_full(session)? {
                self.counters.refused += 1;
                return Err(Failure(ENOBUFS));
            }
        }
        Ok(())
    }

    fn is_full(&self, session: SessionId) -> Result<bool, Failure> {
        let asker = self.sessions.get(session).ok_or(Failure(EIO))?;
        let Admission::Admitted { max_sockets } = asker.admission else {
            return Err(Failure(EIO));
        };
        let datagrams = self.datagrams.as_ref().map_or(0, Datagrams::counted);
        // Of what lies ready the asker's own counts, for it has perhaps been taken; that of others does not.
        let own = asker.ready.as_ref().map_or(0, Ready::lying);
        let all = self.table.len() - self.lying_ready + own + datagrams;
        let mine = asker
            .sockets
            .saturating_add(u32::try_from(own).unwrap_or(u32::MAX));
        Ok(all >= self.config.max_sockets || mine >= max_sockets)
    }

    /// A new native socket for an entry, marked.
    pub(crate) fn fresh_description(
        &mut self,
        key: SocketKey,
        nonblocking: bool,
    ) -> Result<OwnedFd, Failure> {
        let fd = self.unmarked_description(key, nonblocking)?;
        self.set_state(key, SocketState::Fresh, Some(&fd));
        Ok(fd)
    }

    /// The same for one that whoever takes it marks.
    pub(crate) fn bare_description(&mut self, key: SocketKey) -> Result<OwnedFd, Failure> {
        self.unmarked_description(key, false)
    }

    fn unmarked_description(
        &mut self,
        key: SocketKey,
        nonblocking: bool,
    ) -> Result<OwnedFd, Failure> {
        let fd = unix::socket(Kind::Stream, nonblocking).map_err(|e| {
            Failure(match e.raw_os_error() {
                // The service's own table is full, which the program knows as ENFILE.
                Some(24) => ENFILE,
                _ => ENOBUFS,
            })
        })?;
        native::enlarge(fd.as_fd());
        let cookie = sockopt::cookie(fd.as_fd()).map_err(|_| Failure(EIO))?;
        self.table.set_cookie(key, cookie);
        Ok(fd)
    }
}
