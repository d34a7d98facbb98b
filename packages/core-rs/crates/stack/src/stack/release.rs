//! How connections end: by failure, by reset, into TIME-WAIT, as orphans.

use smoltcp::socket::tcp;

use super::Stack;
use super::segments::MAX_WAITING_SYNS;
use crate::flow::Flow;
use crate::outbox::Way;
use crate::packet::build::{HOP_LIMIT, PLAIN_ACK, RESET, Segment};
use crate::packet::options::Options;
use crate::pcb::{Kind, Stage};
use crate::tombstone::{TIME_WAIT, Tombstone};
use crate::{Cause, Event, PcbId};

/// Orphans looked at to find one to recycle.
const RECYCLE_SEARCH: usize = 64;

impl Stack {
    /// The connection, or the attempt, has failed: tells the owner; an orphan just goes.
    pub(super) fn fail(&mut self, id: PcbId, cause: Cause) {
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        match conn.stage {
            Stage::Embryo => {
                self.counters.embryos_dead += 1;
                self.release(id);
            }
            _ if conn.orphan => self.release(id),
            Stage::Connecting => {
                self.forget_conn(id);
                if let Some(pcb) = self.pcbs.get_mut(id) {
                    pcb.failed = Some(cause);
                }
                self.events.push_back(Event::Failed { pcb: id, cause });
            }
            Stage::Open => {
                conn.failed = Some(cause);
                // What was received stays readable; nothing is sent any more.
                conn.tcb.act(|socket| socket.abort());
                self.detach(id);
                self.events.push_back(Event::Failed { pcb: id, cause });
            }
            Stage::Detached => {}
        }
    }

    /// Sends a reset if the peer may believe in the connection.
    pub(super) fn reset_peer(&mut self, id: PcbId) {
        let Some(conn) = self.pcbs.conn(id) else {
            return;
        };
        // Nobody answered our SYN yet: nobody to tell (RFC 9293 3.10.5).
        let synchronized = match conn.stage {
            Stage::Embryo | Stage::Open => true,
            Stage::Connecting => conn.tcb.state() != tcp::State::SynSent,
            Stage::Detached => false,
        };
        if synchronized {
            self.send_segment(id, RESET);
            self.counters.rst_sent += 1;
        }
    }

    /// Queues a segment without payload from the connection's present numbers.
    pub(super) fn send_segment(&mut self, id: PcbId, flags: u8) {
        let Some(conn) = self.pcbs.conn(id) else {
            return;
        };
        let segment = Segment {
            flow: conn.key,
            seq: conn.snd_nxt,
            ack: conn.rcv_nxt(),
            flags,
            window: conn.window(),
            hop_limit: HOP_LIMIT,
            options: Options::new(conn.stamps.stamp(self.now)),
        };
        self.post(&segment);
    }

    /// Queues a segment.
    pub(super) fn post(&mut self, segment: &Segment) {
        if !self.outbox.push(Way::Route, |out| segment.write(out)) {
            self.counters.queue_drops += 1;
        }
    }

    /// The owner has closed it: it goes on alone.
    pub(super) fn orphan(&mut self, id: PcbId) {
        self.leave_backlog(id);
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        conn.orphan = true;
        conn.tcb.act(|socket| socket.close());
        conn.sender.finish();
        self.unbind(id);
        self.orphans.push_back(id);
        if self.orphans.len() > 2 * self.max_connections {
            let pcbs = &self.pcbs;
            self.orphans.retain(|id| pcbs.conn(*id).is_some());
        }
        self.mark_dirty(id);
        self.settle(id);
    }

    /// Both sides are closed and ours was first: a tombstone takes over the four-tuple.
    ///
    /// Deviation: a connection between two programs of this stack leaves none. TIME-WAIT guards
    /// against old duplicates (RFC 9293 3.6.1), and inside the stack there is nothing to delay them.
    pub(super) fn enter_time_wait(&mut self, id: PcbId) {
        let Some(pcb) = self.pcbs.get(id) else { return };
        let Some(conn) = pcb.conn() else { return };
        let (addr, port) = conn.key.local();
        let claim = pcb.flow_claim(addr);
        if conn.looped {
            self.send_segment(id, PLAIN_ACK);
            return self.finish(id);
        }
        let stone = Tombstone {
            key: conn.key,
            id,
            snd_nxt: conn.snd_nxt,
            rcv_nxt: conn.rcv_nxt(),
            window: conn.window(),
            stamps: conn.stamps,
            claim,
            expires: self.now + TIME_WAIT,
        };
        // smoltcp would send the last ACK on its next turn, which it will not get.
        self.send_segment(id, PLAIN_ACK);
        self.ports.flow_begins(port, claim);
        self.detach(id);
        if let Some(evicted) = self.yard.bury(stone, &mut self.flows) {
            self.counters.tombstones_recycled += 1;
            self.tombstone_gone(&evicted);
        }
        self.finish_orphan(id);
    }

