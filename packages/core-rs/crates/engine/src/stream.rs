//! The data path of a connected socket.
//!
//! States of the two directions, and who ends them:
//!
//! - program to network: bytes are read from our end straight into the PCB's send ring. The
//!   program's shutdown(SHUT_WR) or close is an end of file: FIN. close(2) alone also hangs our
//!   end up: the PCB is closed, and what is queued goes on. A read that gives ECONNRESET is a
//!   close with unread data: RST (RFC 1122 4.2.2.13).
//! - network to program: bytes are written straight from the PCB's receive ring. The peer's FIN
//!   becomes a shutdown of our end once everything is delivered; a reset becomes ECONNRESET for
//!   the program, after the data.
//!
//! A program that does not read holds the end up, but not its own writes: they fail as soon as the
//! connection has failed, or one that sleeps in write(2) would sleep for ever.
//!
//! Back-pressure: nothing is buffered here. A full send ring leaves bytes in the unix socket, and
//! the program blocks; a full unix socket leaves bytes in the receive ring, and the window closes.
//! Readiness is edge-triggered and cached: a system call is made only when it can do something.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use netcon_stack::{Cause, IoError, PcbId, Stack};
use netcon_sys::epoll::{EDGE_ALL, Ready};
use netcon_sys::{peer, sockopt, unix};

use crate::engine::Engine;
use crate::native;
use crate::rpc::errno::EPIPE;
use crate::sessions::Sessions;
use crate::table::{Role, Socket, SocketKey};
use crate::token::Token;

/// Most bytes moved for one socket and direction before the next socket's turn.
const BUDGET: usize = 512 * 1024;
/// Failed connections whose entries are kept for the program to ask about.
const ENDED: usize = 1024;

/// Our end of a connected socket.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) end: OwnedFd,
    readable: bool,
    writable: bool,
    /// A short read no longer means drained: an end of file or an error is behind the data.
    read_closed: bool,
    hung_up: bool,
    /// The program's end of file has been read.
    program_done: bool,
    peer_done: bool,
    /// The peer's FIN has been passed on.
    fin_delivered: bool,
    failed: Option<Cause>,
    /// The program's writes fail already.
    writes_fail: bool,
    /// The program has closed, in a way that resets, just behind data that is still to be sent.
    parting: Option<Outcome>,
    queued: bool,
    /// Our end's send buffer has its full size, and room in it is told.
    awaits_room: bool,
}

impl Stream {
    pub(crate) fn new(end: OwnedFd) -> Stream {
        Stream {
            end,
            readable: true,
            writable: true,
            read_closed: false,
            hung_up: false,
            program_done: false,
            peer_done: false,
            fin_delivered: false,
            failed: None,
            writes_fail: false,
            parting: None,
            queued: false,
            awaits_room: false,
        }
    }
}

/// What is left to do after moving bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Idle,
    /// The budget is used up.
    Again,
    /// The program has closed.
    Closed,
    /// Both directions have ended; the program may still hold its end.
    Finished,
    /// The program has closed with data unread.
    Reset,
    /// The connection has failed, and the program has yet to read what came before.
    Failing(Cause),
    /// Everything is delivered and the connection has failed.
    Failed(Cause),
    /// The program's queue is full for the first time.
    Full,
}

impl Engine {
    fn stream(&mut self, key: SocketKey) -> Option<(&mut Socket, PcbId)> {
        let socket = self.table.get_mut(key)?;
        let pcb = socket.pcb?;
        matches!(socket.role, Role::Stream(_)).then_some((socket, pcb))
    }

    fn with_stream(&mut self, key: SocketKey, change: impl FnOnce(&mut Stream)) {
        if let Some(socket) = self.table.get_mut(key)
            && let Role::Stream(stream) = &mut socket.role
        {
            change(stream);
            self.enqueue(key);
        }
    }

    fn enqueue(&mut self, key: SocketKey) {
        if let Some(socket) = self.table.get_mut(key)
            && let Role::Stream(stream) = &mut socket.role
            && !stream.queued
        {
            stream.queued = true;
            self.dirty.push_back(key);
        }
    }

