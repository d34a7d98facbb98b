//! What a program asks of the service.

use crate::addr::{Family, SockAddr};
use crate::cursor::{DecodeError, EncodeError, Reader, Writer};
use crate::frame::Header;
use crate::question::Question;

/// Longest program name in HELLO and ATTACH, bytes.
pub const MAX_PROGRAM_LEN: usize = 64;
/// Longest option value in GETSOCKOPT and SETSOCKOPT, bytes (`struct tcp_info` fits).
pub const MAX_OPTION_LEN: usize = 512;
/// SOCKET: create the description with `O_NONBLOCK`.
pub const SOCKET_NONBLOCK: u8 = 1;
/// SOCKET: informational, the library receives the fd with `MSG_CMSG_CLOEXEC`.
pub const SOCKET_CLOEXEC: u8 = 2;
/// CONNECT: the description has `O_NONBLOCK`; answer `EINPROGRESS` and go on.
pub const CONNECT_NONBLOCKING: u8 = 1;
/// CONNECT: the reply goes to the second fd passed, when the handshake has ended.
pub const CONNECT_WAIT: u8 = 2;
/// CONNECT: the wait was interrupted; a connect that is under way goes on as a non-blocking one.
/// The address does not count. Answered by `EALREADY`, or `EINVAL` when none is under way.
pub const CONNECT_DETACH: u8 = 4;
/// CONNECT: the library has connected the description to the session's listener (see [`Op::Ready`]),
/// filled its send buffer and marked it; there is no answer, what fails is the socket's error.
pub const CONNECT_FILLED: u8 = 8;
/// CONNECT: the program closes the description while its connect is under way; the service lets go of it
/// before it answers. The address does not count.
pub const CONNECT_RELEASE: u8 = 16;
/// READY: sockets in one record at most.
pub const MAX_READY: usize = 32;

/// GETSOCKOPT: a level of netcon's own, for what programs ask of a socket by other calls.
pub const LEVEL_NETCON: i32 = 0x4e43;
/// GETSOCKOPT of [`LEVEL_NETCON`]: an int, `SIOCOUTQ` (tcp(7)): octets written and not acknowledged.
pub const NETCON_OUTQ: i32 = 1;
/// GETSOCKOPT of [`LEVEL_NETCON`]: an int, `SIOCOUTQNSD`: octets written and not sent.
pub const NETCON_OUTQNSD: i32 = 2;
/// SETSOCKOPT of [`LEVEL_NETCON`], without a value: the next close(2) of this end of a direct connection is to be a
/// reset for the other.
pub const NETCON_RESET: i32 = 3;

/// What kind of socket SOCKET asks for: on the wire a trailing byte, absent (a stream) in version 1.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SocketKind {
    /// `SOCK_STREAM`: TCP. A unix socket that stands for a PCB.
    #[default]
    Stream = 0,
    /// `SOCK_DGRAM`: UDP. This kind and those below are kernel sockets of the service's namespace.
    Udp = 1,
    /// `SOCK_DGRAM`, `IPPROTO_UDPLITE`.
    UdpLite = 2,
    /// `SOCK_DGRAM`, `IPPROTO_ICMP` or `IPPROTO_ICMPV6`: echo requests and replies.
    Ping = 3,
}

impl SocketKind {
    /// The kind with that number.
    pub const fn from_raw(raw: u8) -> Option<SocketKind> {
        Some(match raw {
            0 => SocketKind::Stream,
            1 => SocketKind::Udp,
            2 => SocketKind::UdpLite,
            3 => SocketKind::Ping,
            _ => return None,
        })
    }
}

