//! Name look-ups: /etc/hosts and numeric forms only, so that no query leaves past netcon.
//!
//! glibc's resolver makes system calls of its own that no hook sees. It is told to use its files
//! database, and the calls that always query a server are refused. The list of hosts comes by RPC
//! with a later issue.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, Ordering};

use crate::env;
use crate::errno::{self, Errno};
use crate::real::{self, weak};

/// `struct addrinfo`'s first fields (getaddrinfo(3)); the rest must be 0 in hints.
#[repr(C)]
#[derive(Clone, Copy)]
struct Hints {
    flags: c_int,
    family: c_int,
    kind: c_int,
    protocol: c_int,
    len: u32,
    address: *mut c_void,
    name: *mut c_char,
    next: *mut c_void,
}

const AI_NUMERICHOST: c_int = 4;
const AI_ADDRCONFIG: c_int = 0x20;
const AI_V4MAPPED: c_int = 8;
const EAI_SYSTEM: c_int = -11;
/// h_errno, netdb.h: "non-recoverable errors".
const NO_RECOVERY: c_int = 3;

/// Whether libc can be told to stay with its files; done once, before the first look-up.
fn files_only() -> bool {
    static DONE: AtomicBool = AtomicBool::new(false);
    let Some(configure) = weak::__nss_configure_lookup() else {
        return false;
    };
    if !DONE.swap(true, Ordering::Relaxed) {
        // SAFETY: two NUL-terminated strings, which glibc copies (nss/nss_database.c).
        unsafe { configure(c"hosts".as_ptr(), c"files".as_ptr()) };
    }
    true
}

fn is_bypassed() -> bool {
    env::config().bypass.all
}

/// The next function as six register-sized arguments; the psABIs allow unused ones.
unsafe fn forward(name: &CStr, args: [usize; 8]) -> Option<usize> {
    type Function =
        unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize) -> usize;
    let next = real::next(name);
    if next.is_null() {
        return None;
    }
    // SAFETY: libc's function of that name; see `crate::real::call` on the arguments. Those that
    // travel on the stack (x86-64) are passed at the same places as the program passed them.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(next) };
    let [a, b, c, d, e, f, g, h] = args;
    // SAFETY: the program's own arguments.
    Some(unsafe { next(a, b, c, d, e, f, g, h) })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const Hints,
    result: *mut c_void,
) -> c_int {
    let mut adapted = Hints {
        // What getaddrinfo(3) assumes where hints is null.
        flags: AI_V4MAPPED,
        family: 0,
        kind: 0,
        protocol: 0,
        len: 0,
        address: core::ptr::null_mut(),
        name: core::ptr::null_mut(),
        next: core::ptr::null_mut(),
    };
    let mut hints = hints;
    if !is_bypassed() {
        if !hints.is_null() {
            // SAFETY: getaddrinfo(3): null or a struct addrinfo.
            adapted = unsafe { *hints };
        }
        // The addresses configured are netcon's, not those of the program's namespace.
        adapted.flags &= !AI_ADDRCONFIG;
        if !files_only() {
            adapted.flags |= AI_NUMERICHOST;
        }
        hints = &raw const adapted;
    }
    let args = [
        node as usize,
        service as usize,
        hints as usize,
        result as usize,
        0,
        0,
        0,
        0,
    ];
    // SAFETY: the program's own arguments, with adapted hints.
    match unsafe { forward(c"getaddrinfo", args) } {
        Some(status) => crate::sys::narrow(status.cast_signed()),
        None => EAI_SYSTEM,
    }
}

/// Defines look-ups that only need libc to be told where to look.
macro_rules! files_only {
    ($($name:ident: $failure:expr;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(
                a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, g: usize, h: usize,
            ) -> usize {
                if !is_bypassed() && !files_only() {
                    return refuse($failure);
                }
                const NAME: &CStr = match CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => c"",
                };
                // SAFETY: the program's own arguments.
                unsafe { forward(NAME, [a, b, c, d, e, f, g, h]) }
                    .unwrap_or_else(|| refuse($failure))
            }
        )*
    };
}

/// Defines look-ups that always ask a server: refused.
macro_rules! refused {
    ($($name:ident)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(
                a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, g: usize, h: usize,
            ) -> usize {
                const NAME: &CStr = match CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => c"",
                };
                if is_bypassed() {
                    // SAFETY: the program's own arguments.
                    let result = unsafe { forward(NAME, [a, b, c, d, e, f, g, h]) };
                    return result.unwrap_or_else(|| refuse(-1));
                }
                refuse(-1)
            }
        )*
    };
}

/// Fails a look-up: h_errno, errno, and the function's value for failure.
fn refuse(failure: isize) -> usize {
    if let Some(h_errno) = weak::__h_errno_location() {
        // SAFETY: libc returns the address of the thread's h_errno.
        unsafe { *h_errno() = NO_RECOVERY };
    }
    errno::set(Errno::ENETDOWN);
    failure.cast_unsigned()
}

/// The `_r` forms return an errno.
const REENTRANT: isize = Errno::ENETDOWN.0 as isize;

files_only! {
    gethostbyname: 0;
    gethostbyname2: 0;
    gethostbyaddr: 0;
    gethostbyname_r: REENTRANT;
    gethostbyname2_r: REENTRANT;
    gethostbyaddr_r: REENTRANT;
    getnameinfo: EAI_SYSTEM as isize;
    getaddrinfo_a: EAI_SYSTEM as isize;
}

// glibc's headers rename some of them (resolv.h); both names exist.
refused! {
    res_query __res_query res_search __res_search res_querydomain __res_querydomain
    res_send __res_send res_nquery __res_nquery res_nsearch __res_nsearch
    res_nquerydomain __res_nquerydomain res_nsend __res_nsend
}