    /// A socket has just become connected: bytes may be waiting on either side.
    pub(crate) fn stream_opened(&mut self, key: SocketKey) {
        if let Some(socket) = self.table.get(key)
            && let Some(pcb) = socket.pcb
        {
            let options = socket.options.for_stack();
            let info = self.stack.info(pcb);
            self.stack.set_options(pcb, options);
            self.with_stream(key, |s| {
                s.peer_done = info.is_some_and(|i| i.peer_closed);
                s.failed = info.and_then(|i| i.failed);
            });
        }
    }

    pub(crate) fn stream_ready(&mut self, key: SocketKey, ready: Ready) {
        self.with_stream(key, |s| {
            s.readable |= ready.readable();
            s.writable |= ready.writable();
            s.read_closed |= ready.read_closed();
            s.hung_up |= ready.hung_up();
        });
    }

    /// There is data to deliver, or room to write.
    pub(crate) fn stream_dirty(&mut self, pcb: PcbId) {
        if let Some(key) = self.table.by_pcb(pcb) {
            self.with_stream(key, |_| {});
        }
    }

    pub(crate) fn peer_closed(&mut self, pcb: PcbId) {
        if let Some(key) = self.table.by_pcb(pcb) {
            self.with_stream(key, |s| s.peer_done = true);
        }
    }

    pub(crate) fn stream_failed(&mut self, key: SocketKey, cause: Cause) {
        self.with_stream(key, |s| s.failed = Some(cause));
    }

    /// Moves bytes of every socket that has some, a budget each; stops at a close.
    pub(crate) fn pump_dirty(&mut self) {
        for _ in 0..self.dirty.len() {
            let Some(key) = self.dirty.pop_front() else {
                return;
            };
            let Some((socket, pcb)) = self.stream(key) else {
                continue;
            };
            if let Role::Stream(stream) = &mut socket.role {
                stream.queued = false;
            }
            let Some(socket) = self.table.get_mut(key) else {
                continue;
            };
            match pump(socket, pcb, &mut self.stack) {
                Outcome::Idle => {}
                Outcome::Again => self.enqueue(key),
                Outcome::Full => self.await_room(key),
                Outcome::Closed => {
                    self.remove_socket(key);
                    // The FIN goes first: the program at its other end may have closed as well, but
                    // later, and whose FIN is first decides who is left in TIME-WAIT.
                    return;
                }
                Outcome::Finished => drop(self.retire(key)),
                Outcome::Reset => {
                    self.stack.abort(pcb);
                    self.remove_socket(key);
                }
                Outcome::Failing(cause) => self.fail_writes(key, cause),
                Outcome::Failed(cause) => self.end_with_error(key, cause),
            }
        }
    }

