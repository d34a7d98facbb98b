//! The engine's owner talks to its thread by commands.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use netcon_sys::epoll::Waker;

use crate::sessions::SessionId;
use crate::show::{SessionRow, SocketRow, Status};

/// One order; answers go to the sender given.
#[derive(Debug)]
pub enum Command {
    /// A session may join.
    Admit {
        /// From [`crate::Hello::session`].
        session: SessionId,
        /// Most sockets it and each of its descendants may have.
        max_sockets: u32,
        /// The HELLO reply to send, a whole frame.
        reply: Vec<u8>,
    },
    /// A session may not join: it gets the reply, and its channel is closed.
    Refuse {
        /// From [`crate::Hello::session`].
        session: SessionId,
        /// The HELLO reply to send, a whole frame.
        reply: Vec<u8>,
    },
    /// The answer to a question about a name.
    Answer {
        /// From [`crate::AskedQuestion::question`].
        question: u32,
        /// Why there is none, or 0.
        errno: u32,
        /// What `netcon_wire::Question` says of it.
        bytes: Vec<u8>,
    },
    /// Totals.
    Status(Sender<Status>),
    /// All sockets.
    Sockets(Sender<Vec<SocketRow>>),
    /// All sessions.
    Sessions(Sender<Vec<SessionRow>>),
    /// End the loop.
    Stop,
}

/// Sends commands to an engine from any thread.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: Sender<Command>,
    waker: Arc<Waker>,
}

impl Handle {
    pub(crate) fn new(waker: Arc<Waker>) -> (Handle, Receiver<Command>) {
        let (commands, receiver) = channel();
        (Handle { commands, waker }, receiver)
    }

    /// Whether the command was handed over; not if the engine has ended.
    pub fn send(&self, command: Command) -> bool {
        let sent = self.commands.send(command).is_ok();
        self.waker.wake();
        sent
    }
}
