//! Deadlines of connections: a heap with lazy deletion.
//!
//! A connection has at most a few entries: one is pushed only when its deadline moves before the
//! earliest it has ([`Alarm::armed`]); a deadline that moves later is found when the entry is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use smoltcp::time::Instant;

use crate::PcbId;

/// A connection's part of the heap.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alarm {
    /// When the connection wants to run.
    pub(crate) deadline: Option<Instant>,
    /// The earliest entry of it in the heap.
    armed: Option<Instant>,
}

/// What an entry that is due turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The connection has to run.
    Run,
    /// Nothing to do: disarmed, moved, or superseded.
    Stale,
}

/// The heap.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(Instant, PcbId)>>,
}

impl Timers {
    /// Sets a connection's deadline.
    pub(crate) fn set(&mut self, id: PcbId, alarm: &mut Alarm, deadline: Option<Instant>) {
        alarm.deadline = deadline;
        if let Some(at) = deadline
            && alarm.armed.is_none_or(|armed| at < armed)
        {
            alarm.armed = Some(at);
            self.heap.push(Reverse((at, id)));
        }
    }

    /// The earliest entry, whether stale or not.
    pub(crate) fn first(&self) -> Option<(Instant, PcbId)> {
        self.heap.peek().map(|Reverse(entry)| *entry)
    }

    /// Takes the earliest entry away.
    pub(crate) fn pop(&mut self) {
        self.heap.pop();
    }

    /// Says what the entry `at`, popped just now, means to its connection, and re-arms it when its
    /// deadline is later.
    pub(crate) fn judge(&mut self, id: PcbId, alarm: &mut Alarm, at: Instant) -> Due {
        if alarm.armed != Some(at) {
            return Due::Stale;
        }
        alarm.armed = None;
        match alarm.deadline {
            Some(deadline) if deadline <= at => {
                alarm.deadline = None;
                Due::Run
            }
            later => {
                self.set(id, alarm, later);
                Due::Stale
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests;
