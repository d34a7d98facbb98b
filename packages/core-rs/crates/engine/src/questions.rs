//! RESOLVE: questions about names are the owner's to answer; the engine keeps who waits for what.
//!
//! The answer goes to a socket that came with the question, so that it may take its time while the
//! channel serves on. Nothing is ever answered on the channel.

use std::os::fd::{AsFd, OwnedFd};

use netcon_sys::unix;
use netcon_wire::{MAX_ANSWER, MAX_FRAME, MAX_PART, Op, Reply};
use rustc_hash::FxHashMap;

use crate::engine::{Engine, Event};
use crate::rpc::errno::{EAGAIN, EINVAL};
use crate::rpc::{Answer, Failure};
use crate::sessions::SessionId;

/// Questions that one program may have open: one a thread, as a rule.
const MAX_OF_SESSION: usize = 256;
/// Questions open at once; each is an fd of the service.
const MAX_OPEN: usize = 4096;

/// A program asks about a name: to be answered by `Command::Answer`.
#[derive(Clone, Debug)]
pub struct AskedQuestion {
    /// To be named in the answer.
    pub question: u32,
    /// Who asks.
    pub session: SessionId,
    /// The RESOLVE frame as received.
    pub frame: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    session: SessionId,
    /// The id that the program gave its request.
    request: u32,
    answer_to: OwnedFd,
}

/// Who waits for an answer.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    waiting: FxHashMap<u32, Waiting>,
    last: u32,
}

impl Questions {
    /// A program that has gone wants no answer; closing its sockets tells one that has not.
    pub(crate) fn forget(&mut self, session: SessionId) {
        self.waiting.retain(|_, w| w.session != session);
    }

    fn insert(&mut self, waiting: Waiting) -> Option<u32> {
        let same = self
            .waiting
            .values()
            .filter(|w| w.session == waiting.session);
        if self.waiting.len() >= MAX_OPEN || same.count() >= MAX_OF_SESSION {
            return None;
        }
        self.last = self.last.wrapping_add(1);
        self.waiting.insert(self.last, waiting);
        Some(self.last)
    }
}

impl Engine {
    /// RESOLVE of an admitted session.
    pub(crate) fn ask(
        &mut self,
        session: SessionId,
        answer_to: Option<OwnedFd>,
        request: u32,
        frame: &[u8],
    ) -> Result<Option<Answer>, Failure> {
        let waiting = Waiting {
            session,
            request,
            answer_to: answer_to.ok_or(Failure(EINVAL))?,
        };
        self.counters.questions += 1;
        match self.questions.insert(waiting) {
            Some(question) => (self.events)(Event::Question(AskedQuestion {
                question,
                session,
                frame: frame.to_vec(),
            })),
            // The socket closes; the channel says why.
            None => return Err(Failure(EAGAIN)),
        }
        Ok(None)
    }

    /// Sends an answer in parts, or an errno where there is none.
    pub(crate) fn answer_question(&mut self, question: u32, errno: u32, bytes: &[u8]) {
        let Some(waiting) = self.questions.waiting.remove(&question) else {
            return;
        };
        if errno != 0 || bytes.len() > MAX_ANSWER {
            let errno = if errno == 0 { EINVAL } else { errno };
            waiting.send(errno, &Reply::Failed(errno));
            return;
        }
        let mut parts = bytes.chunks(MAX_PART).peekable();
        while let Some(bytes) = parts.next() {
            let more = parts.peek().is_some();
            if !waiting.send(0, &Reply::Part { more, bytes }) {
                return;
            }
        }
    }
}

impl Waiting {
    /// Whether it went out: a program that does not wait any more has closed its end.
    fn send(&self, errno: u32, reply: &Reply<'_>) -> bool {
        let mut buf = [0; MAX_FRAME];
        let encoded = reply.encode(Op::Resolve, self.request, errno, &mut buf);
        let frame = encoded.ok().and_then(|n| buf.get(..n));
        frame.is_some_and(|f| unix::send_record(self.answer_to.as_fd(), f, None).is_ok())
    }
}
