//! exec(3): keeping the library in a cleaned environment.
//!
//! A program that builds the environment of its child (env -i, su, cron) would lose netcon and with
//! it fail open. The variables read at start are added where they are missing. No memory is
//! allocated: the new array lives on the stack, and an environment that doesn't fit is passed as
//! it is.

use core::ffi::c_char;

use crate::env::{self, NAMES};
use crate::trace;

/// An environment: a null-terminated array of strings.
pub(crate) type Environment = *const *const c_char;

const SMALL: usize = 128;
const LARGE: usize = 2048;

/// Runs `exec` with `envp`, completed.
///
/// # Safety
/// `envp` is null or an environment.
pub(crate) unsafe fn with_environment<R>(
    envp: Environment,
    exec: impl FnOnce(Environment) -> R,
) -> R {
    // SAFETY: the caller's contract.
    let Some((missing, count)) = (unsafe { missing(envp) }) else {
        return exec(envp);
    };
    // SAFETY: the caller's contract.
    unsafe {
        if count < SMALL - NAMES.len() {
            extended::<SMALL, R>(envp, &missing, exec)
        } else if count < LARGE - NAMES.len() {
            extended::<LARGE, R>(envp, &missing, exec)
        } else {
            trace::note("environment too large: netcon's variables are not added");
            exec(envp)
        }
    }
}

type Missing = [bool; NAMES.len()];

/// Which kept variables `envp` lacks, and how many entries it has; `None` if it lacks none.
unsafe fn missing(envp: Environment) -> Option<(Missing, usize)> {
    let kept = &env::config().kept;
    let mut missing = [false; NAMES.len()];
    for (lacks, variable) in missing.iter_mut().zip(kept) {
        *lacks = variable.entry().is_some();
    }
    let mut count = 0;
    // SAFETY: the caller's contract.
    for entry in unsafe { env::entries(envp) } {
        count += 1;
        for ((lacks, name), variable) in missing.iter_mut().zip(NAMES).zip(kept) {
            // Another LD_PRELOAD than ours replaces the library: it counts as missing.
            if entry.starts_with(name) && (name != b"LD_PRELOAD=" || loads_us(entry, variable)) {
                *lacks = false;
            }
        }
    }
    missing.contains(&true).then_some((missing, count))
}

/// Whether an `LD_PRELOAD` names every library that the one at start named.
fn loads_us(entry: &[u8], kept: &env::Variable) -> bool {
    let Some(value) = kept.value().and_then(|value| value.split_last()) else {
        return true;
    };
    let (_, value) = value;
    value
        .split(|byte| matches!(byte, b':' | b' '))
        .filter(|library| !library.is_empty())
        .all(|library| entry.windows(library.len()).any(|window| window == library))
}

#[inline(never)]
unsafe fn extended<const N: usize, R>(
    envp: Environment,
    missing: &Missing,
    exec: impl FnOnce(Environment) -> R,
) -> R {
    let mut array = [core::ptr::null::<c_char>(); N];
    // The last entry stays null.
    let mut slots = array.iter_mut().take(N - 1);
    let kept = &env::config().kept;
    for (lacks, variable) in missing.iter().zip(kept) {
        if let (true, Some(entry)) = (*lacks, variable.entry())
            && let Some(slot) = slots.next()
        {
            *slot = entry.as_ptr().cast();
        }
    }
    // SAFETY: the caller's contract.
    for entry in unsafe { env::entries(envp) } {
        let is_replaced = NAMES
            .iter()
            .zip(missing)
            .any(|(name, lacks)| *lacks && entry.starts_with(name));
        if is_replaced {
            continue;
        }
        if let Some(slot) = slots.next() {
            *slot = entry.as_ptr().cast();
        }
    }
    exec(array.as_ptr())
}
