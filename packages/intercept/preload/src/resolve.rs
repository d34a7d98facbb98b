//! Asking the service about names.
//!
//! The answer comes on a socketpair of the call's own, in parts, so that a slow server holds up
//! neither the channel nor the other threads. A signal does not end the wait: getaddrinfo(3) and its
//! relatives do not know EINTR. See docs/internals/names.md.

use core::ffi::c_int;

use netcon_wire::{Addresses, Question, Reply, Request};

use crate::abi;
use crate::errno::Errno;
use crate::{rpc, sys};

/// Asks; `take` gets each part and the offset it stands at. Returns the length of the answer.
/// ENETDOWN: no service, or one that has gone or knows no such question.
pub(crate) fn ask(
    question: Question<'_>,
    mut take: impl FnMut(usize, &[u8]),
) -> Result<usize, Errno> {
    let [mine, theirs] = sys::socketpair(abi::SOCK_SEQPACKET)?;
    let mut buf = rpc::buffer();
    let posted = rpc::post(&Request::Resolve(question), &[theirs], &mut buf);
    let _ = sys::close(theirs);
    let answer = posted.and_then(|()| collect(mine, &mut buf, &mut take));
    let _ = sys::close(mine);
    answer
}

fn collect(
    mine: c_int,
    buf: &mut rpc::Buffer,
    take: &mut impl FnMut(usize, &[u8]),
) -> Result<usize, Errno> {
    let mut total: usize = 0;
    loop {
        let received = match sys::recv_with_fds(mine, buf, true) {
            Err(Errno::EINTR) => continue,
            Ok(received) if received.len > 0 => received,
            Ok(_) | Err(_) => return Err(Errno::ENETDOWN),
        };
        let Reply::Part { more, bytes } = rpc::parse(buf.get(..received.len).unwrap_or(&[]))?
        else {
            return Err(Errno::EPROTO);
        };
        take(total, bytes);
        total = total.saturating_add(bytes.len());
        if !more {
            return Ok(total);
        }
    }
}

/// [`ask`], into a buffer; an answer that is longer is an error.
pub(crate) fn ask_into<'a>(question: Question<'_>, out: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let total = ask(question, |at, bytes| store(out, at, bytes))?;
    out.get(..total).ok_or(Errno::EMSGSIZE)
}

/// Copies what fits.
pub(crate) fn store(out: &mut [u8], at: usize, bytes: &[u8]) {
    let room = out.get_mut(at..).unwrap_or(&mut []);
    for (to, from) in room.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// Puts the addresses of a list (17 bytes each) into the order in which to try them: the place that
/// each position of `order` names. `None` if the service does not say.
pub(crate) fn order<'a>(list: &[u8], order: &'a mut [u8]) -> Option<&'a [u8]> {
    let count = Addresses(list).count();
    let places = ask_into(Question::Order(list), order).ok()?;
    let is_permutation = places.len() == count
        && (0..count).all(|i| places.iter().any(|&place| usize::from(place) == i));
    is_permutation.then_some(places)
}
