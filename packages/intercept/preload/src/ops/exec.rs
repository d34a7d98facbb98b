//! exec(3): keeping the library in a cleaned environment, and telling where it cannot go.
//!
//! A program that builds the environment of its child (env -i, su, cron) would lose netcon and with
//! it fail open. The variables read at start are added where they are missing. No memory is
//! allocated: the new array lives on the stack, and an environment that doesn't fit is passed as
//! it is.

use core::ffi::{CStr, c_char, c_int};

use crate::abi;
use crate::detour::Reason;
use crate::env::{self, NAMES};
use crate::errno::Errno;
use crate::message;
use crate::ops::target::{self, Obstacle};
use crate::sandbox;
use crate::text::Line;
use crate::trace::{self, Arg, Fate};
use crate::user;

/// An environment: a null-terminated array of strings.
pub(crate) type Environment = *const *const c_char;

const SMALL: usize = 128;
const LARGE: usize = 2048;

/// Looks at what execveat(2) is to run with these arguments. Where the library cannot follow, that is
/// told, and refused if `--strict` was given.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn check(dir: c_int, path: *const c_char, flags: c_int) -> Result<(), Errno> {
    let strict = env::config().is_strict();
    // Whoever has opened everything loses nothing; in a sandbox no call is made that isn't needed.
    if env::config().bypass.all || (sandbox::is_entered() && !strict) {
        return Ok(());
    }
    // SAFETY: the caller's contract.
    let Some(obstacle) = (unsafe { target::obstacle(dir, path, flags) }) else {
        return Ok(());
    };
    // SAFETY: the kernel has read the path.
    let mut name = unsafe { CStr::from_ptr(path) }.to_bytes();
    if name.is_empty() {
        name = b"the program";
    }
    tell(name, obstacle, strict)
}

/// The same for a name that execvp(3) looks up.
///
/// # Safety
/// As [`check`].
pub(crate) unsafe fn check_in_path(file: *const c_char) -> Result<(), Errno> {
    // SAFETY: the caller's contract; a name that is not mapped is for libc to read.
    if unsafe { user::read::<1>(file.cast(), 1) }.is_err() {
        return Ok(());
    }
    // SAFETY: as above: a string.
    let name = unsafe { CStr::from_ptr(file) };
    if name.to_bytes().contains(&b'/') {
        // SAFETY: the caller's contract.
        return unsafe { check(abi::AT_FDCWD, file, 0) };
    }
    let mut path = Line::new();
    if !target::in_path(name, &mut path) {
        return Ok(());
    }
    // SAFETY: `in_path` ends it with a NUL.
    unsafe { check(abi::AT_FDCWD, path.as_bytes().as_ptr().cast(), 0) }
}

/// A line in the trace; on standard error too where a person reads it or the program is refused. It
/// is not written into what another program collects.
fn tell(name: &[u8], obstacle: Obstacle, strict: bool) -> Result<(), Errno> {
    if trace::is_on() {
        let word = core::str::from_utf8(name).unwrap_or("?");
        let (result, fate) = if strict {
            (Err(Errno::EACCES), Fate::Failed)
        } else {
            (Ok(0), Fate::Bypassed(Reason::Exec(obstacle)))
        };
        trace::line("exec", &[Arg::Word(word)], result, fate);
    }
    let text = obstacle.text();
    if strict {
        let why = b": it cannot be intercepted, and --strict refuses it";
        message::say(&[name, b" is ", text, why]);
        return Err(Errno::EACCES);
    }
    if message::is_read_by_a_person() {
        let what = b": it is not in netcon, but has its namespace's network";
        message::say(&[name, b" is ", text, what]);
    }
    Ok(())
}

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
