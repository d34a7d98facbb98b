//! Whether the program has restricted its own system calls.
//!
//! A seccomp filter may kill the process for a call it doesn't expect. From the moment a program
//! installs one, the data path makes no call that the program did not ask for, and nothing is
//! traced. Children inherit the filter, and with their memory this flag.

use core::sync::atomic::{AtomicBool, Ordering};

static ENTERED: AtomicBool = AtomicBool::new(false);

/// Notes that a filter is about to be installed.
pub(crate) fn enter() {
    ENTERED.store(true, Ordering::Relaxed);
}

/// Takes it back: the filter was refused.
pub(crate) fn leave() {
    ENTERED.store(false, Ordering::Relaxed);
}

/// Whether a filter was installed.
pub(crate) fn is_entered() -> bool {
    ENTERED.load(Ordering::Relaxed)
}
