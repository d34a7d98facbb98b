//! `NETCON_TRACE=FILE`: one line per hooked call.
//!
//! `PID TID CALL(ARGS) = RESULT [ERRNO] taken|failed|bypassed:REASON`, written with one write(2) to a
//! file opened for appending each time: no fd is kept that a program could close or inherit. Calls
//! of the data path are logged for netcon's sockets only. Off, it costs one load.

use netcon_wire::SockAddr;

use crate::abi;
use crate::detour::Reason;
use crate::env;
use crate::errno::{self, Errno};
use crate::sandbox;
use crate::sys;
use crate::text::Line;

/// Whether calls are to be logged.
#[inline]
pub(crate) fn is_on() -> bool {
    env::config().trace().is_some() && !sandbox::is_entered()
}

/// An argument as the line shows it.
#[derive(Clone, Copy)]
pub(crate) enum Arg<'a> {
    /// Decimal.
    Int(i32),
    /// Decimal.
    Size(usize),
    /// Hexadecimal.
    Hex(u64),
    /// `1.2.3.4:80`
    Address(SockAddr),
    /// As it is.
    Word(&'a str),
}

/// What became of a call.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// netcon did it.
    Taken,
    /// netcon refused it, or it failed.
    Failed,
    /// Left to the kernel.
    Bypassed(Reason),
}

/// Writes the line of one call; `result` as the program sees it.
#[cold]
pub(crate) fn line(name: &str, args: &[Arg<'_>], result: Result<isize, Errno>, fate: Fate) {
    let Some(path) = env::config().trace() else {
        return;
    };
    let mut line: Line<400> = Line::new();
    line.int(i64::from(sys::getpid())).str(" ");
    line.int(i64::from(sys::gettid()))
        .str(" ")
        .str(name)
        .str("(");
    for (n, arg) in args.iter().enumerate() {
        if n > 0 {
            line.str(", ");
        }
        append(&mut line, arg);
    }
    line.str(") = ");
    match result {
        Ok(value) => line.int(value as i64),
        Err(errno) => line
            .str("-1 ")
            .str(errno::name(errno))
            .str("(")
            .int(i64::from(errno.0))
            .str(")"),
    };
    match fate {
        Fate::Taken => line.str(" taken"),
        Fate::Failed => line.str(" failed"),
        Fate::Bypassed(reason) => line.str(" bypassed:").str(reason.name()),
    };
    line.str("\n");
    let flags = abi::O_WRONLY | abi::O_CREAT | abi::O_APPEND | abi::O_CLOEXEC | abi::O_NOCTTY;
    if let Ok(fd) = sys::open(path, flags, 0o600) {
        let _ = sys::write(fd, line.as_bytes());
        let _ = sys::close(fd);
    }
}

fn append(line: &mut Line<400>, arg: &Arg<'_>) {
    match *arg {
        Arg::Int(value) => line.int(i64::from(value)),
        Arg::Size(value) => line.int(i64::try_from(value).unwrap_or(i64::MAX)),
        Arg::Hex(value) => line.hex(value),
        Arg::Address(addr) => line.address(&addr),
        Arg::Word(word) => line.str(word),
    };
}

/// Writes a line that belongs to no call.
#[cold]
pub(crate) fn note(text: &str) {
    if is_on() {
        line("note", &[Arg::Word(text)], Ok(0), Fate::Taken);
    }
}
