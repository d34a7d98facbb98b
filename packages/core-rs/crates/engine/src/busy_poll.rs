//! Busy polling: before the engine sleeps it looks for a moment whether something comes.
//!
//! To wake a thread on an idle processor costs whoever wakes it, and the thread starts late: 20 and 25 us in a virtual
//! machine. A program that asks and waits, or a peer across the link, answers in less. sched_yield(2) in between
//! leaves the processor to whoever wants it. Done only for as long as it is rarely in vain, so that nothing is
//! burnt where events come further apart.

use std::io;

use netcon_sys::clock::monotonic_micros;
use netcon_sys::epoll::Epoll;

/// How often in a row it may be in vain until the engine sleeps at once.
const MOST_PATIENCE: u32 = 16;

/// How an engine waits.
#[derive(Debug)]
pub(crate) struct BusyPoll {
    /// The longest look; 0 for none.
    longest_micros: i64,
    patience: u32,
    /// Turns that found something without a sleep before.
    pub(crate) found: u64,
}

impl BusyPoll {
    pub(crate) const fn new(longest_micros: i64) -> BusyPoll {
        BusyPoll {
            longest_micros,
            patience: 0,
            found: 0,
        }
    }

    /// As [`Epoll::wait`].
    pub(crate) fn wait(
        &mut self,
        epoll: &mut Epoll,
        timeout_micros: Option<i64>,
    ) -> io::Result<usize> {
        if self.longest_micros == 0 || timeout_micros == Some(0) {
            return epoll.wait(timeout_micros);
        }
        let start = monotonic_micros();
        let mut waited = 0;
        if self.patience > 0 {
            let longest =
                timeout_micros.map_or(self.longest_micros, |t| t.min(self.longest_micros));
            while waited < longest {
                let n = epoll.wait(Some(0))?;
                if n > 0 {
                    self.found += 1;
                    self.quick();
                    return Ok(n);
                }
                std::thread::yield_now();
                waited = monotonic_micros() - start;
            }
            self.patience -= 1;
        }
        let n = epoll.wait(timeout_micros.map(|t| (t - waited).max(0)))?;
        if n > 0 && monotonic_micros() - start - waited < self.longest_micros {
            self.quick();
        }
        Ok(n)
    }

    fn quick(&mut self) {
        self.patience = (self.patience + 1).min(MOST_PATIENCE);
    }
}

#[cfg(test)]
mod tests;
