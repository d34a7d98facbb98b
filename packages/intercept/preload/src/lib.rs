//! The preloaded library: makes a program's TCP sockets the service's.
//!
//! Layers, top down: [`hooks`] are the C symbols that the program's calls meet, thin and the only
//! place that knows libc's calling conventions; [`ops`] decide (take the call, leave it to the
//! kernel and say why, or fail it); [`rpc`] asks the service over the process's [`channel`];
//! [`sys`] is the raw system call. Nothing here allocates (but the lists that getifaddrs(3) and, for
//! musl, getaddrinfo(3) give away), starts a thread, panics, or calls a libc function that meets our
//! own hooks, so every path may run after fork, in a signal handler, or in a vfork child. The design
//! page is docs/internals/intercept.md.
#![cfg_attr(not(test), no_std)]
// The hooks are left out of the test build, and with them most callers.
#![cfg_attr(test, allow(dead_code, unused_imports))]

mod abi;
mod addr;
mod channel;
mod cidr;
mod detour;
mod env;
mod errno;
#[cfg(not(test))]
mod hooks;
mod hosts;
mod identity;
mod lock;
mod message;
mod ops;
mod ranges;
mod ready;
mod real;
mod resolve;
mod rpc;
mod sandbox;
mod spin;
mod sys;
mod text;
mod trace;
mod user;

#[cfg(not(test))]
mod start {
    use core::ffi::{c_char, c_int};

    use crate::{env, real};

    /// What ld.so calls before main (`.init_array`, System V ABI 5.3): argc, argv, envp. It must be
    /// cheap, for every exec'd program pays it: no channel is opened here.
    #[used]
    #[unsafe(link_section = ".init_array")]
    static CONSTRUCTOR: unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char) =
        constructor;

    unsafe extern "C" fn constructor(
        _argc: c_int,
        _argv: *const *const c_char,
        envp: *const *const c_char,
    ) {
        // musl passes no arguments to constructors: whatever stands in the register is not used.
        let _ = envp;
        env::config();
        real::resolve();
    }

    /// Unreachable by construction: scripts/check-library.sh fails if the linker kept this symbol.
    #[panic_handler]
    fn netcon_panicked(_: &core::panic::PanicInfo<'_>) -> ! {
        crate::sys::exit(134)
    }
}
