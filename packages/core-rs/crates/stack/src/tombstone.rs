//! TIME-WAIT without its buffers: what is left of a connection that closed first (RFC 9293 3.6.1).
//!
//! A tombstone holds the four-tuple for 60 seconds (Linux's `TCP_TIMEWAIT_LEN`), acknowledges a
//! FIN that is sent again, and lets a new connection in whose SYN is ahead of the old one. There is
//! no timer: expired ones are taken away whenever the stack runs, and the oldest is recycled when
//! the yard is full, as lwIP does.

use std::collections::VecDeque;

use slab::Slab;
use smoltcp::time::{Duration, Instant};

use crate::PcbId;
use crate::flow::{Flow, FlowKey, FlowTable};
use crate::packet::build::{HOP_LIMIT, PLAIN_ACK, Segment};
use crate::packet::options::{self, Options};
use crate::packet::{ACK, RST, SYN, TcpView};
use crate::ports::Claim;
use crate::seq::Seq;
use crate::stamps::Stamps;

/// Linux's `TCP_TIMEWAIT_LEN`.
pub(crate) const TIME_WAIT: Duration = Duration::from_secs(60);

/// The rest of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tombstone {
    pub(crate) key: FlowKey,
    /// Its number in listings: the id of the block it came from.
    pub(crate) id: PcbId,
    pub(crate) snd_nxt: Seq,
    pub(crate) rcv_nxt: Seq,
    pub(crate) window: u16,
    pub(crate) stamps: Stamps,
    /// What it holds, for bind conflicts.
    pub(crate) claim: Claim,
    pub(crate) expires: Instant,
}

/// What a segment for a tombstone asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Ignore,
    /// The last ACK again.
    Acknowledge,
    /// A new connection: the tombstone gives way.
    GiveWay,
}

impl Tombstone {
    /// The last acknowledgement.
    pub(crate) fn ack(&self, now: Instant) -> Segment {
        Segment {
            flow: self.key,
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
            flags: PLAIN_ACK,
            window: self.window,
            hop_limit: HOP_LIMIT,
            options: Options::new(self.stamps.stamp(now)),
        }
    }

    /// RFC 9293 3.10.7.4 in TIME-WAIT. A RST is ignored: it would assassinate the wait
    /// (RFC 1337; lwIP does the same, Linux obeys it). A segment that takes no sequence space is
    /// not answered, so that two tombstones can't keep each other talking.
    pub(crate) fn judge(&self, tcp: &TcpView, segment: &[u8], now: Instant) -> Verdict {
        if tcp.has(RST) || tcp.len() == 0 {
            return Verdict::Ignore;
        }
        // RFC 1122 4.2.2.13: a new SYN whose number is larger may reopen the connection; RFC 6191 2: and one whose
        // timestamp is, but none whose timestamp is smaller.
        let theirs = options::stamp(segment);
        let old = theirs.is_some_and(|theirs| self.stamps.is_old(theirs, now));
        let later = theirs.is_some_and(|theirs| self.stamps.is_later(theirs));
        if tcp.is_opening() && !old && (later || tcp.seq.after(self.rcv_nxt)) {
            return Verdict::GiveWay;
        }
        if tcp.flags & (SYN | ACK) == 0 {
            return Verdict::Ignore;
        }
        Verdict::Acknowledge
    }
}

/// All tombstones, oldest first to go.
#[derive(Debug)]
pub(crate) struct Yard {
    stones: Slab<Tombstone>,
    /// One entry for each tombstone, in the order they came.
    order: VecDeque<Entry>,
    limit: usize,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    slot: u32,
    /// Tells a re-used slot.
    id: PcbId,
    look: Instant,
}

impl Yard {
    pub(crate) fn new(limit: usize) -> Yard {
        Yard {
            stones: Slab::new(),
            order: VecDeque::new(),
            limit: limit.max(1),
        }
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&Tombstone> {
        self.stones.get(slot as usize)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tombstone> {
        self.stones.iter().map(|(_, stone)| stone)
    }

    /// Puts one in and into the flow table; gives back one that had to make room.
    pub(crate) fn bury(&mut self, stone: Tombstone, flows: &mut FlowTable) -> Option<Tombstone> {
        let evicted = if self.stones.len() >= self.limit {
            self.take_oldest(flows)
        } else {
            None
        };
        let slot = u32::try_from(self.stones.insert(stone)).unwrap_or(u32::MAX);
        self.order.push_back(Entry {
            slot,
            id: stone.id,
            look: stone.expires,
        });
        flows.insert(stone.key, Flow::Tombstone(slot));
        evicted
    }

    /// Takes one away, and out of the flow table. Its entry goes when its turn comes.
    pub(crate) fn remove(&mut self, slot: u32, flows: &mut FlowTable) -> Option<Tombstone> {
        let stone = self.stones.try_remove(slot as usize)?;
        if flows.get(&stone.key) == Some(&Flow::Tombstone(slot)) {
            flows.remove(&stone.key);
        }
        Some(stone)
    }

    /// Takes away one whose time is over.
    pub(crate) fn take_expired(
        &mut self,
        now: Instant,
        flows: &mut FlowTable,
    ) -> Option<Tombstone> {
        while let Some(entry) = self
            .order
            .front()
            .copied()
            .filter(|entry| entry.look <= now)
        {
            self.order.pop_front();
            let stone = self
                .stones
                .get(entry.slot as usize)
                .filter(|s| s.id == entry.id);
            match stone.map(|stone| stone.expires) {
                Some(later) if later > now => self.order.push_back(Entry {
                    look: later,
                    ..entry
                }),
                Some(_) => return self.remove(entry.slot, flows),
                None => {}
            }
        }
        None
    }

    /// Begins the wait anew (RFC 9293 3.10.7.4: a FIN restarts the 2 MSL).
    pub(crate) fn restart(&mut self, slot: u32, now: Instant) {
        if let Some(stone) = self.stones.get_mut(slot as usize) {
            stone.expires = now + TIME_WAIT;
        }
    }

    fn take_oldest(&mut self, flows: &mut FlowTable) -> Option<Tombstone> {
        while let Some(entry) = self.order.pop_front() {
            if self
                .stones
                .get(entry.slot as usize)
                .is_some_and(|stone| stone.id == entry.id)
            {
                return self.remove(entry.slot, flows);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
