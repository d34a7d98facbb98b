//! One question to the service, and its answer.
//!
//! A short call holds the lock, sends one record and reads records until the reply with its id
//! comes; a stale reply (of a call that timed out or did not wait) is dropped with its fds. A service that has gone
//! closes the channel: a request that could not be sent is tried once more on a new channel, one
//! that was sent is not repeated.

use core::ffi::c_int;
use core::sync::atomic::{AtomicU32, Ordering};

use netcon_wire::{MAX_FRAME, Reply, Request};

use crate::channel;
use crate::errno::Errno;
use crate::lock::Held;
use crate::{spin, sys};

/// Room for a request and then its reply.
pub(crate) type Buffer = [u8; MAX_FRAME];

/// A buffer for [`call`].
pub(crate) const fn buffer() -> Buffer {
    [0; MAX_FRAME]
}

static NEXT_ID: AtomicU32 = AtomicU32::new(0);

/// Requests of [`tell`] since the last call that waited: their replies are, or will be, in the channel.
static UNREAD: AtomicU32 = AtomicU32::new(0);
/// The id of the last of them.
static LAST_TOLD: AtomicU32 = AtomicU32::new(0);
/// Far fewer than the replies that a channel holds: the one of a call that waits must not be lost.
const MAX_UNREAD: u32 = 16;

/// Asks; a failed reply is an error.
pub(crate) fn call<'a>(
    request: &Request<'_>,
    fds: &[c_int],
    buf: &'a mut Buffer,
) -> Result<Reply<'a>, Errno> {
    call_for_fd(request, fds, buf, true).map(|(reply, fd)| {
        if let Some(unexpected) = fd {
            let _ = sys::close(unexpected);
        }
        reply
    })
}

/// Asks for something that comes with an fd.
pub(crate) fn call_for_fd<'a>(
    request: &Request<'_>,
    fds: &[c_int],
    buf: &'a mut Buffer,
    cloexec: bool,
) -> Result<(Reply<'a>, Option<c_int>), Errno> {
    let (reply, fd) = exchange(request, fds, buf, cloexec)?;
    match reply {
        Ok(reply) => Ok((reply, fd)),
        Err(errno) => {
            discard(fd);
            Err(errno)
        }
    }
}

/// A reply, or the errno in it, and the fd that came beside it either way.
pub(crate) type Answer<'a> = (Result<Reply<'a>, Errno>, Option<c_int>);

/// Asks; fails itself only where there is no reply.
pub(crate) fn exchange<'a>(
    request: &Request<'_>,
    fds: &[c_int],
    buf: &'a mut Buffer,
    cloexec: bool,
) -> Result<Answer<'a>, Errno> {
    let (reply, [fd, extra @ ..]) = exchange_fds(request, fds, buf, cloexec)?;
    extra.into_iter().for_each(discard);
    Ok((reply, fd))
}

/// The same with all the fds that came, close-on-exec.
pub(crate) fn exchange_pair<'a>(
    request: &Request<'_>,
    fds: &[c_int],
    buf: &'a mut Buffer,
) -> Result<(Result<Reply<'a>, Errno>, Fds), Errno> {
    exchange_fds(request, fds, buf, true)
}

type Fds = [Option<c_int>; sys::MAX_FDS];

fn exchange_fds<'a>(
    request: &Request<'_>,
    fds: &[c_int],
    buf: &'a mut Buffer,
    cloexec: bool,
) -> Result<(Result<Reply<'a>, Errno>, Fds), Errno> {
    let held = Held::take();
    let (channel, id) = send_on_channel(&held, request, fds, buf)?;
    match await_reply(channel, id, buf, cloexec) {
        Ok((len, fds)) => {
            UNREAD.store(0, Ordering::Relaxed);
            drop(held);
            Ok((parse(buf.get(..len).unwrap_or(&[])), fds))
        }
        Err(Failure::Channel) => {
            channel::forget(&held, channel);
            Err(Errno::ENETDOWN)
        }
        Err(Failure::FdLost) => Err(Errno::EMFILE),
    }
}

/// Asks for what cannot be refused, and does not wait: the channel keeps the order, and the fd in the
/// record keeps the socket open until it was served: before the program closes it, [`catch_up`]. The next
/// call that waits drops the reply.
pub(crate) fn tell(request: &Request<'_>, fds: &[c_int], buf: &mut Buffer) -> Result<(), Errno> {
    if UNREAD.load(Ordering::Relaxed) >= MAX_UNREAD {
        return call(request, fds, buf).map(|_| ());
    }
    let held = Held::take();
    let (_, id) = send_on_channel(&held, request, fds, buf)?;
    LAST_TOLD.store(id, Ordering::Relaxed);
    UNREAD.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Waits until what was told is served, and with it no fd of this process is in a record any more.
///
/// A description that lives on in a record after the program has closed it is still in the program's
/// epoll sets (epoll(7), questions and answers): events would come for what is no fd any longer, and
/// when the record's copy goes while epoll_wait(2) looks at it, the kernel releases the socket only when that
/// call returns: nobody would be told of the close.
pub(crate) fn catch_up() {
    if !has_told() {
        return;
    }
    let held = Held::take();
    // What a parent has told is the parent's to wait for; another thread may have read it all meanwhile.
    if let Some(channel) = channel::current(&held).filter(|_| has_told()) {
        let last = LAST_TOLD.load(Ordering::Relaxed);
        let mut buf = buffer();
        match await_reply(channel, last, &mut buf, true) {
            Ok((_, fds)) => fds.into_iter().for_each(discard),
            Err(Failure::Channel) => channel::forget(&held, channel),
            Err(Failure::FdLost) => {}
        }
        UNREAD.store(0, Ordering::Relaxed);
    }
}

/// The channel is another: replies on the one before, perhaps a parent's, are not for this process.
pub(crate) fn nothing_told() {
    UNREAD.store(0, Ordering::Relaxed);
}

/// Whether a record of [`tell`] may be unserved.
pub(crate) fn has_told() -> bool {
    UNREAD.load(Ordering::Relaxed) > 0
}

/// Sends a request that has no answer.
pub(crate) fn say(request: &Request<'_>) -> Result<(), Errno> {
    let mut buf = buffer();
    post(request, &[], &mut buf)
}

/// Sends a request whose reply comes elsewhere: on the second fd.
pub(crate) fn post(request: &Request<'_>, fds: &[c_int], buf: &mut Buffer) -> Result<(), Errno> {
    let held = Held::take();
    send_on_channel(&held, request, fds, buf).map(|_| ())
}

/// Decodes a record received elsewhere than on the channel.
pub(crate) fn parse(record: &[u8]) -> Result<Reply<'_>, Errno> {
    match Reply::decode(record) {
        Ok((_, _, _, Reply::Failed(status))) => Err(errno(status)),
        Ok((_, _, _, reply)) => Ok(reply),
        Err(_) => Err(Errno::EPROTO),
    }
}

