//! Waiting for the service: first looking for a moment, then asleep.
//!
//! To be woken costs 20 to 50 us where another processor has to be interrupted for it, and the service answers in
//! less. sched_yield(2) in between leaves the processor to whoever wants it, the service included.

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::errno::Errno;
use crate::sys;

/// An answer that takes longer is worth a sleep.
const LONGEST_NANOSECONDS: u64 = 50_000;
/// How often in a row it may be in vain before nobody looks any more.
const MOST_PATIENCE: u32 = 16;

static PATIENCE: AtomicU32 = AtomicU32::new(0);

/// Makes `attempt(false)`, which does not wait but fails with `EAGAIN`, for as long as answers have been quick lately;
/// then `attempt(true)`, which waits.
pub(crate) fn wait<T>(mut attempt: impl FnMut(bool) -> Result<T, Errno>) -> Result<T, Errno> {
    let mut start = sys::nanoseconds();
    let patience = PATIENCE.load(Relaxed);
    if patience > 0 {
        loop {
            match attempt(false) {
                Err(Errno::EAGAIN) => {}
                other => {
                    quick(patience);
                    return other;
                }
            }
            let now = sys::nanoseconds();
            if now.wrapping_sub(start) >= LONGEST_NANOSECONDS {
                PATIENCE.store(patience - 1, Relaxed);
                start = now;
                break;
            }
            sys::sched_yield();
        }
    }
    let waited = attempt(true);
    if sys::nanoseconds().wrapping_sub(start) < LONGEST_NANOSECONDS {
        quick(patience);
    }
    waited
}

fn quick(patience: u32) {
    PATIENCE.store((patience + 1).min(MOST_PATIENCE), Relaxed);
}
