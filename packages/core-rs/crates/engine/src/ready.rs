//! What lies ready for a program: descriptions for socket(2), and a listener for connect(2).
//!
//! A program that makes connections asks for it (READY). Whenever it asks again the service puts a few sockets
//! into a queue of the kernel's, which the library fetches and keeps for socket(2); and the library
//! connects the description of a non-blocking connect(2) itself, to a listener of its session, so that
//! neither call waits for the service. A program can reach the listener only by the `O_PATH` descriptor
//! that it was given, and what arrives there is believed only together with its description, as all else.
//!
//! A socket that lies ready is an entry of the table that nobody counts and nobody sees, until a
//! request names it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use netcon_sys::peer::Process;
use netcon_sys::unix::{self, Kind};
use netcon_wire::{Family, MAX_READY, Op, Reply, SockAddr, SocketName, SocketState};

use crate::datagrams::Datagrams;
use crate::engine::Engine;
use crate::native;
use crate::rpc::errno::{EBADF, EINVAL, EIO};
use crate::rpc::{Answer, Failure};
use crate::sessions::{Admission, SessionId};
use crate::table::{Role, SocketKey};

/// Sockets that lie ready for a program, or were taken and not named yet; each costs the kernel about 2 KiB.
const SOCKETS: usize = 2 * MAX_READY;
/// A program that may have fewer sockets than that has none ready.
const LEAST_LIMIT: usize = 256;
/// Connects under way between library and service; more are refused, and then asked for.
const BACKLOG: i32 = 128;
const _: () = assert!(MAX_READY <= unix::MAX_SENT);

/// What a session has ready.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Our end of the queue.
    queue: OwnedFd,
    /// The program's, to find out at the end what it has not taken.
    theirs: OwnedFd,
    listener: OwnedFd,
    path: PathBuf,
    family: Family,
    /// The program, where its descriptors can be fetched.
    process: Option<Process>,
    /// Entries whose sockets are in the queue, as far as is known.
    waiting: Vec<SocketKey>,
}

impl Ready {
    /// Sockets that lie ready, or were taken and not named yet.
    pub(crate) fn lying(&self) -> usize {
        self.waiting.len()
    }
}

impl Engine {
    /// READY: makes it, or makes it anew.
    pub(crate) fn make_ready(
        &mut self,
        session: SessionId,
        family: Family,
        channel: i32,
        request: u32,
    ) -> Result<Option<Answer>, Failure> {
        self.end_ready(session);
        let failed = |e: std::io::Error| Failure(native::errno(&e));
        let (queue, theirs) = unix::pair(Kind::SeqPacket).map_err(failed)?;
        unix::set_nonblocking(theirs.as_fd()).map_err(failed)?;
        let path = self.native.session_path(session);
        let (listener, reachable) = self
            .native
            .listen_privately(&path, BACKLOG)
            .map_err(failed)?;
        let owner = self.sessions.get_mut(session).ok_or(Failure(EIO))?;
        let process = Process::behind(owner.channel.as_fd())
            .filter(|process| process.fetch(channel).is_some());
        let can_fetch = process.is_some();
        owner.ready = Some(Ready {
            queue,
            theirs,
            listener,
            path,
            family,
            process,
            waiting: Vec::with_capacity(SOCKETS),
        });
        let owner = self.sessions.get(session).ok_or(Failure(EIO))?;
        let ready = owner.ready.as_ref().ok_or(Failure(EIO))?;
        let fill = u32::try_from(self.native.fill).unwrap_or(0).to_le_bytes();
        let [a, b, c, d] = fill;
        let value = [a, b, c, d, u8::from(can_fetch)];
        self.send_reply(
            owner.channel.as_fd(),
            Op::Ready,
            request,
            0,
            &Reply::Value(&value),
            &[ready.theirs.as_fd(), reachable.as_fd()],
        );
        Ok(None)
    }