/// Op numbers; the fds that travel with a request are named in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Op {
    /// The first frame of a channel: who asks. No fd. Answered by [`crate::HelloReply`].
    Hello = 1,
    /// A child or an exec'd program opens a channel of its own over an inherited one.
    /// fds: one end of a `SOCK_SEQPACKET` pair; the reply (a [`crate::HelloReply`]) comes on the
    /// other end.
    Attach = 2,
    /// socket(2). The reply carries the new description.
    Socket = 3,
    /// bind(2). fds: the socket. Answered by the address bound.
    Bind = 4,
    /// listen(2). fds: the socket. Answered by the address listened on.
    Listen = 5,
    /// connect(2). fds: the socket, and with `CONNECT_WAIT` the socket that the reply goes to.
    /// Answered by both addresses.
    Connect = 6,
    /// Is this fd one of ours, and mapped to what? fds: the socket.
    Map = 7,
    /// getsockname(2). fds: the socket.
    GetSockName = 8,
    /// getpeername(2). fds: the socket.
    GetPeerName = 9,
    /// getsockopt(2). fds: the socket. Answered by the value.
    GetSockOpt = 10,
    /// setsockopt(2). fds: the socket.
    SetSockOpt = 11,
    /// shutdown(2) of a socket that is not connected. fds: the socket.
    Shutdown = 12,
    /// The library has accepted a connection: ties the accepted description to its entry.
    /// fds: the accepted socket.
    Accepted = 13,
    /// netdevice(7), getifaddrs(3): one of the interfaces that programs see. No fd. Answered by
    /// [`crate::Interface`], or `ENODEV` behind the last.
    Interface = 14,
    /// Names and addresses: see [`Question`]. fds: the socket that the answer goes to, in
    /// [`crate::Reply::Part`]s; it is closed without one when the service ends.
    Resolve = 15,
    /// Stream sockets of that family are to lie ready. No fd. Answered by a value, the octets (u32) that fill
    /// the smallest send buffer and whether [`Op::Dial`] works (u8), and two fds: a `SOCK_SEQPACKET` socket from which sockets are taken, several
    /// in a record, which has their ids (u32 each); and an `O_PATH` fd of the listener for
    /// [`CONNECT_FILLED`].
    Ready = 16,
    /// `TCP_NODELAY` of a connected socket, which is named by what its holder reads from its name. No fd, and
    /// no answer: a record that held the description would keep it in the program's epoll sets.
    NoDelay = 17,
    /// CONNECT with [`CONNECT_FILLED`] of a description that is named by its number: where the service may fetch
    /// it (pidfd_getfd(2)), so that it is in no record. No fd, and no answer.
    Dial = 18,
}

impl Op {
    /// The op with that number.
    pub const fn from_raw(raw: u16) -> Option<Op> {
        Some(match raw {
            1 => Op::Hello,
            2 => Op::Attach,
            3 => Op::Socket,
            4 => Op::Bind,
            5 => Op::Listen,
            6 => Op::Connect,
            7 => Op::Map,
            8 => Op::GetSockName,
            9 => Op::GetPeerName,
            10 => Op::GetSockOpt,
            11 => Op::SetSockOpt,
            12 => Op::Shutdown,
            13 => Op::Accepted,
            14 => Op::Interface,
            15 => Op::Resolve,
            16 => Op::Ready,
            17 => Op::NoDelay,
            18 => Op::Dial,
            _ => return None,
        })
    }

    /// The number on the wire.
    pub const fn raw(self) -> u16 {
        self as u16
    }
}

