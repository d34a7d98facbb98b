//! Linux error numbers of the verbs' errors and of a connection's end: pure numbers, from
//! errno(3) and the manual pages named at the arms.

use crate::{BindError, Cause, ConnectError, IoError, ListenError, OpenError};

/// `EBADF`
pub const EBADF: i32 = 9;
/// `EACCES`
pub const EACCES: i32 = 13;
/// `EINVAL`
pub const EINVAL: i32 = 22;
/// `EPIPE`
pub const EPIPE: i32 = 32;
/// `ENOPROTOOPT`
pub const ENOPROTOOPT: i32 = 92;
/// `EAFNOSUPPORT`
pub const EAFNOSUPPORT: i32 = 97;
/// `EADDRINUSE`
pub const EADDRINUSE: i32 = 98;
/// `EADDRNOTAVAIL`
pub const EADDRNOTAVAIL: i32 = 99;
/// `ENETUNREACH`
pub const ENETUNREACH: i32 = 101;
/// `ECONNRESET`
pub const ECONNRESET: i32 = 104;
/// `ENOBUFS`
pub const ENOBUFS: i32 = 105;
/// `EISCONN`
pub const EISCONN: i32 = 106;
/// `ENOTCONN`
pub const ENOTCONN: i32 = 107;
/// `ETIMEDOUT`
pub const ETIMEDOUT: i32 = 110;
/// `ECONNREFUSED`
pub const ECONNREFUSED: i32 = 111;
/// `EHOSTUNREACH`
pub const EHOSTUNREACH: i32 = 113;
/// `EALREADY`
pub const EALREADY: i32 = 114;

impl Cause {
    /// The number `SO_ERROR` gives, as Linux maps RSTs, time-outs (tcp(7)) and ICMP errors
    /// (icmp(7); RFC 1122 4.2.3.9).
    pub const fn errno(self) -> i32 {
        match self {
            Cause::Reset => ECONNRESET,
            Cause::Refused => ECONNREFUSED,
            Cause::TimedOut => ETIMEDOUT,
            Cause::HostUnreachable => EHOSTUNREACH,
            Cause::NetUnreachable => ENETUNREACH,
            Cause::ProtocolUnreachable => ENOPROTOOPT,
            Cause::Denied => EACCES,
        }
    }
}

impl OpenError {
    /// socket(2): `ENOBUFS`.
    pub const fn errno(self) -> i32 {
        match self {
            OpenError::TableFull => ENOBUFS,
        }
    }
}

impl BindError {
    /// bind(2), ip(7).
    pub const fn errno(self) -> i32 {
        match self {
            BindError::Stale => EBADF,
            BindError::Invalid => EINVAL,
            BindError::InUse => EADDRINUSE,
            BindError::NotAvailable => EADDRNOTAVAIL,
        }
    }
}

impl ListenError {
    /// listen(2).
    pub const fn errno(self) -> i32 {
        match self {
            ListenError::Stale => EBADF,
            ListenError::Invalid => EINVAL,
            ListenError::InUse => EADDRINUSE,
        }
    }
}

impl ConnectError {
    /// connect(2). Connecting a listening socket gives `EISCONN` on Linux.
    pub const fn errno(self) -> i32 {
        match self {
            ConnectError::Stale => EBADF,
            ConnectError::Family => EAFNOSUPPORT,
            ConnectError::Invalid | ConnectError::IsConnected => EISCONN,
            ConnectError::InProgress => EALREADY,
            ConnectError::NetUnreachable => ENETUNREACH,
            ConnectError::NotAvailable | ConnectError::InUse => EADDRNOTAVAIL,
            ConnectError::Refused => ECONNREFUSED,
            ConnectError::NoBuffers => ENOBUFS,
        }
    }
}

impl IoError {
    /// send(2), recv(2).
    pub const fn errno(self) -> i32 {
        match self {
            IoError::Stale => EBADF,
            IoError::NotConnected => ENOTCONN,
            IoError::Shutdown => EPIPE,
            IoError::NoMemory => ENOBUFS,
            IoError::Failed(cause) => cause.errno(),
        }
    }
}

#[cfg(test)]
mod tests;
