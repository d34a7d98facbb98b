//! Why an engine could not be opened.

use std::io;
use std::path::PathBuf;

/// Variants name the cause; texts are for people.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another service answers on the RPC socket.
    #[error("another service answers on {0}")]
    SocketInUse(PathBuf),
    /// The RPC socket or the directory of names could not be made.
    #[error("{path}: {source}")]
    Socket {
        /// What was being made.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// /dev/net/tun is missing.
    #[error("/dev/net/tun does not exist")]
    TapNoDevice,
    /// No right to open /dev/net/tun or to attach to the interface.
    #[error("no permission to open the TAP device {0}")]
    TapDenied(String),
    /// Another program holds the interface.
    #[error("the interface {0} is in use by another program")]
    TapBusy(String),
    /// Not an interface name.
    #[error("{0:?} is not a valid interface name")]
    TapName(String),
    /// Anything else that went wrong with the TAP device.
    #[error("TAP device {name}: {reason}")]
    Tap {
        /// The interface.
        name: String,
        /// The system's word.
        reason: String,
    },
    /// The capture file could not be made.
    #[error("capture file {path}: {source}")]
    Capture {
        /// The file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// epoll, eventfd or another basic facility was refused.
    #[error("{what}: {source}")]
    System {
        /// The facility.
        what: &'static str,
        /// The system's word.
        source: io::Error,
    },
}

impl OpenError {
    pub(crate) fn system(what: &'static str) -> impl Fn(io::Error) -> OpenError {
        move |source| OpenError::System { what, source }
    }
}
