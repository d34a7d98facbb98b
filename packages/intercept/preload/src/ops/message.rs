//! recvmsg(2), sendmsg(2) and their plurals where a name, control data or a flag is involved.

use core::ffi::{c_int, c_void};
use core::mem::{offset_of, size_of};

use crate::abi::{self, Mmsghdr, Msghdr};
use crate::detour::Detour;
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::ops::{data, datagrams};
use crate::real::{self, Call};
use crate::{sys, user};

/// Most buffers of one message (include/uapi/linux/uio.h).
const UIO_MAXIOV: usize = 1024;

/// Whether a message needs [`receive`]: a name or a rare flag. Control data is harmless: the
/// service never sends any.
///
/// # Safety
/// `message` is the program's, and readable unless it is on the first page.
#[inline]
pub(crate) unsafe fn receive_is_special(message: *const Msghdr, flags: c_int) -> bool {
    if flags & data::RECEIVE_SPECIAL != 0 {
        return true;
    }
    // SAFETY: the caller's contract.
    is_readable(message) && unsafe { !(*message).name.is_null() }
}

/// Whether a message needs [`send`]: a name, control data or a rare flag.
///
/// # Safety
/// As [`receive_is_special`].
#[inline]
pub(crate) unsafe fn send_is_special(message: *const Msghdr, flags: c_int) -> bool {
    if flags & data::SEND_SPECIAL != 0 {
        return true;
    }
    if !is_readable(message) {
        return false;
    }
    // SAFETY: the caller's contract.
    let header = unsafe { &*message };
    !header.name.is_null() || header.controllen != 0
}

fn is_readable(message: *const Msghdr) -> bool {
    message as usize >= 4096
}

/// recvmsg(2)
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn receive(fd: c_int, message: *mut Msghdr, flags: c_int) -> Detour<isize> {
    match identity::socket(fd) {
        // SAFETY: the caller's contract.
        Ok(socket) => unsafe { receive_one(&socket, message, flags) }.into(),
        Err(reason) => Detour::Bypass(reason),
    }
}

unsafe fn receive_one(socket: &Socket, message: *mut Msghdr, flags: c_int) -> Result<isize, Errno> {
    // SAFETY: the caller's contract.
    let mut header = unsafe { read_header(message) }?;
    let named = !header.name.is_null();
    // SAFETY: the caller's contract.
    let len = unsafe { total_len(&header) };
    // SAFETY: the caller's contract.
    let result = match unsafe { data::special_receive(socket, len, flags) } {
        Some(result) => {
            header.flags = 0;
            result?
        }
        None => {
            // TCP has no name to give (inet_recvmsg).
            header.name = core::ptr::null_mut();
            let args = [
                sys::int(socket.fd),
                &raw mut header as usize,
                sys::int(flags),
                0,
                0,
                0,
            ];
            // SAFETY: the caller's contract; `header` is a copy of the program's.
            let result = unsafe { real::call(Call::Recvmsg, args) };
            data::judged(socket.fd, result, len)?
        }
    };
    let out = message.cast::<u8>();
    if named {
        // SAFETY: the caller's contract; the field lies within the header.
        unsafe { user::write(out.add(offset_of!(Msghdr, namelen)).cast(), &[0; 4]) }?;
    }
    // SAFETY: as above.
    unsafe { user::write(out.add(offset_of!(Msghdr, controllen)).cast(), &[0; 8]) }?;
    // SAFETY: as above.
    unsafe {
        user::write(
            out.add(offset_of!(Msghdr, flags)).cast(),
            &header.flags.to_ne_bytes(),
        )
    }?;
    Ok(result)
}

/// sendmsg(2)
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn send(fd: c_int, message: *const Msghdr, flags: c_int) -> Detour<isize> {
    match identity::socket(fd) {
        // SAFETY: the caller's contract.
        Ok(socket) => unsafe { send_one(&socket, message, flags) },
        Err(reason) => {
            // SAFETY: the caller's contract.
            unsafe { datagrams::steer_message(fd, message) }.unwrap_or(Detour::Bypass(reason))
        }
    }
}

unsafe fn send_one(socket: &Socket, message: *const Msghdr, flags: c_int) -> Detour<isize> {
    // SAFETY: the caller's contract.
    let mut header = match unsafe { read_header(message) } {
        Ok(header) => header,
        Err(errno) => return Detour::Failed(errno),
    };
    // SAFETY: the caller's contract.
    let opened = unsafe { data::open_fast(socket, flags, header.name, header.namelen) };
    if let Err(errno) = opened {
        return Detour::Failed(errno);
    }
    let (flags, sigpipe) = data::send_flags(flags & !data::SEND_SPECIAL);
    header.name = core::ptr::null_mut();
    // TCP ignores SCM_RIGHTS; a unix socket would pass the fds to the service.
    header.control = core::ptr::null_mut();
    header.controllen = 0;
    let args = [
        sys::int(socket.fd),
        &raw const header as usize,
        sys::int(flags),
        0,
        0,
        0,
    ];
    // SAFETY: the caller's contract; `header` is a copy of the program's.
    let result = unsafe { real::call(Call::Sendmsg, args) };
    // SAFETY: the caller's contract.
    let len = unsafe { total_len(&header) };
    data::finish_send(socket.fd, Some(len), result, sigpipe)
}

