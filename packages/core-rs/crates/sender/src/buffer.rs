//! The octets a program has written and the peer has not acknowledged: a ring in borrowed memory.
//!
//! Only as much of the memory is used as the connection needs: [`SendBuffer::set_limit`] says how much may
//! wait, and the ring wraps there and not at the end of its memory, so that a fast connection on a
//! short path stays in the processor's cache. An empty ring begins at its first octet again, and can do without
//! memory: [`SendBuffer::reclaim`] takes it away, [`SendBuffer::lend`] brings some.

use crate::number::length;

/// The ring wraps no earlier.
const LEAST: usize = 256 << 10;

/// A ring of octets; `S` is its memory. Positions count from the first octet ever written.
#[derive(Debug)]
pub(crate) struct SendBuffer<S> {
    /// None while nothing waits, or when none is lent yet.
    memory: Option<S>,
    /// Octets of it, or of what will be lent.
    all: usize,
    /// Octets of it that were written at least once since it was lent.
    touched: usize,
    /// Where the ring wraps.
    wrap: usize,
    /// Most octets that may wait.
    limit: usize,
    /// Index of the oldest octet.
    head: usize,
    len: usize,
    /// Position of the oldest octet.
    start: u64,
}

impl<S: AsRef<[u8]> + AsMut<[u8]>> SendBuffer<S> {
    /// A ring whose memory, of `all` octets, is still to be lent.
    pub(crate) fn new(all: usize) -> SendBuffer<S> {
        let wrap = all.min(LEAST);
        SendBuffer {
            memory: None,
            all,
            touched: 0,
            wrap,
            limit: wrap,
            head: 0,
            len: 0,
            start: 0,
        }
    }

    pub(crate) fn has_memory(&self) -> bool {
        self.memory.is_some()
    }

    /// Gives the ring memory. Of another size than was said it is refused.
    pub(crate) fn lend(&mut self, memory: S) -> Result<(), S> {
        if self.memory.is_some() || memory.as_ref().len() != self.all {
            return Err(memory);
        }
        self.touched = 0;
        self.memory = Some(memory);
        Ok(())
    }

    /// The memory of an empty ring again, and how much of it was written to.
    pub(crate) fn reclaim(&mut self) -> Option<(S, usize)> {
        if self.len > 0 {
            return None;
        }
        self.memory.take().map(|memory| (memory, self.touched))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Position behind the newest octet.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.len as u64
    }

    /// Most octets that may wait now.
    pub(crate) fn capacity(&self) -> usize {
        self.limit
    }

    pub(crate) fn free(&self) -> usize {
        self.limit.saturating_sub(self.len)
    }

    /// Lets that many octets wait, as far as the memory reaches. What waits already stays.
    pub(crate) fn set_limit(&mut self, limit: u64) {
        let all = self.all;
        self.limit = length(limit).clamp(LEAST.min(all), all);
        self.fit();
    }

    /// Moves the place where the ring wraps, when nothing lies across it.
    fn fit(&mut self) {
        let all = self.all;
        let wanted = self.limit.checked_next_power_of_two().unwrap_or(all);
        let wanted = wanted.clamp(LEAST.min(all), all);
        let grows = wanted > self.wrap && self.head + self.len <= self.wrap;
        if grows || self.len == 0 {
            self.wrap = wanted;
        }
        if self.len == 0 {
            self.head = 0;
        }
        // Until the ring could grow, it is the limit.
        self.limit = self.limit.min(self.wrap.max(self.len));
    }

    /// Lets `f` fill the contiguous free part; it gives how much it wrote, and so does this.
    pub(crate) fn write<R>(&mut self, f: impl FnOnce(&mut [u8]) -> (usize, R)) -> (usize, R) {
        let free = self.free();
        let tail = self.head + self.len;
        let (at, end) = if tail < self.wrap {
            (tail, self.wrap)
        } else {
            (tail - self.wrap, self.head)
        };
        let room = (end - at).min(free);
        let Some(memory) = &mut self.memory else {
            return (0, f(&mut []).1);
        };
        let (wrote, result) = f(&mut memory.as_mut()[at..at + room]);
        let wrote = wrote.min(room);
        self.touched = self.touched.max(at + wrote);
        self.len += wrote;
        (wrote, result)
    }

    /// The octets from a position on, in the up to two pieces the ring has.
    pub(crate) fn read(&self, position: u64, len: usize) -> (&[u8], &[u8]) {
        let offset = length(position.saturating_sub(self.start)).min(self.len);
        let len = len.min(self.len - offset);
        let memory = self.memory.as_ref().map_or(&[][..], AsRef::as_ref);
        if len == 0 {
            return (&[], &[]);
        }
        let at = self.head + offset;
        if at >= self.wrap {
            let at = at - self.wrap;
            return (&memory[at..at + len], &[]);
        }
        let first = len.min(self.wrap - at);
        (&memory[at..at + first], &memory[..len - first])
    }

    /// Lets everything before a position go.
    pub(crate) fn release(&mut self, position: u64) {
        let count = length(position.saturating_sub(self.start)).min(self.len);
        self.start += count as u64;
        self.len -= count;
        self.head += count;
        if self.head >= self.wrap {
            self.head -= self.wrap;
        }
        if self.len == 0 {
            self.head = 0;
        }
    }

    pub(crate) fn into_memory(self) -> Option<(S, usize)> {
        self.memory.map(|memory| (memory, self.touched))
    }
}

#[cfg(test)]
mod tests;