    /// Makes sockets until enough lie ready, and sends them in one record.
    ///
    /// Not before the program asks for them, for it fetches them soon: while a unix socket is in a queue, the
    /// kernel looks for garbage whenever any unix socket of the machine is closed (unix_gc).
    pub(crate) fn fill(&mut self, session: SessionId, count: usize) {
        let count = count.min(MAX_READY);
        if self
            .ready_of(session)
            .is_some_and(|ready| ready.lying() + count > SOCKETS)
        {
            // Some may have been taken and closed without a request.
            self.reap();
        }
        if let Some(ready) = self
            .sessions
            .get_mut(session)
            .and_then(|s| s.ready.as_mut())
        {
            // Others were taken and closed without a request, and found dead since.
            ready.waiting.retain(|key| self.table.get(*key).is_some());
        }
        let (mut keys, mut fds) = (Vec::with_capacity(count), Vec::with_capacity(count));
        while keys.len() < count && self.may_have_another(session, keys.len()) {
            let Some(family) = self.ready_of(session).map(|ready| ready.family) else {
                break;
            };
            let (token, now) = (self.token(), self.now_micros);
            let key = self.table.insert(family, session, token, now).key;
            match self.bare_description(key) {
                Ok(fd) => {
                    keys.push(key);
                    fds.push(fd);
                }
                Err(_) => {
                    self.table.remove(key);
                    break;
                }
            }
        }
        let ids: Vec<u8> = keys.iter().flat_map(|k| k.slot.to_le_bytes()).collect();
        let pass: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        let sent = self.ready_of(session).is_some_and(|ready| {
            !ids.is_empty() && unix::send_record_with(ready.queue.as_fd(), &ids, &pass).is_ok()
        });
        for key in keys {
            if !sent {
                // The queue is full or gone, or descriptors are: then sockets are asked for.
                self.table.remove(key);
                continue;
            }
            if let Some(socket) = self.table.get_mut(key) {
                socket.is_ready = true;
                self.lying_ready += 1;
            }
            if let Some(ready) = self.ready_of(session) {
                ready.waiting.push(key);
            }
        }
    }

    /// Whether a program that would have `more` beside its others may have one besides.
    fn may_have_another(&self, session: SessionId, more: usize) -> bool {
        let Some(owner) = self.sessions.get(session) else {
            return false;
        };
        let (Some(ready), Admission::Admitted { max_sockets }) = (&owner.ready, owner.admission)
        else {
            return false;
        };
        let lying = ready.lying() + more;
        let mine = usize::try_from(owner.sockets).unwrap_or(usize::MAX) + lying;
        let most = usize::try_from(max_sockets).unwrap_or(usize::MAX);
        let most = most.min(self.config.max_sockets);
        let datagrams = self.datagrams.as_ref().map_or(0, Datagrams::counted);
        // The other half of the table is for those who ask.
        let all = (self.table.len() + datagrams).saturating_mul(2);
        // Whether one was taken is not known, so that a limit is as much less sharp.
        let few = if most < LEAST_LIMIT { 0 } else { most / 16 };
        lying < few.min(SOCKETS) && mine < most && all < self.config.max_sockets
    }

    fn ready_of(&mut self, session: SessionId) -> Option<&mut Ready> {
        self.sessions.get_mut(session)?.ready.as_mut()
    }

