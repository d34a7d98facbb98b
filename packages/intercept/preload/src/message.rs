//! The lines a process says to its user.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::abi;
use crate::identity;
use crate::sys;
use crate::text::Line;

static SAID: AtomicBool = AtomicBool::new(false);
const STDERR: i32 = 2;

/// Writes `netcon: ...` to standard error, once in a process and its forks. Says nothing where fd 2
/// has become a network connection.
pub(crate) fn say_once(parts: &[&[u8]]) {
    if !SAID.swap(true, Ordering::Relaxed) {
        say(parts);
    }
}

/// Whether somebody reads standard error as it is written.
pub(crate) fn is_read_by_a_person() -> bool {
    sys::files::is_terminal(STDERR)
}

/// The same, each time.
pub(crate) fn say(parts: &[&[u8]]) {
    if is_connection(STDERR) {
        return;
    }
    let mut line: Line<700> = Line::new();
    line.str("netcon: ");
    for part in parts {
        line.bytes(part);
    }
    line.str("\n");
    let _ = sys::write(STDERR, line.as_bytes());
}

fn is_connection(fd: i32) -> bool {
    let domain = sys::getsockopt::<i32>(fd, abi::SOL_SOCKET, abi::SO_DOMAIN);
    let inet = matches!(domain, Ok(abi::AF_INET | abi::AF_INET6));
    inet || identity::mark(fd).is_some()
}
