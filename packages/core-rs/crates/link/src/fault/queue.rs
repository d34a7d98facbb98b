//! Frames that are on their way: owned copies, ordered by arrival.

use std::collections::BTreeMap;

/// Frames held at once. More are lost, as in any router's queue (netem's default is 1000).
const CAPACITY: usize = 4_096;
/// Bytes held at once: a super-frame has 64 KiB.
const CAPACITY_BYTES: usize = 64 << 20;

/// When a frame is due, and its place among those due at the same moment.
type Key = (u64, u64);

/// A bounded queue of frames, each with the moment it is due; equal moments keep their order.
#[derive(Debug)]
pub struct DelayQueue<T> {
    frames: BTreeMap<Key, (T, Box<[u8]>)>,
    bytes: usize,
    sequence: u64,
}

impl<T> DelayQueue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self {
            frames: BTreeMap::new(),
            bytes: 0,
            sequence: 0,
        }
    }

    /// Holds a copy of `frame` until `due`. False: the queue is full and the frame lost.
    pub fn push(&mut self, due: u64, meta: T, frame: &[u8]) -> bool {
        if self.frames.len() >= CAPACITY || self.bytes + frame.len() > CAPACITY_BYTES {
            return false;
        }
        self.sequence += 1;
        self.bytes += frame.len();
        self.frames
            .insert((due, self.sequence), (meta, frame.into()));
        true
    }

    /// The next frame that is due at `now` or was before.
    pub fn pop_due(&mut self, now: u64) -> Option<(T, Box<[u8]>)> {
        let first = self.frames.first_entry()?;
        if first.key().0 > now {
            return None;
        }
        let (meta, frame) = first.remove();
        self.bytes -= frame.len();
        Some((meta, frame))
    }

    /// When the next frame is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.frames.first_key_value().map(|(key, _)| key.0)
    }
}

impl<T> Default for DelayQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