    /// A request has named a socket that lay ready: it is its session's from now on.
    pub(crate) fn take_ready(&mut self, key: SocketKey) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        if !std::mem::take(&mut socket.is_ready) {
            return;
        }
        self.lying_ready -= 1;
        socket.counted = true;
        let id = socket.session;
        if let Some(session) = self.sessions.get_mut(id) {
            session.sockets += 1;
            if let Some(ready) = &mut session.ready {
                ready.waiting.retain(|other| *other != key);
            }
        }
        self.reap_when_many();
    }

    /// At the end of a turn: programs have been served, now for what they will want.
    pub(crate) fn refill(&mut self) {
        for (session, count) in std::mem::take(&mut self.fill_due) {
            self.fill(session, count);
        }
    }

    /// Takes back what a session has ready.
    pub(crate) fn end_ready(&mut self, session: SessionId) {
        let ready = self.sessions.get_mut(session).and_then(|s| s.ready.take());
        if let Some(ready) = ready {
            self.drop_ready(ready);
        }
    }

    /// The same of a session that is no more.
    pub(crate) fn drop_ready(&mut self, ready: Ready) {
        self.native.remove(&ready.path);
        let (mut ids, mut fds) = ([0; 4 * MAX_READY], Vec::new());
        while let Ok(received) = unix::recv_record(ready.theirs.as_fd(), &mut ids, &mut fds)
            && received.len > 0
        {
            let (slots, _) = ids.get(..received.len).unwrap_or(&[]).as_chunks::<4>();
            for slot in slots.iter().copied().map(u32::from_le_bytes) {
                if let Some(key) = ready.waiting.iter().find(|key| key.slot == slot) {
                    self.remove_socket(*key);
                }
            }
        }
        for key in ready.waiting {
            // Taken and not named yet: an ordinary socket, found dead or alive like the others.
            if let Some(socket) = self.table.get_mut(key)
                && std::mem::take(&mut socket.is_ready)
            {
                self.lying_ready -= 1;
                self.reap_due = true;
            }
        }
    }

    /// DIAL: the same as CONNECT of one that is filled.
    pub(crate) fn dial(
        &mut self,
        session: SessionId,
        number: i32,
        to: SockAddr,
    ) -> Result<(), Failure> {
        let ready = self.sessions.get(session).and_then(|s| s.ready.as_ref());
        let ready = ready.ok_or(Failure(EIO))?;
        let program = ready.process.as_ref().and_then(|p| p.fetch(number));
        let key = program
            .as_ref()
            .and_then(|fd| self.lookup(session, fd.as_fd()));
        let dialled = match (program, key) {
            (Some(program), Some(key)) => self.connect_filled(session, key, program, to),
            _ => Err(Failure(EBADF)),
        };
        if dialled.is_err()
            && let Some(ready) = self.sessions.get(session).and_then(|s| s.ready.as_ref())
        {
            // The number is another's by now: whoever still holds the socket sees it hang up.
            while unix::accept(ready.listener.as_fd()).is_ok() {}
        }
        dialled
    }

    /// CONNECT of a description that the library has connected to the session's listener and filled. What
    /// fails is the socket's error, for poll and `SO_ERROR` to tell.
    pub(crate) fn connect_filled(
        &mut self,
        session: SessionId,
        key: SocketKey,
        program: OwnedFd,
        to: SockAddr,
    ) -> Result<(), Failure> {
        let socket = self.table.get(key).ok_or(Failure(EIO))?;
        if !matches!(
            (socket.state, &socket.role),
            (SocketState::Fresh, Role::Idle)
        ) {
            return Err(Failure(EINVAL));
        }
        let send_buffer = socket.options.send_buffer();
        let (id, token, family) = (key.slot, socket.token, socket.family);
        let begun = self.begin_connect(key, None, to);
        let socket = self.table.get(key).ok_or(Failure(EIO))?;
        let identity = SocketName {
            id,
            token,
            local: socket.local.unwrap_or(SockAddr::unspecified(family)),
            peer: to.as_family(family),
            direct: false,
        };
        let end = self
            .sessions
            .get(session)
            .and_then(|s| s.ready.as_ref())
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotConnected))
            .and_then(|ready| {
                self.native
                    .adopt(program.as_fd(), ready.listener.as_fd(), &identity)
            });
        match (begun, end) {
            (Ok(_), Ok(end)) => {
                self.set_state(key, SocketState::Connecting, None);
                if let Some(socket) = self.table.get_mut(key) {
                    socket.role = Role::Filled {
                        program: Some(program),
                        end,
                        send_buffer,
                    };
                }
            }
            (begun, end) => {
                let failure = match (begun, &end) {
                    (Err(failure), _) => failure,
                    (Ok(_), Err(e)) => self.give_up(key, e),
                    (Ok(_), Ok(_)) => Failure(EIO),
                };
                if let Some(socket) = self.table.get_mut(key) {
                    socket.error = Some(failure.0);
                    socket.peer = Some(to);
                }
                self.set_state(key, SocketState::Failed, Some(&program));
                if end.is_err() {
                    // Our end is nowhere: poll must not wait for it.
                    let _ = unix::shutdown_both(program.as_fd());
                }
            }
        }
        Ok(())
    }

    /// The program closes a socket that is connecting. As long as we held its description it would stay in
    /// the program's epoll sets; from now on our end's hang-up tells of the close.
    pub(crate) fn release_connecting(&mut self, key: SocketKey) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        if let Role::Filled { program, end, .. } = &mut socket.role
            && program.is_some()
            && self
                .epoll
                .add(
                    end.as_fd(),
                    netcon_sys::epoll::EDGE_HUP,
                    crate::token::Token::Wait(key).pack(),
                )
                .is_ok()
        {
            *program = None;
        }
    }
}