/// A decoded request; byte fields borrow from the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// See [`Op::Hello`]. `pid` as the program sees itself; the credentials that count are the
    /// socket's.
    Hello {
        /// getpid(2) in the program's own pid namespace.
        pid: u32,
        /// The last component of `/proc/self/exe`, at most [`MAX_PROGRAM_LEN`] bytes.
        program: &'a [u8],
    },
    /// See [`Op::Attach`].
    Attach {
        /// getpid(2) in the program's own pid namespace.
        pid: u32,
        /// As in HELLO.
        program: &'a [u8],
    },
    /// See [`Op::Socket`].
    Socket {
        /// `AF_INET` or `AF_INET6`.
        family: Family,
        /// [`SOCKET_NONBLOCK`] | [`SOCKET_CLOEXEC`].
        flags: u8,
        /// Stream or one of the datagram kinds.
        kind: SocketKind,
    },
    /// See [`Op::Bind`].
    Bind {
        /// The address asked for; port 0 lets the service choose.
        addr: SockAddr,
    },
    /// See [`Op::Listen`].
    Listen {
        /// As given to listen(2).
        backlog: i32,
    },
    /// See [`Op::Connect`].
    Connect {
        /// The destination.
        addr: SockAddr,
        /// [`CONNECT_NONBLOCKING`], and one of the others.
        flags: u8,
    },
    /// See [`Op::Map`].
    Map,
    /// See [`Op::GetSockName`].
    GetSockName,
    /// See [`Op::GetPeerName`].
    GetPeerName,
    /// See [`Op::GetSockOpt`].
    GetSockOpt {
        /// `SOL_SOCKET`, `IPPROTO_TCP`, ...
        level: i32,
        /// `SO_*`, `TCP_*`, ...
        name: i32,
        /// Bytes the caller has room for.
        len: u16,
    },
    /// See [`Op::SetSockOpt`].
    SetSockOpt {
        /// `SOL_SOCKET`, `IPPROTO_TCP`, ...
        level: i32,
        /// `SO_*`, `TCP_*`, ...
        name: i32,
        /// The value, at most [`MAX_OPTION_LEN`] bytes.
        value: &'a [u8],
    },
    /// See [`Op::Shutdown`].
    Shutdown {
        /// `SHUT_RD`, `SHUT_WR` or `SHUT_RDWR`.
        how: u8,
    },
    /// See [`Op::Accepted`].
    Accepted,
    /// See [`Op::Interface`].
    Interface {
        /// Which: from 0, below [`crate::MAX_INTERFACES`].
        position: u8,
    },
    /// See [`Op::Resolve`].
    Resolve(Question<'a>),
    /// See [`Op::Ready`].
    Ready {
        /// `AF_INET` or `AF_INET6`.
        family: Family,
        /// So many are to be put into the queue that is there, and there is no answer; 0 asks for the queue.
        more: u8,
        /// The number of the channel's own fd, to try whether fds can be fetched.
        channel: i32,
    },
    /// See [`Op::Dial`].
    Dial {
        /// The destination.
        addr: SockAddr,
        /// The number of the description's fd in the process that asks.
        fd: i32,
    },
    /// See [`Op::NoDelay`].
    NoDelay {
        /// Of the socket's name.
        id: u32,
        /// Of the socket's name.
        token: u64,
        /// The value.
        on: bool,
    },
}

impl<'a> Request<'a> {
    /// The op of this request.
    pub const fn op(&self) -> Op {
        match self {
            Request::Hello { .. } => Op::Hello,
            Request::Attach { .. } => Op::Attach,
            Request::Socket { .. } => Op::Socket,
            Request::Bind { .. } => Op::Bind,
            Request::Listen { .. } => Op::Listen,
            Request::Connect { .. } => Op::Connect,
            Request::Map => Op::Map,
            Request::GetSockName => Op::GetSockName,
            Request::GetPeerName => Op::GetPeerName,
            Request::GetSockOpt { .. } => Op::GetSockOpt,
            Request::SetSockOpt { .. } => Op::SetSockOpt,
            Request::Shutdown { .. } => Op::Shutdown,
            Request::Accepted => Op::Accepted,
            Request::Interface { .. } => Op::Interface,
            Request::Resolve(_) => Op::Resolve,
            Request::Ready { .. } => Op::Ready,
            Request::NoDelay { .. } => Op::NoDelay,
            Request::Dial { .. } => Op::Dial,
        }
    }

    /// Writes the frame into `buf` (of [`crate::MAX_FRAME`] bytes); returns its length.
    pub fn encode(&self, id: u32, buf: &mut [u8]) -> Result<usize, EncodeError> {
        Header::encode_with(self.op().raw(), false, id, buf, |w| self.write(w))
    }