/// Where a message is to go: null where it says nothing.
///
/// # Safety
/// `message` is the program's.
pub(crate) unsafe fn name_of(message: *const Msghdr) -> Result<(*const c_void, u32), Errno> {
    // SAFETY: the caller's contract.
    let header = unsafe { read_header(message) }?;
    Ok((header.name.cast_const(), header.namelen))
}

unsafe fn read_header(message: *const Msghdr) -> Result<Msghdr, Errno> {
    const SIZE: usize = size_of::<Msghdr>();
    // SAFETY: the caller's contract.
    let bytes = unsafe { user::read::<SIZE>(message.cast(), SIZE) }?;
    // SAFETY: every bit pattern is a Msghdr: integers and raw pointers.
    let mut header = unsafe { core::mem::transmute::<[u8; SIZE], Msghdr>(bytes) };
    if !real::is_glibc() {
        // POSIX's types, as musl has them: int and socklen_t, and padding that holds anything.
        header.iovlen &= 0xffff_ffff;
        header.controllen &= 0xffff_ffff;
    }
    Ok(header)
}

/// The bytes that the buffers hold; nothing where the kernel refuses their number (`UIO_MAXIOV`,
/// readv(2)).
unsafe fn total_len(header: &Msghdr) -> usize {
    if header.iovlen > UIO_MAXIOV {
        return 0;
    }
    let mut total = 0_usize;
    for n in 0..header.iovlen {
        // SAFETY: the program says that there are `iovlen` entries.
        let entry = unsafe { header.iov.add(n) };
        // SAFETY: as above.
        total = total.saturating_add(unsafe { (*entry).len });
    }
    total
}

/// recvmmsg(2) on one of ours, one message at a time. The time-out is looked at by nobody: on a
/// stream the first message holds what there is.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn receive_many(
    fd: c_int,
    messages: *mut Mmsghdr,
    count: u32,
    flags: c_int,
) -> Detour<isize> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => return Detour::Bypass(reason),
    };
    let mut flags_now = flags & !abi::MSG_WAITFORONE;
    // SAFETY: the caller's contract.
    unsafe {
        each(messages, count, Empty::Ends, |message| {
            let result = receive_one(&socket, message, flags_now)?;
            if flags & abi::MSG_WAITFORONE != 0 {
                flags_now |= abi::MSG_DONTWAIT;
            }
            Ok(result)
        })
    }
}

/// sendmmsg(2) on one of ours.
///
/// # Safety
/// The arguments are the program's own.
pub(crate) unsafe fn send_many(
    fd: c_int,
    messages: *mut Mmsghdr,
    count: u32,
    flags: c_int,
) -> Detour<isize> {
    let socket = match identity::socket(fd) {
        Ok(socket) => socket,
        Err(reason) => {
            // SAFETY: the caller's contract.
            return unsafe { datagrams::send_many(fd, messages, count, flags) }
                .unwrap_or(Detour::Bypass(reason));
        }
    };
    // SAFETY: the caller's contract.
    unsafe {
        each(messages, count, Empty::Ends, |message| {
            match send_one(&socket, message, flags) {
                Detour::Handled(sent) => Ok(sent),
                Detour::Failed(errno) => Err(errno),
                Detour::Bypass(_) => Err(Errno::EIO),
            }
        })
    }
}

/// What a message without a byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Empty {
    /// The end of a stream.
    Ends,
    /// A datagram as any other.
    Counts,
}

/// Runs a message call over an array; an error counts only if nothing was done before it
/// (recvmmsg(2), "Return value").
///
/// # Safety
/// `messages` are the program's, `count` of them.
pub(crate) unsafe fn each(
    messages: *mut Mmsghdr,
    count: u32,
    empty: Empty,
    mut one: impl FnMut(*mut Msghdr) -> Result<isize, Errno>,
) -> Detour<isize> {
    let mut done = 0_isize;
    for n in 0..count as usize {
        // SAFETY: the program says that there are `count` entries.
        let entry = unsafe { messages.add(n) };
        // SAFETY: as above; no reference is made.
        let header = unsafe { &raw mut (*entry).hdr };
        let result = match one(header) {
            Ok(result) => result,
            Err(errno) if done == 0 => return Detour::Failed(errno),
            Err(_) => break,
        };
        let len = u32::try_from(result).unwrap_or(0);
        let out = entry.cast::<u8>();
        // SAFETY: the field lies within the entry.
        let field = unsafe { out.add(offset_of!(Mmsghdr, len)) };
        // SAFETY: the caller's contract.
        if unsafe { user::write(field.cast::<c_void>(), &len.to_ne_bytes()) }.is_err() {
            break;
        }
        done += 1;
        if result == 0 && empty == Empty::Ends {
            break;
        }
    }
    Detour::Handled(done)
}
