//! close(2) and what else could hit the channel; fcntl(2), ioctl(2), prctl(2).

use core::ffi::c_int;

use super::settle_int;
use crate::abi;
use crate::detour::Detour;
use crate::ops;
use crate::sandbox;
use crate::sys::{self, int, nr};
use crate::trace::Arg;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close(fd: c_int) -> c_int {
    settle_int("close", &[Arg::Int(fd)], ops::fds::close(fd), || {
        sys::close(fd)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    let args = [Arg::Int(old), Arg::Int(new)];
    settle_int("dup2", &args, ops::fds::duplicate(old, new), || {
        native_dup2(old, new)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    let args = [Arg::Int(old), Arg::Int(new), Arg::Int(flags)];
    settle_int("dup3", &args, ops::fds::duplicate(old, new), || {
        sys::dup3(old, new, flags)
    })
}

/// dup2(2), which AArch64 has only as dup3: of an fd onto itself it does nothing.
pub(super) fn native_dup2(old: c_int, new: c_int) -> Result<c_int, crate::errno::Errno> {
    if old == new {
        return sys::fcntl(old, abi::F_GETFD, 0).map(|_| new);
    }
    sys::dup3(old, new, 0)
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close_range(first: u32, last: u32, flags: c_int) -> c_int {
    let flags = flags.cast_unsigned();
    let args = [
        Arg::Size(first as usize),
        Arg::Size(last as usize),
        Arg::Hex(u64::from(flags)),
    ];
    let outcome = ops::fds::close_range(first, last, flags);
    settle_int("close_range", &args, outcome, || {
        sys::close_range(first, last, flags)
    })
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn closefrom(low: c_int) {
    let outcome = ops::fds::closefrom(low);
    settle_int("closefrom", &[Arg::Int(low)], outcome, || Ok(0));
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fcntl(fd: c_int, cmd: c_int, arg: usize) -> c_int {
    // SAFETY: the program's own call.
    unsafe { control(nr::FCNTL, "fcntl", fd, int(cmd), arg) }
}

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn fcntl64(fd: c_int, cmd: c_int, arg: usize) -> c_int {
    // SAFETY: the program's own call.
    unsafe { control(nr::FCNTL, "fcntl", fd, int(cmd), arg) }
}

/// An ioctl(2) of netcon's sockets that is not the kernel's to answer.
type Answer = unsafe fn(c_int, u32, usize) -> Detour<c_int>;

#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ioctl(fd: c_int, request: usize, arg: usize) -> c_int {
    // The kernel takes an unsigned int (fs/ioctl.c).
    #[allow(clippy::cast_possible_truncation)]
    let what = request as u32;
    let answer = if ops::interfaces::ioctl::is_about_interfaces(what) {
        Some(ops::interfaces::ioctl::ioctl as Answer)
    } else if ops::queues::is_about_queues(what) {
        Some(ops::queues::ioctl as Answer)
    } else {
        None
    };
    if let Some(answer) = answer.filter(|_| !ops::fds::is_hidden(fd)) {
        let args = [Arg::Int(fd), Arg::Hex(what.into()), Arg::Hex(arg as u64)];
        // SAFETY: the program's own call.
        let outcome = unsafe { answer(fd, what, arg) };
        return settle_int("ioctl", &args, outcome, || {
            // SAFETY: the program's own call.
            unsafe { sys::call(nr::IOCTL, [int(fd), request, arg, 0, 0, 0]) }
        });
    }
    // SAFETY: the program's own call.
    unsafe { control(nr::IOCTL, "ioctl", fd, request, arg) }
}

unsafe fn control(call: usize, name: &str, fd: c_int, what: usize, arg: usize) -> c_int {
    let args = [Arg::Int(fd), Arg::Hex(what as u64), Arg::Hex(arg as u64)];
    settle_int(name, &args, ops::fds::touch(fd), || {
        // SAFETY: the program's own call.
        unsafe { sys::call(call, [int(fd), what, arg, 0, 0, 0]) }
    })
}

/// prctl(2): only to notice a sandbox.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn prctl(
    option: c_int,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
) -> c_int {
    let args = [int(option), b, c, d, e, 0];
    let sandboxes = option == abi::PR_SET_SECCOMP;
    // SAFETY: the program's own call.
    let result = unsafe { sandboxing(sandboxes, nr::PRCTL, args) };
    match result {
        Ok(value) => value,
        Err(errno) => {
            crate::errno::set(errno);
            -1
        }
    }
}

/// A call that may install a filter: the flag is set first, since the filter is in force when the
/// call returns, and taken back if it failed.
pub(super) unsafe fn sandboxing(
    sandboxes: bool,
    call: usize,
    args: [usize; 6],
) -> Result<c_int, crate::errno::Errno> {
    let was = sandbox::is_entered();
    if sandboxes {
        sandbox::enter();
    }
    // SAFETY: the program's own call.
    let result = unsafe { sys::call(call, args) };
    if sandboxes && !was && result.is_err() {
        sandbox::leave();
    }
    result
}