    /// Reads one record of a channel: the id to answer with, and the request.
    pub fn decode(frame: &'a [u8]) -> Result<(u32, Request<'a>), DecodeError> {
        let (header, payload) = Header::decode(frame)?;
        if header.is_reply {
            return Err(DecodeError::BadField);
        }
        let op = Op::from_raw(header.op).ok_or(DecodeError::UnknownOp(header.op))?;
        Ok((header.id, Request::read(op, &mut Reader::new(payload))?))
    }

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match *self {
            Request::Hello { pid, program } | Request::Attach { pid, program } => {
                w.u32(pid)?;
                w.bytes(program, MAX_PROGRAM_LEN)
            }
            Request::Socket {
                family,
                flags,
                kind,
            } => {
                w.u16(family.raw())?;
                w.u8(flags)?;
                w.u8(kind as u8)
            }
            Request::Bind { addr } => addr.write(w),
            Request::Listen { backlog } => w.i32(backlog),
            Request::Connect { addr, flags } => {
                addr.write(w)?;
                w.u8(flags)
            }
            Request::Map | Request::GetSockName | Request::GetPeerName | Request::Accepted => {
                Ok(())
            }
            Request::GetSockOpt { level, name, len } => {
                w.i32(level)?;
                w.i32(name)?;
                w.u16(len)
            }
            Request::SetSockOpt { level, name, value } => {
                w.i32(level)?;
                w.i32(name)?;
                w.bytes(value, MAX_OPTION_LEN)
            }
            Request::Shutdown { how } => w.u8(how),
            Request::Interface { position } => w.u8(position),
            Request::Resolve(question) => question.write(w),
            Request::Ready {
                family,
                more,
                channel,
            } => {
                w.u16(family.raw())?;
                w.u8(more)?;
                w.i32(channel)
            }
            Request::Dial { addr, fd } => {
                addr.write(w)?;
                w.i32(fd)
            }
            Request::NoDelay { id, token, on } => {
                w.u32(id)?;
                w.u64(token)?;
                w.u8(u8::from(on))
            }
        }
    }

    fn read(op: Op, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match op {
            Op::Hello => Request::Hello {
                pid: r.u32()?,
                program: program(r)?,
            },
            Op::Attach => Request::Attach {
                pid: r.u32()?,
                program: program(r)?,
            },
            Op::Socket => Request::Socket {
                family: Family::from_raw(r.u16()?).ok_or(DecodeError::BadField)?,
                flags: r.u8()?,
                kind: match r.remaining() {
                    0 => SocketKind::Stream,
                    _ => SocketKind::from_raw(r.u8()?).ok_or(DecodeError::BadField)?,
                },
            },
            Op::Bind => Request::Bind {
                addr: SockAddr::read(r)?,
            },
            Op::Listen => Request::Listen { backlog: r.i32()? },
            Op::Connect => Request::Connect {
                addr: SockAddr::read(r)?,
                flags: r.u8()?,
            },
            Op::Map => Request::Map,
            Op::GetSockName => Request::GetSockName,
            Op::GetPeerName => Request::GetPeerName,
            Op::GetSockOpt => Request::GetSockOpt {
                level: r.i32()?,
                name: r.i32()?,
                len: r.u16()?,
            },
            Op::SetSockOpt => {
                let (level, name, value) = (r.i32()?, r.i32()?, r.bytes()?);
                if value.len() > MAX_OPTION_LEN {
                    return Err(DecodeError::BadField);
                }
                Request::SetSockOpt { level, name, value }
            }
            Op::Shutdown => {
                let how = r.u8()?;
                if how > 2 {
                    return Err(DecodeError::BadField);
                }
                Request::Shutdown { how }
            }
            Op::Accepted => Request::Accepted,
            Op::Interface => Request::Interface { position: r.u8()? },
            Op::Resolve => Request::Resolve(Question::read(r)?),
            Op::Ready => Request::Ready {
                family: Family::from_raw(r.u16()?).ok_or(DecodeError::BadField)?,
                more: r.u8()?,
                channel: r.i32()?,
            },
            Op::Dial => Request::Dial {
                addr: SockAddr::read(r)?,
                fd: r.i32()?,
            },
            Op::NoDelay => Request::NoDelay {
                id: r.u32()?,
                token: r.u64()?,
                on: r.u8()? != 0,
            },
        })
    }
}

fn program<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], DecodeError> {
    let name = r.bytes()?;
    if name.len() > MAX_PROGRAM_LEN {
        return Err(DecodeError::BadField);
    }
    Ok(name)
}
