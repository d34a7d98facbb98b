//! io_uring_setup(2): there are no rings.
//!
//! A ring makes and connects sockets in the kernel, past every hook, so a program that has one is no
//! longer in netcon alone. Its set-up is refused as a kernel without io_uring refuses it (ENOSYS), for
//! which programs have another way; `NETCON_BYPASS=all` leaves it to the kernel. liburing makes raw
//! system calls, so its exported functions are met here by their names.

use core::ffi::{CStr, c_int, c_uint, c_void};

use super::settle_int;
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::{self, Errno};
use crate::real;
use crate::sys::{self, nr};
use crate::trace::Arg;

fn refused() -> Detour<c_int> {
    if env::config().bypass.all {
        return Detour::Bypass(Reason::BypassAll);
    }
    Detour::Failed(Errno::ENOSYS)
}

/// io_uring_setup(2) by syscall(2).
pub(super) unsafe fn setup(entries: c_uint, params: usize) -> c_int {
    let args = [Arg::Size(entries as usize), Arg::Hex(params as u64)];
    settle_int("io_uring_setup", &args, refused(), || {
        // SAFETY: the program's own call.
        unsafe { sys::call(nr::IO_URING_SETUP, [entries as usize, params, 0, 0, 0, 0]) }
    })
}

/// A function of liburing, which returns the negative error number (io_uring_queue_init(3)).
unsafe fn liburing(name: &CStr, entries: c_uint, rest: [usize; 4]) -> c_int {
    type Function = unsafe extern "C" fn(usize, usize, usize, usize, usize) -> c_int;
    let args = [Arg::Size(entries as usize)];
    let word = name.to_str().unwrap_or("io_uring");
    let result = settle_int(word, &args, refused(), || {
        let next = real::next(name);
        if next.is_null() {
            return Err(Errno::ENOSYS);
        }
        // SAFETY: liburing's function of that name; every argument is passed in a register, and
        // unused ones don't matter (see `crate::real::call`).
        let next = unsafe { core::mem::transmute::<*mut c_void, Function>(next) };
        let [b, c, d, e] = rest;
        // SAFETY: the program's own arguments.
        match unsafe { next(entries as usize, b, c, d, e) } {
            error if error < 0 => Err(Errno(error.wrapping_neg())),
            value => Ok(value),
        }
    });
    if result < 0 {
        return errno::last().0.wrapping_neg();
    }
    result
}

#[unsafe(no_mangle)]
unsafe extern "C" fn io_uring_setup(entries: c_uint, params: usize) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe { liburing(c"io_uring_setup", entries, [params, 0, 0, 0]) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn io_uring_queue_init(entries: c_uint, ring: usize, flags: c_uint) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe {
        liburing(
            c"io_uring_queue_init",
            entries,
            [ring, flags as usize, 0, 0],
        )
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn io_uring_queue_init_params(
    entries: c_uint,
    ring: usize,
    params: usize,
) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe { liburing(c"io_uring_queue_init_params", entries, [ring, params, 0, 0]) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn io_uring_queue_init_mem(
    entries: c_uint,
    ring: usize,
    params: usize,
    buffer: usize,
    size: usize,
) -> c_int {
    // SAFETY: the program's own arguments.
    unsafe {
        liburing(
            c"io_uring_queue_init_mem",
            entries,
            [ring, params, buffer, size],
        )
    }
}
