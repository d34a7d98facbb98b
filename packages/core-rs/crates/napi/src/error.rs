//! Errors that cross: a code that programs can test, in `err.code`, and a text for people.

use std::fmt::Display;
use std::io;

use napi::{Error, Status};
use netcon_engine::OpenError;

/// What JavaScript sees as `err.code`.
#[derive(Clone, Copy, Debug)]
pub struct Code(pub &'static str);

impl AsRef<str> for Code {
    fn as_ref(&self) -> &str {
        self.0
    }
}

impl From<Status> for Code {
    fn from(_: Status) -> Self {
        Code("NETCON_BINDING_ARGUMENT")
    }
}

/// napi recognises only a type of this name.
pub type Result<T, E = Error<Code>> = std::result::Result<T, E>;

pub(crate) fn failed(code: Code, why: impl Display) -> Error<Code> {
    Error::new(code, why.to_string())
}

/// A system call's error, by the name of its errno.
pub(crate) fn system(what: &str, e: &io::Error) -> Error<Code> {
    failed(
        Code(errno_name(e.raw_os_error().unwrap_or(0))),
        format!("{what}: {e}"),
    )
}

pub(crate) fn open(e: OpenError) -> Error<Code> {
    let code = match &e {
        OpenError::SocketInUse(_) => "NETCON_SOCKET_IN_USE",
        OpenError::Socket { .. } => "NETCON_SOCKET_BIND",
        OpenError::TapNoDevice => "NETCON_TAP_NO_DEVICE",
        OpenError::TapDenied(_) => "NETCON_TAP_DENIED",
        OpenError::TapBusy(_) => "NETCON_TAP_BUSY",
        OpenError::TapName(_) => "NETCON_TAP_NAME",
        OpenError::Tap { .. } => "NETCON_TAP_FAILED",
        OpenError::Capture { .. } => "NETCON_CAPTURE_FILE",
        OpenError::System { .. } => "NETCON_SYSTEM",
    };
    failed(Code(code), e)
}

fn errno_name(errno: i32) -> &'static str {
    match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::E2BIG => "E2BIG",
        libc::ENOEXEC => "ENOEXEC",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::ETXTBSY => "ETXTBSY",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EINVAL => "EINVAL",
        libc::ELOOP => "ELOOP",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::EPIPE => "EPIPE",
        libc::EPROTOTYPE => "EPROTOTYPE",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::ECONNRESET => "ECONNRESET",
        libc::ENOTCONN => "ENOTCONN",
        _ => "EIO",
    }
}
