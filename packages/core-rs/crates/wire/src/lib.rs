//! The RPC between a program and the service, defined once.
//!
//! A frame is one record of a `SOCK_SEQPACKET` unix socket: a 16-byte header and at most
//! [`MAX_PAYLOAD`] bytes of payload, all integers little-endian. File descriptors never stand in
//! a frame; they travel beside it as `SCM_RIGHTS` (see unix(7)).
//!
//! This crate knows no socket, no clock and no allocator. Decoding is total: any input gives a
//! value or a [`DecodeError`], never a panic. The TypeScript codec (packages/service) reads the
//! same golden frames, `golden/frames.txt`.
//!
//! Compatibility: a frame whose major version differs is refused with `EPROTO`. Within one major
//! version ops and trailing payload fields may be added, so that a library works with a service
//! one minor version newer: a decoder ignores payload bytes behind the fields it knows, and an
//! unknown op is answered with `EOPNOTSUPP`.
#![no_std]
#![forbid(unsafe_code)]

mod addr;
mod cursor;
mod frame;
mod interface;
mod mark;
mod name;
mod question;
mod reply;
mod request;

pub use addr::{Family, SockAddr};
pub use cursor::{DecodeError, EncodeError};
pub use frame::{HEADER_LEN, Header, MAGIC, MAX_FRAME, MAX_PAYLOAD, VERSION_MAJOR, VERSION_MINOR};
pub use interface::{
    INTERFACE_NAME_LEN, Interface, InterfaceAddress, MAX_INTERFACE_ADDRESSES, MAX_INTERFACES,
};
pub use mark::{DirectMark, MARK_UNSET, Mark, SEND_BUFFER, SocketState};
pub use name::{NAME_LEN, SocketName};
pub use question::{
    ADDRESS_LEN, Addresses, FAMILY_INET, FAMILY_INET6, Found, MAX_ANSWER, MAX_NAME_LEN, MAX_ORDER,
    MAX_QUERY_LEN, Question, Verdict, encode_address,
};
pub use reply::{HelloReply, MAX_ADDRESSES, MAX_PART, MapReply, Reply, Status, refuse};
pub use request::{
    CONNECT_DETACH, CONNECT_FILLED, CONNECT_NONBLOCKING, CONNECT_RELEASE, CONNECT_WAIT,
    LEVEL_NETCON, MAX_OPTION_LEN, MAX_PROGRAM_LEN, MAX_READY, NETCON_OUTQ, NETCON_OUTQNSD,
    NETCON_RESET, Op, Request, SOCKET_CLOEXEC, SOCKET_NONBLOCK, SocketKind,
};
