//! A bad network, on purpose: loss, delay, jitter, reordering and duplication, the same each time.
//!
//! [`FaultModel`] decides and [`DelayQueue`] holds back, both without I/O; [`FaultLink`] puts a pair of
//! each, one per direction, around a link. A TCP super-frame of an offloading link counts as one frame: it is
//! lost or held as a whole. Who wants single segments to be lost switches offload off.

mod model;
mod queue;

use std::io;
use std::os::fd::BorrowedFd;

pub use model::{Fate, FaultModel, Faults};
pub use queue::DelayQueue;

use crate::{FRAME_BUFFER, Link, RxOffload, TxOffload};

/// Frames taken from the inner link in one `recv`, so that total loss does not keep the loop.
const RECV_LIMIT: usize = 64;

/// A link with faults, in each direction its own.
#[derive(Debug)]
pub struct FaultLink<L> {
    inner: L,
    now: u64,
    inbound: Direction<RxOffload>,
    outbound: Direction<TxOffload>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Direction<T> {
    model: FaultModel,
    queue: DelayQueue<T>,
}

impl<L: Link> FaultLink<L> {
    /// Wraps `inner`. The two directions draw from generators of their own, both from `seed`.
    #[must_use]
    pub fn new(inner: L, seed: u64, inbound: Faults, outbound: Faults) -> Self {
        Self {
            inner,
            now: 0,
            inbound: Direction::new(seed, inbound),
            outbound: Direction::new(!seed, outbound),
            scratch: vec![0; FRAME_BUFFER],
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut result = Ok(());
        while let Some((offload, frame)) = self.outbound.queue.pop_due(self.now) {
            result = result.and(self.inner.send(&offload, &frame));
        }
        result
    }
}

impl<L: Link> Link for FaultLink<L> {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<Option<(RxOffload, usize)>> {
        for _ in 0..RECV_LIMIT {
            if let Some((offload, frame)) = self.inbound.queue.pop_due(self.now) {
                let Some(room) = buf.get_mut(..frame.len()) else {
                    continue;
                };
                room.copy_from_slice(&frame);
                return Ok(Some((offload, frame.len())));
            }
            let Some((offload, len)) = self.inner.recv(&mut self.scratch)? else {
                return Ok(None);
            };
            if let Some(frame) = self.scratch.get(..len) {
                self.inbound.accept(self.now, offload, frame);
            }
        }
        Ok(None)
    }

    fn send(&mut self, offload: &TxOffload, frame: &[u8]) -> io::Result<()> {
        self.outbound.accept(self.now, *offload, frame);
        self.flush()
    }

    fn poll_timeout(&self) -> Option<u64> {
        [
            self.inbound.queue.next_due(),
            self.outbound.queue.next_due(),
            self.inner.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn handle_timeout(&mut self, now_micros: u64) {
        self.now = now_micros;
        self.inner.handle_timeout(now_micros);
        // A frame that the device refuses is a lost frame: this link is for losing them.
        let _ = self.flush();
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }

    fn take_warning(&mut self) -> Option<String> {
        self.inner.take_warning()
    }
}

impl<T: Copy> Direction<T> {
    fn new(seed: u64, faults: Faults) -> Self {
        Self {
            model: FaultModel::new(seed, faults),
            queue: DelayQueue::new(),
        }
    }

    fn accept(&mut self, now: u64, offload: T, frame: &[u8]) {
        let fate = self.model.judge();
        for delay in [fate.first, fate.second].into_iter().flatten() {
            self.queue.push(now.saturating_add(delay), offload, frame);
        }
    }
}

#[cfg(test)]
mod tests;
