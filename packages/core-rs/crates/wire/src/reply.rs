//! What the service answers.

use crate::addr::{Family, SockAddr};
use crate::cursor::{DecodeError, EncodeError, Reader, Writer};
use crate::frame::Header;
use crate::interface::Interface;
use crate::mark::SocketState;
use crate::request::{MAX_OPTION_LEN, Op};

/// Most addresses that a HELLO reply lists.
pub const MAX_ADDRESSES: usize = 8;
const MAX_MESSAGE_LEN: usize = 512;
/// Most bytes of an answer in one [`Reply::Part`].
pub const MAX_PART: usize = 1000;

/// Linux errno of the call, 0 for success: the first field of every reply.
pub type Status = u32;

/// Answer to HELLO and ATTACH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloReply<'a> {
    /// 0 if refused.
    pub session: u32,
    /// For people: why a program was refused and what to do. UTF-8, at most 512 bytes.
    pub message: &'a [u8],
    /// The addresses the service owns; the first `count` entries count.
    pub addresses: [SockAddr; MAX_ADDRESSES],
    /// How many of `addresses` are set.
    pub count: u8,
}

/// Answer to MAP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapReply {
    /// The table id of the socket.
    pub id: u32,
    /// The family it was created with.
    pub family: Family,
    /// What it has become.
    pub state: SocketState,
    /// Local address; wildcard and port 0 when not bound.
    pub local: SockAddr,
    /// Peer address; wildcard and port 0 when not connected.
    pub peer: SockAddr,
}