/// A status field as an errno; what is no Linux errno is `EPROTO`.
pub(crate) fn errno(status: u32) -> Errno {
    match i32::try_from(status) {
        Ok(number @ 1..4096) => Errno(number),
        _ => Errno::EPROTO,
    }
}

/// Writes one request to a given channel; returns its id.
pub(crate) fn send(
    channel: c_int,
    request: &Request<'_>,
    fds: &[c_int],
    buf: &mut Buffer,
) -> Result<u32, Errno> {
    let id = next_id();
    let len = request.encode(id, buf).map_err(|_| Errno::EINVAL)?;
    let record = buf.get(..len).ok_or(Errno::EINVAL)?;
    sys::send_with_fds(channel, record, fds)?;
    Ok(id)
}

/// Reads the reply with that id from a given channel: status and body, HELLO's even if refused.
pub(crate) fn receive(
    channel: c_int,
    id: u32,
    buf: &mut Buffer,
) -> Result<(u32, Reply<'_>), Errno> {
    let (len, fds) = await_reply(channel, id, buf, true).map_err(|_| Errno::ENETDOWN)?;
    fds.into_iter().for_each(discard);
    let record = buf.get(..len).unwrap_or(&[]);
    let (_, _, status, reply) = Reply::decode(record).map_err(|_| Errno::EPROTO)?;
    Ok((status, reply))
}

fn send_on_channel(
    held: &Held,
    request: &Request<'_>,
    fds: &[c_int],
    buf: &mut Buffer,
) -> Result<(c_int, u32), Errno> {
    let channel = channel::ready(held)?;
    match send(channel, request, fds, buf) {
        Ok(id) => Ok((channel, id)),
        Err(errno) if is_gone(errno) => {
            channel::forget(held, channel);
            let channel = channel::ready(held)?;
            let id = send(channel, request, fds, buf).map_err(|_| Errno::ENETDOWN)?;
            Ok((channel, id))
        }
        // Fds in flight exhausted (unix(7) ETOOMANYREFS) and the like are the caller's to see.
        Err(errno) => Err(errno),
    }
}

fn is_gone(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::EPIPE | Errno::ECONNRESET | Errno::ENOTCONN | Errno::EAGAIN | Errno::ECONNREFUSED
    )
}

enum Failure {
    /// End of file, a time-out, an error: the channel is of no more use.
    Channel,
    /// The fd that came could not be installed: the program's table is full.
    FdLost,
}

fn await_reply(
    channel: c_int,
    id: u32,
    buf: &mut Buffer,
    cloexec: bool,
) -> Result<(usize, Fds), Failure> {
    loop {
        let received = spin::wait(|wait| {
            if wait {
                sys::recv_with_fds(channel, buf, cloexec)
            } else {
                sys::try_recv_with_fds(channel, buf, cloexec)
            }
        });
        let received = match received {
            Ok(received) if received.len > 0 => received,
            // Not with signals blocked; a debugger or a freezer can still cause it.
            Err(Errno::EINTR) => continue,
            Ok(_) | Err(_) => return Err(Failure::Channel),
        };
        let fds = received.fds.map(|fd| (fd >= 0).then_some(fd));
        let record = buf.get(..received.len).unwrap_or(&[]);
        let is_ours = matches!(netcon_wire::Header::decode(record),
            Ok((header, _)) if header.is_reply && header.id == id);
        if !is_ours {
            fds.into_iter().for_each(discard);
            continue;
        }
        if received.fds_lost {
            fds.into_iter().for_each(discard);
            return Err(Failure::FdLost);
        }
        return Ok((received.len, fds));
    }
}

fn discard(fd: Option<c_int>) {
    if let Some(fd) = fd {
        let _ = sys::close(fd);
    }
}

/// Ids of one process differ; those of an exec'd image start elsewhere, so that a reply left in the
/// channel is not taken for a new one.
fn next_id() -> u32 {
    if NEXT_ID.load(Ordering::Relaxed) == 0 {
        // The low half changes fastest.
        #[allow(clippy::cast_possible_truncation)]
        let seed = sys::nanoseconds() as u32 ^ sys::getpid();
        NEXT_ID.store(seed | 1, Ordering::Relaxed);
    }
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}
