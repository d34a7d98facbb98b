//! What an operation decided about a call.

use crate::errno::Errno;
use crate::ops::target::Obstacle;

/// The outcome of an operation in [`crate::ops`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detour<T> {
    /// netcon did it.
    Handled(T),
    /// The kernel shall do it, for this reason.
    Bypass(Reason),
    /// netcon refused it or it failed.
    Failed(Errno),
}

/// Why a call is left to the kernel; the names stand in the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The fd is not one of netcon's sockets.
    NotOurs,
    /// Another address family than `AF_INET` and `AF_INET6`.
    Family,
    /// `NETCON_BYPASS=all`.
    BypassAll,
    /// The address stands in `NETCON_BYPASS`.
    BypassAddress,
    /// One of ours, and the kernel does what is asked.
    Native,
    /// The program to be executed cannot be followed.
    Exec(Obstacle),
}

impl Reason {
    /// The word in the trace.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Reason::NotOurs => "not-ours",
            Reason::Family => "family",
            Reason::BypassAll => "bypass-all",
            Reason::BypassAddress => "bypass-address",
            Reason::Native => "native",
            Reason::Exec(obstacle) => obstacle.name(),
        }
    }
}

impl<T> From<Result<T, Errno>> for Detour<T> {
    fn from(result: Result<T, Errno>) -> Self {
        match result {
            Ok(value) => Detour::Handled(value),
            Err(errno) => Detour::Failed(errno),
        }
    }
}
