//! socket(2) to shutdown(2).

use core::ffi::{c_int, c_void};

use netcon_wire::Family;

use super::{from_libc, settle_int};
use crate::addr::{self, Purpose};
use crate::ops;
use crate::ops::names::Side;
use crate::real::{self, Call};
use crate::sys::{self, int, nr};
use crate::trace::{self, Arg};
use crate::user;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    let args = [Arg::Int(domain), Arg::Int(kind), Arg::Int(protocol)];
    let outcome = ops::socket::socket(domain, kind, protocol);
    settle_int("socket", &args, outcome, || {
        sys::socket(domain, kind, protocol)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn bind(fd: c_int, address: *const c_void, len: u32) -> c_int {
    // SAFETY: the program's pointers, as bind(2) takes them.
    let outcome = unsafe { ops::bind::bind(fd, address, len) };
    // SAFETY: as above.
    let args = [Arg::Int(fd), unsafe { address_arg(address, len) }];
    settle_int("bind", &args, outcome, || {
        // SAFETY: the program's own call.
        unsafe { sys::call(nr::BIND, [int(fd), address as usize, len as usize, 0, 0, 0]) }
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    let args = [Arg::Int(fd), Arg::Int(backlog)];
    settle_int("listen", &args, ops::bind::listen(fd, backlog), || {
        sys::listen(fd, backlog)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn connect(fd: c_int, address: *const c_void, len: u32) -> c_int {
    // SAFETY: the program's pointers, as connect(2) takes them.
    let outcome = unsafe { ops::connect::connect(fd, address, len) };
    // SAFETY: as above.
    let args = [Arg::Int(fd), unsafe { address_arg(address, len) }];
    settle_int("connect", &args, outcome, || {
        let args = [int(fd), address as usize, len as usize, 0, 0, 0];
        // SAFETY: the program's own call.
        from_int(unsafe { real::call(Call::Connect, args) })
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept(fd: c_int, address: *mut c_void, len: *mut u32) -> c_int {
    // SAFETY: the program's pointers, as accept(2) takes them.
    unsafe { accept_as("accept", fd, address, len, 0) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept4(
    fd: c_int,
    address: *mut c_void,
    len: *mut u32,
    flags: c_int,
) -> c_int {
    // SAFETY: the program's pointers, as accept4(2) takes them.
    unsafe { accept_as("accept4", fd, address, len, flags) }
}

unsafe fn accept_as(
    name: &str,
    fd: c_int,
    address: *mut c_void,
    len: *mut u32,
    flags: c_int,
) -> c_int {
    // SAFETY: the caller's contract.
    let outcome = unsafe { ops::accept::accept(fd, address, len, flags) };
    settle_int(name, &[Arg::Int(fd), Arg::Int(flags)], outcome, || {
        let args = [int(fd), address as usize, len as usize, int(flags), 0, 0];
        // SAFETY: the program's own call.
        from_int(unsafe { real::call(Call::Accept4, args) })
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockname(
    fd: c_int,
    address: *mut c_void,
    len: *mut u32,
) -> c_int {
    // SAFETY: the program's pointers, as getsockname(2) takes them.
    let outcome = unsafe { ops::names::name(fd, Side::Local, address, len) };
    settle_int("getsockname", &[Arg::Int(fd)], outcome, || {
        let args = [int(fd), address as usize, len as usize, 0, 0, 0];
        // SAFETY: the program's own call.
        unsafe { sys::call(nr::GETSOCKNAME, args) }
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getpeername(
    fd: c_int,
    address: *mut c_void,
    len: *mut u32,
) -> c_int {
    // SAFETY: the program's pointers, as getpeername(2) takes them.
    let outcome = unsafe { ops::names::name(fd, Side::Peer, address, len) };
    settle_int("getpeername", &[Arg::Int(fd)], outcome, || {
        let args = [int(fd), address as usize, len as usize, 0, 0, 0];
        // SAFETY: the program's own call.
        unsafe { sys::call(nr::GETPEERNAME, args) }
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut u32,
) -> c_int {
    // SAFETY: the program's pointers, as getsockopt(2) takes them.
    let outcome = unsafe { ops::options::get(fd, level, name, value, len) };
    let args = [Arg::Int(fd), Arg::Int(level), Arg::Int(name)];
    settle_int("getsockopt", &args, outcome, || {
        let args = [
            int(fd),
            int(level),
            int(name),
            value as usize,
            len as usize,
            0,
        ];
        // SAFETY: the program's own call.
        unsafe { sys::call(nr::GETSOCKOPT, args) }
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: u32,
) -> c_int {
    // SAFETY: the program's pointers, as setsockopt(2) takes them.
    let outcome = unsafe { ops::options::set(fd, level, name, value, len) };
    let args = [Arg::Int(fd), Arg::Int(level), Arg::Int(name)];
    settle_int("setsockopt", &args, outcome, || {
        let args = [
            int(fd),
            int(level),
            int(name),
            value as usize,
            len as usize,
            0,
        ];
        // SAFETY: the program's own call.
        unsafe { sys::call(nr::SETSOCKOPT, args) }
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    let args = [Arg::Int(fd), Arg::Int(how)];
    settle_int("shutdown", &args, ops::shutdown::shutdown(fd, how), || {
        sys::shutdown(fd, how)
    })
}

fn from_int(result: isize) -> Result<c_int, crate::errno::Errno> {
    // Functions that return an int leave the upper half of the register undefined.
    from_libc(sys::narrow(result) as isize).map(sys::narrow)
}

/// The address for the trace; looked at only while tracing.
unsafe fn address_arg<'a>(address: *const c_void, len: u32) -> Arg<'a> {
    if !trace::is_on() {
        return Arg::Word("");
    }
    // SAFETY: the caller's contract.
    let Ok((bytes, len)) = (unsafe { user::address_bytes(address, len) }) else {
        return Arg::Word("(unreadable)");
    };
    let bytes = bytes.get(..len).unwrap_or(&[]);
    [Family::Inet, Family::Inet6]
        .into_iter()
        .find_map(|family| addr::decode(bytes, family, Purpose::Connect).ok())
        .map_or(Arg::Word("(another family)"), Arg::Address)
}
