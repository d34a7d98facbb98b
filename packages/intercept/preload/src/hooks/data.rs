//! The data path: the program's own call first, a second look only where it returned 0 or failed.

use core::ffi::{c_int, c_void};

use super::{from_libc, settle};
use crate::abi::{self, Mmsghdr, Msghdr};
use crate::ops::data::{self, Sigpipe};
use crate::ops::message;
use crate::real::{self, Call, weak};
use crate::sys::{self, int};
use crate::trace::{self, Arg};

/// The tail of every receive: `len` is 0 if nothing was asked for.
#[inline(always)]
fn after_receive(name: &str, fd: c_int, len: usize, result: isize) -> isize {
    let seen = if result > 0 || len == 0 && result == 0 {
        result
    } else {
        data::received(fd, result)
    };
    logged(name, fd, len, seen)
}

/// The tail of every send.
#[inline(always)]
fn after_send(name: &str, fd: c_int, len: Option<usize>, result: isize, sigpipe: Sigpipe) -> isize {
    let seen = if result >= 0 {
        result
    } else {
        data::sent(fd, len, result, sigpipe)
    };
    logged(name, fd, len.unwrap_or(0), seen)
}

#[inline(always)]
fn logged(name: &str, fd: c_int, len: usize, seen: isize) -> isize {
    if trace::is_on() {
        log(name, fd, len, seen);
    }
    seen
}