    /// The last ACK has come, or the other side of the same: nothing more to do.
    pub(super) fn finish(&mut self, id: PcbId) {
        self.detach(id);
        self.finish_orphan(id);
    }

    pub(super) fn tombstone_gone(&mut self, stone: &Tombstone) {
        self.ports.flow_ends(stone.key.local().1, stone.claim);
    }

    /// Takes the connection out of everything that feeds it.
    pub(super) fn detach(&mut self, id: PcbId) {
        if self.let_go(id) {
            return;
        }
        self.leave_backlog(id);
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        let Some(conn) = pcb.conn_mut().filter(|conn| conn.stage != Stage::Detached) else {
            return;
        };
        conn.stage = Stage::Detached;
        conn.alarm.deadline = None;
        let key = conn.key;
        if self.flows.get(&key) == Some(&Flow::Pcb(id)) {
            self.flows.remove(&key);
        }
        let (addr, port) = key.local();
        self.ports.flow_ends(port, pcb.flow_claim(addr));
    }

    /// Removes the block. Its owner is told, if anybody knew of it.
    pub(super) fn release(&mut self, id: PcbId) {
        let known = self
            .pcbs
            .get(id)
            .is_some_and(|pcb| pcb.conn().is_none_or(|conn| conn.announced));
        self.detach(id);
        self.unbind(id);
        let Some(pcb) = self.pcbs.remove(id) else {
            return;
        };
        if let Kind::Conn(conn) = pcb.kind {
            self.connections -= 1;
            self.give_rings(*conn);
        }
        if known {
            self.events.push_back(Event::Closed { pcb: id });
        }
    }

    /// Turns a block whose connect failed into one that may connect again.
    pub(super) fn forget_conn(&mut self, id: PcbId) {
        self.detach(id);
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        if let Kind::Conn(conn) = std::mem::replace(&mut pcb.kind, Kind::Idle) {
            let bound = pcb.bound;
            self.connections -= 1;
            self.give_rings(*conn);
            // As before the connect: a wildcard is one again.
            if let Some(bound) = bound {
                self.ports.set_claim(bound.port, id, bound.claim);
            }
        }
    }

    /// The listener goes, and its answered handshakes with it.
    pub(super) fn close_listener(&mut self, id: PcbId) {
        let of_listener =
            |conn: &crate::pcb::Conn| conn.stage == Stage::Embryo && conn.listener == Some(id);
        // One walk over the table, for an event as rare as the end of a server.
        let embryos: Vec<PcbId> = self
            .pcbs
            .iter()
            .filter(|(_, pcb)| pcb.conn().is_some_and(of_listener))
            .map(|(embryo, _)| embryo)
            .collect();
        for embryo in embryos {
            match self.held.iter().position(|(held, _)| *held == embryo) {
                // Not answered yet: another listener of the port takes it, or nobody and it is refused.
                Some(at) if self.waiting_syns.len() < MAX_WAITING_SYNS => {
                    let (_, syn) = self.held.swap_remove(at);
                    self.release(embryo);
                    self.waiting_syns.push(syn);
                }
                Some(_) | None => self.abort(embryo),
            }
        }
        self.release(id);
    }

    /// Makes room when the table is full: the oldest orphan whose data has all been received by
    /// both sides, as lwIP recycles LAST-ACK and CLOSING blocks. No reset: both sent their FINs.
    pub(super) fn recycle(&mut self) -> bool {
        for _ in 0..RECYCLE_SEARCH {
            let Some(id) = self.orphans.pop_front() else {
                return false;
            };
            match self.pcbs.conn(id).map(|conn| conn.tcb.state()) {
                None => {}
                Some(tcp::State::LastAck | tcp::State::Closing) => {
                    self.release(id);
                    return true;
                }
                Some(_) => self.orphans.push_back(id),
            }
        }
        false
    }

    fn finish_orphan(&mut self, id: PcbId) {
        if self.pcbs.conn(id).is_some_and(|conn| conn.orphan) {
            self.release(id);
        }
    }

    fn unbind(&mut self, id: PcbId) {
        if let Some(bound) = self.pcbs.get_mut(id).and_then(|pcb| pcb.bound.take()) {
            self.ports.unbind(bound.port, id);
        }
    }

    /// Gives back the place the connection takes in its listener's backlog.
    fn leave_backlog(&mut self, id: PcbId) {
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return;
        };
        let embryo = conn.stage == Stage::Embryo;
        let Some(listener) = conn.listener.take() else {
            return;
        };
        if let Some(listener) = self.pcbs.listener_mut(listener) {
            let count = if embryo {
                &mut listener.embryos
            } else {
                &mut listener.unaccepted
            };
            *count = count.saturating_sub(1);
        }
    }
}
