//! Memory of rings: who has some, and when it goes back. A send ring is lent while something waits in it. A receive
//! ring belongs to smoltcp's socket for as long as that lives, and smoltcp goes round in it even when it is empty; its
//! pages are given back when the connection has been quiet. See docs/internals/engine.md, "Memory".

use std::collections::VecDeque;

use smoltcp::time::{Duration, Instant};

use super::Stack;
use crate::PcbId;
use crate::packet::TcpView;
use crate::pcb::{Conn, Receiving};
use crate::ring::Ring;
use crate::seq::Seq;

/// A ring is quiet when nothing has come for so long: longer than a round trip, so that a connection in use keeps
/// its pages.
const QUIET: Duration = Duration::from_millis(500);
/// What receive rings may hold without a look at whether they are quiet: few connections cost no wake-up.
const KEEP: usize = 512 << 10;
/// What they may hold altogether, and what one may hold beyond that although it is in use: a ring that is read and
/// filled again and again would have all its pages in the end.
const MUCH: usize = 256 << 20;
const LARGE: usize = 256 << 10;
/// Rings looked at in one turn; each may cost a system call of a microsecond.
const LOOKS: usize = 64;
/// For the accounts only.
const PAGE: usize = 4096;

/// Receive rings whose pages are in memory.
pub(super) struct Warm {
    /// Empty ones, those quiet for longest first; some have gone meanwhile.
    list: VecDeque<(Instant, PcbId)>,
    /// Bytes of all.
    bytes: usize,
    /// As [`MUCH`].
    pub(super) much: usize,
    /// When memory was last taken from where it comes from, or given there.
    used: Instant,
}

impl Warm {
    pub(super) fn new(now: Instant) -> Warm {
        Warm {
            list: VecDeque::new(),
            bytes: 0,
            much: MUCH,
            used: now,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    /// The account of a ring that was just taken.
    pub(super) fn start(&mut self, ring: &Ring, now: Instant) -> Receiving {
        let filled = ring.touched();
        self.bytes += pages(filled);
        Receiving {
            pages: ring.pages(),
            filled,
            listed: false,
            fed: now,
            end: Seq(0),
        }
    }

    /// Payload is about to lie in the ring.
    pub(super) fn fill(&mut self, id: PcbId, conn: &mut Conn, tcp: &TcpView, now: Instant) {
        let capacity = conn.tcb.get(|socket| socket.recv_capacity());
        let receiving = &mut conn.receiving;
        receiving.fed = now;
        if tcp.end().after(receiving.end) {
            receiving.end = tcp.end();
        }
        if receiving.pages.is_none() {
            return;
        }
        let before = pages(receiving.filled);
        let payload = usize::try_from(tcp.payload_len).unwrap_or(usize::MAX);
        receiving.filled = receiving.filled.saturating_add(payload).min(capacity);
        self.bytes += pages(receiving.filled) - before;
        self.list(id, conn);
    }

    /// The ring may be given back once it is quiet.
    pub(super) fn list(&mut self, id: PcbId, conn: &mut Conn) {
        let receiving = &mut conn.receiving;
        if receiving.filled > 0 && !receiving.listed {
            receiving.listed = true;
            self.list.push_back((receiving.fed, id));
        }
    }
}

impl Stack {
    /// Gives back what has been quiet.
    pub(super) fn rest(&mut self) {
        // Those of connections that have ended.
        if self.warm.list.len() > 2 * self.connections + LOOKS {
            let pcbs = &self.pcbs;
            self.warm.list.retain(|(_, id)| pcbs.conn(*id).is_some());
        }
        for _ in 0..LOOKS {
            let Some(id) = self.quiet() else { break };
            self.warm.list.pop_front();
            let Some(conn) = self.pcbs.conn_mut(id) else {
                continue;
            };
            conn.receiving.listed = false;
            let too_large = self.warm.bytes > self.warm.much && conn.receiving.filled >= LARGE;
            if conn.receiving.fed + QUIET > self.now && !too_large {
                self.warm.list(id, conn);
            } else if !conn.holds_received() {
                self.warm.bytes -= pages(std::mem::take(&mut conn.receiving.filled));
                if let Some(pages) = &conn.receiving.pages {
                    pages.give_back();
                }
            }
            // Else it is listed again when it has been read.
        }
        if self.rings.excess() && self.warm.used + QUIET <= self.now {
            self.rings.trim();
        }
    }

    /// The connection to look at, if it is time.
    fn quiet(&self) -> Option<PcbId> {
        let (since, id) = self.warm.list.front()?;
        let due = self.warm.bytes > KEEP && *since + QUIET <= self.now;
        (due || self.warm.bytes > self.warm.much).then_some(*id)
    }

    /// When there is memory to give back.
    pub(super) fn memory_deadline(&self) -> Option<Instant> {
        let rings = self.warm.list.front().filter(|_| self.warm.bytes > KEEP);
        let free = self.rings.excess().then_some(self.warm.used);
        let since = [rings.map(|(since, _)| *since), free];
        since.into_iter().flatten().min().map(|since| since + QUIET)
    }

    pub(super) fn take_ring(&mut self) -> Option<Ring> {
        self.warm.used = self.now;
        self.rings.take(self.ring)
    }

    fn give_ring(&mut self, ring: Ring, touched: usize) {
        self.warm.used = self.now;
        self.rings.give(ring, touched);
    }

    /// Lends the connection's sender memory. False when there is none.
    pub(super) fn lend_ring(&mut self, id: PcbId) -> bool {
        let Some(ring) = self.take_ring() else {
            self.counters.no_room += 1;
            return false;
        };
        let refused = match self.pcbs.conn_mut(id) {
            Some(conn) => conn.sender.lend(ring).err(),
            None => Some(ring),
        };
        let lent = refused.is_none();
        if let Some(ring) = refused {
            let touched = ring.touched();
            self.give_ring(ring, touched);
        }
        lent
    }

    /// Takes the sender's memory back when nothing waits in it.
    pub(super) fn reclaim_ring(&mut self, id: PcbId) {
        let conn = self.pcbs.conn_mut(id);
        if let Some((ring, written)) = conn.and_then(|conn| conn.sender.reclaim()) {
            let touched = written.max(ring.touched());
            self.give_ring(ring, touched);
        }
    }

    /// The end of a connection.
    pub(super) fn give_rings(&mut self, conn: Conn) {
        let filled = conn.receiving.filled;
        self.warm.bytes -= pages(filled);
        self.give_ring(conn.tcb.into_ring(), filled);
        if let Some((ring, written)) = conn.sender.into_memory() {
            let touched = written.max(ring.touched());
            self.give_ring(ring, touched);
        }
    }
}

fn pages(bytes: usize) -> usize {
    bytes.next_multiple_of(PAGE)
}
