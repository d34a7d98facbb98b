//! The symbols that a program's calls meet, in the C ABI.
//!
//! Thin: a hook converts, asks [`crate::ops`], makes the native call where it is left to the kernel,
//! sets errno on failure only, and writes the trace. Variadic functions are defined with as many
//! register-sized arguments as they can have: on x86-64 and AArch64 the unnamed integers travel in
//! the same registers as named ones (System V psABI 3.2.3, AAPCS64 6.4.2).

mod block;
mod data;
mod exec;
mod fds;
mod interfaces;
mod names;
mod nss;
mod packer;
mod raw;
mod resolver;
mod socket;
mod uring;

use core::ffi::c_int;

use crate::detour::{Detour, Reason};
use crate::errno::{self, Errno};
use crate::trace::{self, Arg, Fate};

/// Carries an outcome to the program: `native` makes the call that is left to the kernel.
fn settle(
    name: &str,
    args: &[Arg<'_>],
    outcome: Detour<isize>,
    native: impl FnOnce() -> Result<isize, Errno>,
) -> isize {
    let (result, fate) = match outcome {
        Detour::Handled(value) => (Ok(value), Fate::Taken),
        Detour::Failed(errno) => (Err(errno), Fate::Failed),
        Detour::Bypass(reason) => (native(), Fate::Bypassed(reason)),
    };
    if trace::is_on() && !is_dull(fate, name) {
        trace::line(name, args, result, fate);
    }
    match result {
        Ok(value) => value,
        Err(errno) => {
            errno::set(errno);
            -1
        }
    }
}

/// Calls that every program makes all the time on fds that are not netcon's.
fn is_dull(fate: Fate, name: &str) -> bool {
    matches!(fate, Fate::Bypassed(Reason::NotOurs))
        && matches!(name, "close" | "fcntl" | "ioctl" | "dup2" | "dup3")
}

/// [`settle`] for calls that return an int.
fn settle_int(
    name: &str,
    args: &[Arg<'_>],
    outcome: Detour<c_int>,
    native: impl FnOnce() -> Result<c_int, Errno>,
) -> c_int {
    let outcome = match outcome {
        Detour::Handled(value) => Detour::Handled(value as isize),
        Detour::Failed(errno) => Detour::Failed(errno),
        Detour::Bypass(reason) => Detour::Bypass(reason),
    };
    crate::sys::narrow(settle(name, args, outcome, || {
        native().map(|value| value as isize)
    }))
}

/// The result of a function of libc with its errno.
fn from_libc(result: isize) -> Result<isize, Errno> {
    if result < 0 {
        Err(errno::last())
    } else {
        Ok(result)
    }
}
