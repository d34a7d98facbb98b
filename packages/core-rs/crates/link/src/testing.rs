//! A link for tests: what is sent is kept, what is received was put in.

use std::collections::VecDeque;
use std::io;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use crate::{Link, RxOffload, TxOffload};

#[path = "../../sys/test-support/namespace.rs"]
mod namespace;

pub(crate) use namespace::in_namespace;

#[derive(Debug, Default, Clone)]
pub(crate) struct ScriptedLink {
    pub(crate) incoming: Arc<Mutex<VecDeque<Vec<u8>>>>,
    pub(crate) sent: Arc<Mutex<Vec<Vec<u8>>>>,
    pub(crate) errno: Option<i32>,
}

impl ScriptedLink {
    pub(crate) fn receives(&self, frame: &[u8]) {
        self.incoming
            .lock()
            .expect("not poisoned")
            .push_back(frame.to_vec());
    }

    pub(crate) fn take_sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.sent.lock().expect("not poisoned"))
    }
}

impl Link for ScriptedLink {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<Option<(RxOffload, usize)>> {
        let Some(frame) = self.incoming.lock().expect("not poisoned").pop_front() else {
            return self
                .errno
                .map_or(Ok(None), |e| Err(io::Error::from_raw_os_error(e)));
        };
        buf[..frame.len()].copy_from_slice(&frame);
        Ok(Some((RxOffload::default(), frame.len())))
    }

    fn send(&mut self, _: &TxOffload, frame: &[u8]) -> io::Result<()> {
        if let Some(errno) = self.errno {
            return Err(io::Error::from_raw_os_error(errno));
        }
        self.sent.lock().expect("not poisoned").push(frame.to_vec());
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