    /// From now on the kernel tells of room in the program's queue.
    fn await_room(&mut self, key: SocketKey) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        let Role::Stream(stream) = &mut socket.role else {
            return;
        };
        stream.awaits_room = true;
        // Most connections never need it: not before the first that does not fit.
        native::enlarge(stream.end.as_fd());
        let token = Token::Stream(key).pack();
        // An entry of our own set, with an fd that is open: it is not refused.
        let _ = self.epoll.modify(stream.end.as_fd(), EDGE_ALL, token);
        stream.writable = true;
        self.enqueue(key);
    }

    /// The program's writes fail from now on, a sleeping one too, and poll says so; its reads go on.
    ///
    /// Deviation: Linux shows the hang-up at once, here it follows the last byte.
    fn fail_writes(&mut self, key: SocketKey, cause: Cause) {
        let Some(socket) = self.table.get_mut(key) else {
            return;
        };
        let Role::Stream(stream) = &mut socket.role else {
            return;
        };
        stream.writes_fail = true;
        discard(&stream.end);
        socket.error = Some(errno_of(cause, stream.peer_done));
        if !reads_clean_end(cause, stream.peer_done) {
            poison(&self.sessions, &stream.end);
        }
        let _ = unix::shutdown_read(stream.end.as_fd());
        // What a writer has added meanwhile keeps poll from calling the socket writable. The byte goes
        // with it: that writer is told the error, and as on Linux nobody else is.
        if unix::queued(stream.end.as_fd()).is_ok_and(|bytes| bytes > 1) {
            discard(&stream.end);
        }
    }

    /// Closes our end so that the program sees the error and not a clean end of file.
    fn end_with_error(&mut self, key: SocketKey, cause: Cause) {
        let told = self.table.get(key).is_some_and(|socket| {
            matches!(&socket.role, Role::Stream(s) if s.writes_fail) && socket.error.is_none()
        });
        let Some((end, peer_done)) = self.retire(key) else {
            return;
        };
        if told {
            // A write has had the error (sk_stream_error takes it): reading ends in an end of file.
            discard(&end);
            return;
        }
        if !reads_clean_end(cause, peer_done) && !unread(&end) {
            poison(&self.sessions, &end);
        }
        if let Some(socket) = self.table.get_mut(key) {
            // The library asks when it meets an end of file, EPIPE or ECONNRESET: the kernel's word
            // alone may be lost, or be another error's.
            socket.error = Some(errno_of(cause, peer_done));
        }
    }

    /// The connection is over, and so is our end.
    fn retire(&mut self, key: SocketKey) -> Option<(OwnedFd, bool)> {
        let pcb = self.table.set_pcb(key, None);
        let socket = self.table.get_mut(key)?;
        let Role::Stream(stream) = std::mem::replace(&mut socket.role, Role::Ended) else {
            return None;
        };
        let (session, counted) = (socket.session, std::mem::take(&mut socket.counted));
        if counted && let Some(session) = self.sessions.get_mut(session) {
            session.sockets = session.sockets.saturating_sub(1);
        }
        if let Some(pcb) = pcb {
            self.stack.close(pcb);
        }
        // Nobody else holds our end: closed, it leaves the epoll set.
        self.keep_ended(key);
        Some((stream.end, stream.peer_done))
    }

    /// Keeps the entry of an ended connection for the program to ask about, among a bounded number of such.
    pub(crate) fn keep_ended(&mut self, key: SocketKey) {
        self.ended.push_back(key);
        if self.ended.len() > ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.remove_socket(oldest);
        }
    }
}

/// Whether bytes of the program wait in our end's queue.
fn unread(end: &OwnedFd) -> bool {
    unix::peek(end.as_fd()).is_ok_and(|n| n > 0)
}

/// tcp_reset() in net/ipv4/tcp_input.c: after the peer's FIN a reset is EPIPE, and reading stays at
/// the end of file.
fn reads_clean_end(cause: Cause, peer_done: bool) -> bool {
    peer_done && cause == Cause::Reset
}

fn errno_of(cause: Cause, peer_done: bool) -> u32 {
    if reads_clean_end(cause, peer_done) {
        EPIPE
    } else {
        cause.errno().unsigned_abs()
    }
}

/// Closing with unread bytes in our queue makes the kernel tell the program ECONNRESET.
fn poison(sessions: &Sessions, end: &OwnedFd) {
    let pids = sessions.iter().map(|s| s.credentials.pid);
    peer::poison(end.as_fd(), pids.filter(|&pid| pid != 0));
}

/// Takes what the program has written to a connection that is no more: its poll turns writable.
/// At most a send buffer, or as much as it adds meanwhile up to the budget.
fn discard(end: &OwnedFd) {
    let mut scratch = [0; 16 * 1024];
    let mut moved = 0;
    while moved < BUDGET {
        match unix::recv(end.as_fd(), &mut scratch) {
            Ok(n) if n > 0 => moved += n,
            Ok(_) | Err(_) => return,
        }
    }
}

fn pump(socket: &mut Socket, pcb: PcbId, stack: &mut Stack) -> Outcome {
    let Socket {
        role,
        options,
        from_program,
        to_program,
        ..
    } = socket;
    let Role::Stream(stream) = role else {
        return Outcome::Idle;
    };
    if let Some(outcome) = stream.parting {
        return outcome;
    }
    let delivered = deliver(stream, pcb, stack, to_program);
    let before = *from_program;
    let sent = match stream.failed {
        Some(_) => Outcome::Idle,
        None => collect(stream, pcb, stack, from_program),
    };
    let resets = match sent {
        Outcome::Reset => true,
        Outcome::Closed => stack.recv_queue(pcb) > 0 || options.for_stack().reset_on_close,
        Outcome::Idle
        | Outcome::Again
        | Outcome::Finished
        | Outcome::Failing(_)
        | Outcome::Failed(_)
        | Outcome::Full => false,
    };
    if resets && *from_program > before {
        // Linux has sent the last words inside the program's write; a reset would drop them.
        stream.parting = Some(sent);
        return Outcome::Again;
    }
    match (sent, delivered) {
        (Outcome::Closed | Outcome::Finished | Outcome::Reset, _) => sent,
        (_, Outcome::Failed(_) | Outcome::Failing(_)) => delivered,
        (_, Outcome::Full) => Outcome::Full,
        (Outcome::Again, _) | (_, Outcome::Again) => Outcome::Again,
        _ => Outcome::Idle,
    }
}

