//! What was sent and where each octet of it is: under way, selectively acknowledged, or lost.
//!
//! A record covers what left in one go, up to a super-frame. It is cut where an acknowledgement ends in it, at
//! boundaries of segments only, so that a peer cannot make it crumble. Neighbours that are
//! selectively acknowledged merge: the number of records grows with the number of holes.

use std::collections::VecDeque;

use crate::rate::Stamp;
use crate::time::Time;

/// Where octets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Sent and not heard of.
    Flying,
    /// Selectively acknowledged (RFC 2018).
    Sacked,
    /// Believed lost, to be sent again.
    Lost,
}

/// Octets that left together. A FIN takes one position behind the data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) place: Place,
    /// Sent more than once.
    pub(crate) again: bool,
    /// When it left last.
    pub(crate) sent: Time,
    pub(crate) stamp: Stamp,
    /// Where it was cut into segments: `base` plus whole multiples of `mss`.
    pub(crate) base: u64,
    pub(crate) mss: u32,
}

impl Record {
    pub(crate) fn len(&self) -> u64 {
        self.end - self.start
    }

    /// The boundary of a segment at or before `at`.
    fn floor(&self, at: u64) -> u64 {
        let mss = u64::from(self.mss.max(1));
        self.base + at.saturating_sub(self.base) / mss * mss
    }

    /// The boundary of a segment at or after `at`.
    fn ceil(&self, at: u64) -> u64 {
        let mss = u64::from(self.mss.max(1));
        self.base + at.saturating_sub(self.base).div_ceil(mss) * mss
    }
}

/// All records between what is acknowledged and what was sent last.
#[derive(Debug, Default)]
pub(crate) struct Scoreboard {
    records: VecDeque<Record>,
    /// Everything before it is acknowledged (SND.UNA).
    una: u64,
    /// Everything before it was sent (SND.NXT).
    nxt: u64,
    flying: u64,
    lost: u64,
    sacked: u64,
    /// Behind the highest octet selectively acknowledged.
    highest: u64,
    /// No record that begins before it is lost.
    lost_hint: u64,
}

impl Scoreboard {
    pub(crate) fn una(&self) -> u64 {
        self.una
    }

    pub(crate) fn nxt(&self) -> u64 {
        self.nxt
    }

    pub(crate) fn flying(&self) -> u64 {
        self.flying
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    pub(crate) fn sacked(&self) -> u64 {
        self.sacked
    }

    /// Behind the highest octet that the peer has said it has.
    pub(crate) fn highest(&self) -> u64 {
        self.highest.max(self.una)
    }

    #[cfg(test)]
    pub(crate) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.iter()
    }

