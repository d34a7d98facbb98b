//! The lock around short calls on the channel.
//!
//! One futex word: 0 when free, otherwise the owner's pid and a bit for "somebody waits". Signals
//! are blocked while it is held, so a handler never finds its own thread holding it. A child of a
//! fork in another thread inherits the word held by a thread that it doesn't have: an owner that is
//! not this process is no owner. A vfork child shares the word with its parent and may take the lock
//! from a thread of it; both then work on channels in fd tables of their own and match replies by
//! id, so the worst is a needless search for the channel.

use core::sync::atomic::{AtomicU32, Ordering};

use crate::sys;

static WORD: AtomicU32 = AtomicU32::new(0);
const WAITERS: u32 = 1 << 31;

/// The lock, held until dropped.
pub(crate) struct Held {
    signals: u64,
}

impl Held {
    /// Blocks signals and takes the lock.
    pub(crate) fn take() -> Held {
        let signals = sys::block_signals();
        let pid = sys::getpid();
        let mut mine = pid;
        loop {
            let seen = match WORD.compare_exchange(0, mine, Ordering::Acquire, Ordering::Relaxed) {
                Ok(_) => break,
                Err(seen) => seen,
            };
            match on_held(seen, pid) {
                Step::Steal => {
                    let stolen =
                        WORD.compare_exchange(seen, mine, Ordering::Acquire, Ordering::Relaxed);
                    if stolen.is_ok() {
                        break;
                    }
                }
                Step::Announce(with_waiters) => {
                    let _ = WORD.compare_exchange(
                        seen,
                        with_waiters,
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    );
                }
                Step::Sleep => {
                    sys::futex_wait(&WORD, seen);
                    // Others may sleep too: keep them announced.
                    mine = pid | WAITERS;
                }
            }
        }
        Held { signals }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if WORD.swap(0, Ordering::Release) & WAITERS != 0 {
            sys::futex_wake(&WORD);
        }
        sys::restore_signals(self.signals);
    }
}

/// What to do about a word that is not free.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// The owner is not in this process.
    Steal,
    /// Say that somebody waits.
    Announce(u32),
    /// It is said already.
    Sleep,
}

fn on_held(seen: u32, pid: u32) -> Step {
    if seen & !WAITERS != pid {
        Step::Steal
    } else if seen & WAITERS == 0 {
        Step::Announce(seen | WAITERS)
    } else {
        Step::Sleep
    }
}

#[cfg(test)]
mod tests;