/// Program to network.
fn collect(stream: &mut Stream, pcb: PcbId, stack: &mut Stack, total: &mut u64) -> Outcome {
    let end = &stream.end;
    let mut moved = 0;
    while stream.readable && !stream.program_done {
        if stack.send_space(pcb) == 0 {
            // Closed with data unread: what has not been sent goes with the rest (tcp_close).
            if stream.hung_up && sockopt::take_error(end.as_fd()).is_ok_and(|errno| errno != 0) {
                return Outcome::Reset;
            }
            // Empty-handed write: asks the stack to tell when there is room.
            let _ = stack.write_with(pcb, |_| (0, ()));
            return Outcome::Idle;
        }
        if moved >= BUDGET {
            return Outcome::Again;
        }
        let outcome = stack.write_with(pcb, |ring| match unix::recv(end.as_fd(), ring) {
            Ok(n) => (n, Ok((n, ring.len()))),
            Err(e) => (0, Err(e)),
        });
        match outcome {
            Ok(Ok((0, _))) => stream.program_done = true,
            Ok(Ok((n, room))) => {
                moved += n;
                *total += n as u64;
                if n < room && !stream.read_closed {
                    stream.readable = false;
                }
            }
            Ok(Err(e)) if e.kind() == io::ErrorKind::WouldBlock => stream.readable = false,
            // ECONNRESET: the program closed with data unread.
            Ok(Err(_)) => return Outcome::Reset,
            // As good as lost: what the program has written has no place.
            Err(IoError::NoMemory) => return Outcome::Reset,
            // The PCB takes no more; its failure comes as an event of its own.
            Err(_) => stream.readable = false,
        }
    }
    if stream.program_done {
        if stream.hung_up {
            // After the peer's FIN a shutdown(SHUT_WR) hangs up as well as a close.
            return if stream.fin_delivered {
                Outcome::Finished
            } else {
                Outcome::Closed
            };
        }
        stack.shutdown_write(pcb);
    }
    Outcome::Idle
}

/// Network to program.
fn deliver(stream: &mut Stream, pcb: PcbId, stack: &mut Stack, total: &mut u64) -> Outcome {
    let end = &stream.end;
    let mut moved = 0;
    while stream.writable && stack.recv_queue(pcb) > 0 {
        if moved >= BUDGET {
            return Outcome::Again;
        }
        let outcome = stack.read_with(pcb, |ring| match unix::send(end.as_fd(), ring) {
            Ok(n) => (n, Ok((n, ring.len()))),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => (0, Ok((0, ring.len()))),
            // EPIPE: the program reads no more; what comes is discarded, as by SHUT_RD.
            Err(e) => (ring.len(), Err(e)),
        });
        match outcome {
            Ok(Ok((n, offered))) => {
                moved += n;
                *total += n as u64;
                if n < offered && !stream.awaits_room {
                    return Outcome::Full;
                }
                stream.writable = n == offered;
            }
            Ok(Err(_)) => {}
            Err(_) => break,
        }
    }
    if stack.recv_queue(pcb) > 0 {
        return match stream.failed {
            Some(cause) if !stream.writes_fail => Outcome::Failing(cause),
            Some(_) | None => Outcome::Idle,
        };
    }
    if let Some(cause) = stream.failed {
        return Outcome::Failed(cause);
    }
    if stream.peer_done && !stream.fin_delivered {
        stream.fin_delivered = true;
        let _ = unix::shutdown_write(end.as_fd());
    }
    Outcome::Idle
}
