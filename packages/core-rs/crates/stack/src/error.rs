//! One small error enum per verb; [`errno`](crate::errno) turns them into numbers.

use std::fmt;

use crate::Cause;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident => $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($name::$variant => $text,)* })
            }
        }

        impl std::error::Error for $name {}
    )*};
}

errors! {
    /// Why `open` failed.
    OpenError {
        /// The table of control blocks is full.
        TableFull => "too many control blocks",
    }
    /// Why `bind` failed.
    BindError {
        /// The id names no control block.
        Stale => "no such control block",
        /// Already bound, or an address of another family.
        Invalid => "already bound or wrong address family",
        /// Another socket holds the address, or no free port is left.
        InUse => "address in use",
        /// The address is not one of the stack's.
        NotAvailable => "not an address of this stack",
    }
    /// Why `listen` failed.
    ListenError {
        /// The id names no control block.
        Stale => "no such control block",
        /// The block is connecting or connected.
        Invalid => "already connected",
        /// Another socket listens there, or no free port is left.
        InUse => "address in use",
    }
    /// Why `connect` failed at once.
    ConnectError {
        /// The id names no control block.
        Stale => "no such control block",
        /// An address of another family.
        Family => "wrong address family",
        /// The block listens.
        Invalid => "listening",
        /// A connect is under way.
        InProgress => "connect in progress",
        /// Connected already.
        IsConnected => "already connected",
        /// There is no way to the address.
        NetUnreachable => "network unreachable",
        /// No local port is left for that peer.
        NotAvailable => "no local port left",
        /// The local address and port are connected to that peer already.
        InUse => "connection exists already",
        /// The peer's port is 0.
        Refused => "connection refused",
        /// The table of connections is full, or there is no memory for rings.
        NoBuffers => "too many connections",
    }
}

/// Why `write_with` or `read_with` failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoError {
    /// The id names no control block, or one that was closed.
    Stale,
    /// Not connected.
    NotConnected,
    /// Written after `shutdown_write`.
    Shutdown,
    /// The connection has failed; everything received before has been read.
    Failed(Cause),
    /// There is no memory for what is to be written.
    NoMemory,
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IoError::Stale => f.write_str("no such control block"),
            IoError::NotConnected => f.write_str("not connected"),
            IoError::NoMemory => f.write_str("no memory"),
            IoError::Shutdown => f.write_str("shut down for writing"),
            IoError::Failed(cause) => write!(f, "connection failed: {cause:?}"),
        }
    }
}

impl std::error::Error for IoError {}