/// A decoded reply body; which one stands there follows from the op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The call failed: the errno, never 0.
    Failed(Status),
    /// HELLO, ATTACH.
    Hello(HelloReply<'a>),
    /// SOCKET: the table id; the fd travels beside.
    Socket {
        /// As in [`crate::Mark::id`].
        id: u32,
    },
    /// BIND, LISTEN, GETSOCKNAME, GETPEERNAME.
    Addr(SockAddr),
    /// CONNECT.
    Connect {
        /// getsockname(2) of the connected socket.
        local: SockAddr,
        /// getpeername(2) of the connected socket.
        peer: SockAddr,
    },
    /// MAP.
    Map(MapReply),
    /// GETSOCKOPT, READY: the value.
    Value(&'a [u8]),
    /// INTERFACE.
    Interface(Interface),
    /// SETSOCKOPT, SHUTDOWN, ACCEPTED: nothing but success.
    Done,
    /// RESOLVE: a piece of the answer; the pieces come in order.
    Part {
        /// Another piece follows.
        more: bool,
        /// At most [`MAX_PART`].
        bytes: &'a [u8],
    },
}

impl<'a> Reply<'a> {
    /// Writes the reply to request `id` of kind `op` into `buf`; returns its length. A failed
    /// HELLO still carries its body: use `status` for the errno there, 0 elsewhere.
    pub fn encode(
        &self,
        op: Op,
        id: u32,
        status: Status,
        buf: &mut [u8],
    ) -> Result<usize, EncodeError> {
        Header::encode_with(op.raw(), true, id, buf, |w| self.write(status, w))
    }

    /// Reads one record: op, id, status and body. A failed reply of any op but HELLO and ATTACH
    /// is [`Reply::Failed`].
    pub fn decode(frame: &'a [u8]) -> Result<(Op, u32, Status, Reply<'a>), DecodeError> {
        let (header, payload) = Header::decode(frame)?;
        if !header.is_reply {
            return Err(DecodeError::BadField);
        }
        let op = Op::from_raw(header.op).ok_or(DecodeError::UnknownOp(header.op))?;
        let mut r = Reader::new(payload);
        let status = r.u32()?;
        let body = match op {
            Op::Hello | Op::Attach => Reply::Hello(hello(&mut r)?),
            _ if status != 0 => Reply::Failed(status),
            Op::Socket => Reply::Socket { id: r.u32()? },
            Op::Bind | Op::Listen | Op::GetSockName | Op::GetPeerName => {
                Reply::Addr(SockAddr::read(&mut r)?)
            }
            Op::Connect => Reply::Connect {
                local: SockAddr::read(&mut r)?,
                peer: SockAddr::read(&mut r)?,
            },
            Op::Map => Reply::Map(map(&mut r)?),
            Op::GetSockOpt | Op::Ready => {
                let value = r.bytes()?;
                if value.len() > MAX_OPTION_LEN {
                    return Err(DecodeError::BadField);
                }
                Reply::Value(value)
            }
            Op::Interface => Reply::Interface(Interface::read(&mut r)?),
            Op::SetSockOpt | Op::Shutdown | Op::Accepted | Op::NoDelay | Op::Dial => Reply::Done,
            Op::Resolve => {
                let (more, bytes) = (r.u8()? != 0, r.bytes()?);
                if bytes.len() > MAX_PART {
                    return Err(DecodeError::BadField);
                }
                Reply::Part { more, bytes }
            }
        };
        Ok((op, header.id, status, body))
    }

    fn write(&self, status: Status, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Reply::Failed(errno) => w.u32(*errno),
            Reply::Hello(hello) => {
                w.u32(status)?;
                w.u32(hello.session)?;
                w.bytes(hello.message, MAX_MESSAGE_LEN)?;
                let count = usize::from(hello.count);
                let addresses = hello
                    .addresses
                    .get(..count)
                    .ok_or(EncodeError::FieldTooLong)?;
                w.u8(hello.count)?;
                addresses.iter().try_for_each(|a| a.write(w))
            }
            Reply::Socket { id } => {
                w.u32(0)?;
                w.u32(*id)
            }
            Reply::Addr(addr) => {
                w.u32(0)?;
                addr.write(w)
            }
            Reply::Connect { local, peer } => {
                w.u32(status)?;
                local.write(w)?;
                peer.write(w)
            }
            Reply::Map(map) => {
                w.u32(0)?;
                w.u32(map.id)?;
                w.u16(map.family.raw())?;
                w.u8(map.state as u8)?;
                map.local.write(w)?;
                map.peer.write(w)
            }
            Reply::Value(value) => {
                w.u32(0)?;
                w.bytes(value, MAX_OPTION_LEN)
            }
            Reply::Interface(interface) => {
                w.u32(0)?;
                interface.write(w)
            }
            Reply::Done => w.u32(0),
            Reply::Part { more, bytes } => {
                w.u32(0)?;
                w.u8(u8::from(*more))?;
                w.bytes(bytes, MAX_PART)
            }
        }
    }
}

fn hello<'a>(r: &mut Reader<'a>) -> Result<HelloReply<'a>, DecodeError> {
    let session = r.u32()?;
    let message = r.bytes()?;
    if message.len() > MAX_MESSAGE_LEN {
        return Err(DecodeError::BadField);
    }
    let count = r.u8()?;
    let mut addresses = [SockAddr::unspecified(Family::Inet); MAX_ADDRESSES];
    let used = addresses
        .get_mut(..usize::from(count))
        .ok_or(DecodeError::BadField)?;
    for slot in used {
        *slot = SockAddr::read(r)?;
    }
    Ok(HelloReply {
        session,
        message,
        addresses,
        count,
    })
}

fn map(r: &mut Reader<'_>) -> Result<MapReply, DecodeError> {
    Ok(MapReply {
        id: r.u32()?,
        family: Family::from_raw(r.u16()?).ok_or(DecodeError::BadField)?,
        state: SocketState::from_raw(r.u8()?).ok_or(DecodeError::BadField)?,
        local: SockAddr::read(r)?,
        peer: SockAddr::read(r)?,
    })
}

/// Answers a frame that could not be decoded, as far as its header can be read, with an errno.
pub fn refuse(frame: &[u8], errno: Status, buf: &mut [u8]) -> Result<usize, DecodeError> {
    let (header, _) = Header::decode(frame)?;
    Header::encode_with(header.op, true, header.id, buf, |w| w.u32(errno))
        .map_err(|_| DecodeError::Truncated)
}