    pub(crate) fn first(&self) -> Option<&Record> {
        self.records.front()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// New octets leave.
    pub(crate) fn push(&mut self, record: Record) {
        debug_assert_eq!(record.start, self.nxt);
        self.nxt = record.end;
        self.flying += record.len();
        self.records.push_back(record);
    }

    /// Everything before `to` is acknowledged; `delivered` sees what was not known to have arrived.
    pub(crate) fn acknowledge(&mut self, to: u64, delivered: &mut impl FnMut(&Record)) {
        while let Some(first) = self.records.front_mut() {
            if first.start >= to {
                break;
            }
            let mut piece = *first;
            piece.end = piece.end.min(to);
            if first.end <= to {
                self.records.pop_front();
            } else {
                first.start = to;
            }
            self.leave(&piece);
            if piece.place != Place::Sacked {
                delivered(&piece);
            }
        }
        self.una = self.una.max(to);
    }

    /// `start..end` is selectively acknowledged. What covers a segment only in part counts for nothing.
    pub(crate) fn sack(&mut self, start: u64, end: u64, delivered: &mut impl FnMut(&Record)) {
        let mut at = self.records.partition_point(|record| record.end <= start);
        while let Some(record) = self.records.get(at).copied() {
            if record.start >= end {
                break;
            }
            if record.place == Place::Sacked {
                at += 1;
                continue;
            }
            let from = if start <= record.start {
                record.start
            } else {
                record.ceil(start)
            };
            let to = if end >= record.end {
                record.end
            } else {
                record.floor(end)
            };
            if from >= to {
                at += 1;
                continue;
            }
            if from > record.start {
                self.split(at, from);
                at += 1;
            }
            if to < record.end {
                self.split(at, to);
            }
            let piece = self.records[at];
            self.leave(&piece);
            self.sacked += piece.len();
            delivered(&piece);
            self.records[at].place = Place::Sacked;
            self.highest = self.highest.max(piece.end);
            at = self.merge(at) + 1;
        }
    }

    /// Marks as lost what is under way and `judge` says so of. `judge` sees records in order and stops
    /// the walk by `None`. Gives how many octets.
    pub(crate) fn lose(&mut self, mut judge: impl FnMut(&Record) -> Option<bool>) -> u64 {
        let mut count = 0;
        for record in &mut self.records {
            if record.place == Place::Sacked || record.place == Place::Lost {
                continue;
            }
            match judge(record) {
                None => break,
                Some(false) => {}
                Some(true) => {
                    if count == 0 {
                        self.lost_hint = self.lost_hint.min(record.start);
                    }
                    record.place = Place::Lost;
                    count += record.len();
                }
            }
        }
        self.flying -= count;
        self.lost += count;
        count
    }

    /// The first segment is lost (no SACK: RFC 6582). Gives how many octets.
    pub(crate) fn lose_first(&mut self, mss: u64) -> u64 {
        let Some(first) = self.records.front().copied() else {
            return 0;
        };
        if first.place != Place::Flying {
            return 0;
        }
        if first.len() > mss {
            self.split(0, first.start + mss);
        }
        let end = self.records[0].end;
        self.lose(|record| (record.end <= end).then_some(true))
    }

    /// The peer has taken back what it had said it has (RFC 2018 8): all of that is lost.
    pub(crate) fn renege(&mut self) {
        for record in &mut self.records {
            if record.place == Place::Sacked {
                record.place = Place::Lost;
                self.lost += record.len();
            }
        }
        self.sacked = 0;
        self.highest = self.una;
        self.lost_hint = self.una;
    }

    /// Whether something that left again is under way.
    pub(crate) fn any_resent(&self) -> bool {
        self.records
            .iter()
            .any(|record| record.again && record.place == Place::Flying)
    }

    /// What a timeout took for lost, and was not sent again, is under way after all.
    pub(crate) fn unlose(&mut self) {
        for record in &mut self.records {
            if record.place == Place::Lost && !record.again {
                record.place = Place::Flying;
                self.lost -= record.len();
                self.flying += record.len();
            }
        }
    }

    /// The first octets that are lost, at most `limit` of them, leave again: `change` sees their record.
    pub(crate) fn resend(
        &mut self,
        limit: u64,
        change: impl FnOnce(&mut Record),
    ) -> Option<Record> {
        let at = self.first_lost()?;
        let record = self.records[at];
        if record.len() > limit {
            self.split(at, record.start + limit);
        }
        Some(self.leave_again(at, change))
    }

    /// The last octets under way, about `limit` of them, leave again: a probe of the tail.
    pub(crate) fn resend_tail(
        &mut self,
        limit: u64,
        change: impl FnOnce(&mut Record),
    ) -> Option<Record> {
        let mut at = self
            .records
            .iter()
            .rposition(|record| record.place == Place::Flying)?;
        let record = self.records[at];
        if record.len() > limit {
            self.split(at, record.end - limit);
            at += 1;
        } else if at > 0 && record.len() < limit {
            // A FIN alone tells the peer less than the data before it does.
            let before = self.records[at - 1];
            let room = limit - record.len();
            if before.place == Place::Flying && before.end == record.start {
                if before.len() > room {
                    self.split(at - 1, before.end - room);
                    at += 1;
                }
                self.records[at - 1].end = record.end;
                self.records.remove(at);
                at -= 1;
            }
        }
        Some(self.leave_again(at, change))
    }

    /// The place and length of the first record that is lost.
    pub(crate) fn next_lost(&mut self) -> Option<Record> {
        let at = self.first_lost()?;
        Some(self.records[at])
    }

    fn first_lost(&mut self) -> Option<usize> {
        if self.lost == 0 {
            return None;
        }
        let hint = self.lost_hint.max(self.una);
        let from = self.records.partition_point(|record| record.end <= hint);
        let at = self
            .records
            .range(from..)
            .position(|record| record.place == Place::Lost)?
            + from;
        self.lost_hint = self.records[at].start;
        Some(at)
    }

    fn leave_again(&mut self, at: usize, change: impl FnOnce(&mut Record)) -> Record {
        let was = self.records[at];
        if was.place == Place::Lost {
            self.lost -= was.len();
            self.flying += was.len();
        }
        let record = &mut self.records[at];
        record.place = Place::Flying;
        record.again = true;
        change(record);
        record.base = record.start;
        *record
    }

    /// Counts octets out of where they were.
    fn leave(&mut self, piece: &Record) {
        let count = match piece.place {
            Place::Flying => &mut self.flying,
            Place::Sacked => &mut self.sacked,
            Place::Lost => &mut self.lost,
        };
        *count -= piece.len();
    }

    fn split(&mut self, at: usize, position: u64) {
        let mut second = self.records[at];
        second.start = position;
        self.records[at].end = position;
        self.records.insert(at + 1, second);
    }

    /// Joins a record with neighbours that are selectively acknowledged as well; gives where it is now.
    fn merge(&mut self, mut at: usize) -> usize {
        if at > 0 && self.records[at - 1].place == Place::Sacked {
            self.records[at - 1].end = self.records[at].end;
            self.records.remove(at);
            at -= 1;
        }
        if let Some(next) = self.records.get(at + 1).copied()
            && next.place == Place::Sacked
        {
            self.records[at].end = next.end;
            self.records.remove(at + 1);
        }
        at
    }
}

#[cfg(test)]
mod tests;