#[cold]
fn log(name: &str, fd: c_int, len: usize, seen: isize) {
    use crate::detour::Reason;
    use crate::trace::Fate;
    if crate::identity::socket(fd).is_ok() {
        let args = [Arg::Int(fd), Arg::Size(len)];
        trace::line(name, &args, from_libc(seen), Fate::Bypassed(Reason::Native));
    }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn read(fd: c_int, buf: *mut c_void, len: usize) -> isize {
    // SAFETY: the program's own call.
    let result = unsafe { real::call(Call::Read, [int(fd), buf as usize, len, 0, 0, 0]) };
    after_receive("read", fd, len, result)
}

/// `_FORTIFY_SOURCE`: read(2) with the size of the buffer.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __read_chk(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    size: usize,
) -> isize {
    check_size(len, size);
    // SAFETY: the program's own call.
    unsafe { read(fd, buf, len) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn readv(fd: c_int, iov: *const c_void, count: c_int) -> isize {
    let args = [int(fd), iov as usize, int(count), 0, 0, 0];
    // SAFETY: the program's own call.
    let result = unsafe { real::call(Call::Readv, args) };
    after_receive("readv", fd, usize::from(count > 0), result)
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recv(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    flags: c_int,
) -> isize {
    let null = core::ptr::null_mut();
    // SAFETY: recv(2) is recvfrom(2) without an address.
    unsafe { recvfrom(fd, buf, len, flags, null, core::ptr::null_mut()) }
}

/// `_FORTIFY_SOURCE`: recv(2) with the size of the buffer.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recv_chk(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    size: usize,
    flags: c_int,
) -> isize {
    check_size(len, size);
    // SAFETY: the program's own call.
    unsafe { recv(fd, buf, len, flags) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvfrom(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    flags: c_int,
    address: *mut c_void,
    address_len: *mut u32,
) -> isize {
    let native = || {
        let args = [
            int(fd),
            buf as usize,
            len,
            int(flags),
            address as usize,
            address_len as usize,
        ];
        // SAFETY: the program's own call.
        unsafe { real::call(Call::Recvfrom, args) }
    };
    if address.is_null() && flags & data::RECEIVE_SPECIAL == 0 {
        return after_receive("recv", fd, len, native());
    }
    // SAFETY: the program's own arguments.
    let outcome = unsafe { data::receive_from(fd, buf, len, flags, address, address_len) };
    let args = [Arg::Int(fd), Arg::Size(len), Arg::Int(flags)];
    settle("recvfrom", &args, outcome, || from_libc(native()))
}

/// `_FORTIFY_SOURCE`: recvfrom(2) with the size of the buffer.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn __recvfrom_chk(
    fd: c_int,
    buf: *mut c_void,
    len: usize,
    size: usize,
    flags: c_int,
    address: *mut c_void,
    address_len: *mut u32,
) -> isize {
    check_size(len, size);
    // SAFETY: the program's own call.
    unsafe { recvfrom(fd, buf, len, flags, address, address_len) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmsg(fd: c_int, msg: *mut Msghdr, flags: c_int) -> isize {
    let native = || {
        // SAFETY: the program's own call.
        unsafe { real::call(Call::Recvmsg, [int(fd), msg as usize, int(flags), 0, 0, 0]) }
    };
    // SAFETY: the program's own arguments.
    if unsafe { !message::receive_is_special(msg, flags) } {
        return after_receive("recvmsg", fd, 1, native());
    }
    // SAFETY: the program's own arguments.
    let outcome = unsafe { message::receive(fd, msg, flags) };
    let args = [Arg::Int(fd), Arg::Int(flags)];
    settle("recvmsg", &args, outcome, || from_libc(native()))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recvmmsg(
    fd: c_int,
    msgs: *mut Mmsghdr,
    count: u32,
    flags: c_int,
    timeout: *mut c_void,
) -> c_int {
    // SAFETY: the program's own arguments.
    let outcome = unsafe { message::receive_many(fd, msgs, count, flags) };
    let args = [Arg::Int(fd), Arg::Size(count as usize), Arg::Int(flags)];
    sys::narrow(settle("recvmmsg", &args, outcome, || {
        let args = [
            int(fd),
            msgs as usize,
            count as usize,
            int(flags),
            timeout as usize,
            0,
        ];
        // SAFETY: the program's own call.
        from_libc(sys::narrow(unsafe { real::call(Call::Recvmmsg, args) }) as isize)
    }))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn write(fd: c_int, buf: *const c_void, len: usize) -> isize {
    // SAFETY: the program's own call.
    let result = unsafe { real::call(Call::Write, [int(fd), buf as usize, len, 0, 0, 0]) };
    after_send("write", fd, Some(len), result, Sigpipe::Kernel)
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn writev(fd: c_int, iov: *const c_void, count: c_int) -> isize {
    let args = [int(fd), iov as usize, int(count), 0, 0, 0];
    // SAFETY: the program's own call.
    let result = unsafe { real::call(Call::Writev, args) };
    after_send("writev", fd, None, result, Sigpipe::Kernel)
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn send(
    fd: c_int,
    buf: *const c_void,
    len: usize,
    flags: c_int,
) -> isize {
    // SAFETY: send(2) is sendto(2) without an address.
    unsafe { sendto(fd, buf, len, flags, core::ptr::null(), 0) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendto(
    fd: c_int,
    buf: *const c_void,
    len: usize,
    flags: c_int,
    address: *const c_void,
    address_len: u32,
) -> isize {
    let native = |flags| {
        let args = [
            int(fd),
            buf as usize,
            len,
            int(flags),
            address as usize,
            address_len as usize,
        ];
        // SAFETY: the program's own call.
        unsafe { real::call(Call::Sendto, args) }
    };
    if address.is_null() && flags & data::SEND_SPECIAL == 0 {
        let (flags, sigpipe) = data::send_flags(flags);
        return after_send("send", fd, Some(len), native(flags), sigpipe);
    }
    // SAFETY: the program's own arguments.
    let outcome = unsafe { data::send_to(fd, buf, len, flags, address, address_len) };
    let args = [Arg::Int(fd), Arg::Size(len), Arg::Int(flags)];
    settle("sendto", &args, outcome, || from_libc(native(flags)))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmsg(fd: c_int, msg: *const Msghdr, flags: c_int) -> isize {
    let native = |flags| {
        // SAFETY: the program's own call.
        unsafe { real::call(Call::Sendmsg, [int(fd), msg as usize, int(flags), 0, 0, 0]) }
    };
    // SAFETY: the program's own arguments.
    if unsafe { !message::send_is_special(msg, flags) } {
        let (flags, sigpipe) = data::send_flags(flags);
        return after_send("sendmsg", fd, None, native(flags), sigpipe);
    }
    // SAFETY: the program's own arguments.
    let outcome = unsafe { message::send(fd, msg, flags) };
    let args = [Arg::Int(fd), Arg::Int(flags)];
    settle("sendmsg", &args, outcome, || from_libc(native(flags)))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendmmsg(
    fd: c_int,
    msgs: *mut Mmsghdr,
    count: u32,
    flags: c_int,
) -> c_int {
    // SAFETY: the program's own arguments.
    let outcome = unsafe { message::send_many(fd, msgs, count, flags) };
    let args = [Arg::Int(fd), Arg::Size(count as usize), Arg::Int(flags)];
    sys::narrow(settle("sendmmsg", &args, outcome, || {
        let args = [int(fd), msgs as usize, count as usize, int(flags), 0, 0];
        // SAFETY: the program's own call.
        from_libc(sys::narrow(unsafe { real::call(Call::Sendmmsg, args) }) as isize)
    }))
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendfile(
    out: c_int,
    from: c_int,
    offset: *mut i64,
    count: usize,
) -> isize {
    let args = [int(out), int(from), offset as usize, count, 0, 0];
    // SAFETY: the program's own call.
    let result = unsafe { real::call(Call::Sendfile, args) };
    after_send("sendfile", out, None, result, Sigpipe::Kernel)
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn sendfile64(
    out: c_int,
    from: c_int,
    offset: *mut i64,
    count: usize,
) -> isize {
    // SAFETY: the same function where off_t has 64 bits.
    unsafe { sendfile(out, from, offset, count) }
}

/// Ends the program as libc does when a fortified call would overflow its buffer.
fn check_size(len: usize, size: usize) {
    if len <= size {
        return;
    }
    if let Some(fail) = weak::__chk_fail() {
        // SAFETY: __chk_fail(3) of the LSB: no arguments, does not return.
        unsafe { fail() }
    }
    sys::raise(abi::SIGABRT);
    sys::exit(134);
}
