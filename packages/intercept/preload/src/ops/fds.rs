//! close(2), dup2(2), close_range(2) and fcntl(2): keeping the channel out of the program's hands.

use core::ffi::c_int;

use netcon_wire::SocketState;

use crate::detour::{Detour, Reason};
use crate::errno::Errno;
use crate::ops::connect;
use crate::ops::options::linger;
use crate::{channel, identity, ranges, ready, rpc, sys};

/// Whether the program does not know of that fd.
pub(crate) fn is_hidden(fd: c_int) -> bool {
    channel::is_channel(fd) || ready::holds(fd)
}

/// An fd that the program doesn't know of: whatever it does with it, it isn't open.
fn hidden<T>(fd: c_int) -> Detour<T> {
    if is_hidden(fd) {
        Detour::Failed(Errno::EBADF)
    } else {
        Detour::Bypass(Reason::NotOurs)
    }
}

/// close(2)
pub(crate) fn close(fd: c_int) -> Detour<c_int> {
    linger::before_close(fd);
    let hidden = hidden(fd);
    if matches!(hidden, Detour::Bypass(_)) {
        before_closing(fd);
    }
    hidden
}

/// Neither a record to the service nor a connect under way may keep a socket open that the program closes.
fn before_closing(fd: c_int) {
    ready::collect();
    if !rpc::has_told() && !connect::has_begun() {
        return;
    }
    match identity::socket(fd) {
        Ok(socket) if socket.state == SocketState::Connecting => connect::before_closing(&socket),
        Ok(_) => rpc::catch_up(),
        Err(_) => {}
    }
}

/// fcntl(2), dup(2) and ioctl(2) on the channel.
pub(crate) fn touch(fd: c_int) -> Detour<c_int> {
    hidden(fd)
}

/// dup2(2) and dup3(2): onto the channel, it moves; from it, it isn't there.
pub(crate) fn duplicate(old: c_int, new: c_int) -> Detour<c_int> {
    if is_hidden(old) {
        return Detour::Failed(Errno::EBADF);
    }
    if channel::is_channel(new) {
        channel::move_away(new);
    }
    // What `new` was is closed (dup2(2)).
    before_closing(new);
    Detour::Bypass(Reason::NotOurs)
}

/// close_range(2), around the channel.
pub(crate) fn close_range(first: u32, last: u32, flags: u32) -> Detour<c_int> {
    rpc::catch_up();
    let keep = channel::within(first, last).map(c_int::cast_unsigned);
    if keep.is_none() {
        return Detour::Bypass(Reason::NotOurs);
    }
    let parts = ranges::without(first, last, keep);
    let mut parts = parts.into_iter().flatten();
    let closed =
        parts.try_for_each(|(first, last)| sys::close_range(first, last, flags).map(|_| ()));
    closed.map(|()| 0).into()
}

/// closefrom(3); on kernels without close_range (before 5.9) every number up to the limit.
pub(crate) fn closefrom(low: c_int) -> Detour<c_int> {
    let first = low.max(0).cast_unsigned();
    let closed = match close_range(first, u32::MAX, 0) {
        Detour::Bypass(_) => sys::close_range(first, u32::MAX, 0),
        Detour::Handled(_) => Ok(0),
        Detour::Failed(errno) => Err(errno),
    };
    if closed.is_err() {
        let limit = c_int::try_from(sys::fd_limit()).unwrap_or(c_int::MAX);
        for fd in low.max(0)..limit {
            if !channel::is_channel(fd) {
                let _ = sys::close(fd);
            }
        }
    }
    Detour::Handled(0)
}
