//! Packets the stack owes the world and that belong to no connection's turn: replies, resets, ARP.
//! One buffer holds them all; it is empty whenever everything was sent, so nothing is allocated in
//! the steady state.

use std::collections::VecDeque;

use crate::neighbour::Mac;

/// Most packets and bytes that wait; more are dropped, as a full queue does.
const PACKETS: usize = 4096;
const BYTES: usize = 1 << 20;

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// An IP packet: by its destination.
    Route,
    /// To that station, as that type of frame.
    Station(Mac, u16),
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    packets: VecDeque<(Way, usize, usize)>,
}

impl Outbox {
    /// Lets `write` append a packet; false when there was no room.
    pub(crate) fn push(&mut self, way: Way, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.packets.len() >= PACKETS || self.bytes.len() >= BYTES {
            return false;
        }
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.packets.push_back((way, start, self.bytes.len()));
        true
    }

    /// Moves the oldest packet behind `out`'s end.
    pub(crate) fn pop(&mut self, out: &mut Vec<u8>) -> Option<Way> {
        let (way, start, end) = self.packets.pop_front()?;
        out.extend_from_slice(&self.bytes[start..end]);
        if self.packets.is_empty() {
            self.bytes.clear();
        }
        Some(way)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }
}
