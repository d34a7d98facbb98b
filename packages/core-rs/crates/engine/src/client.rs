//! What a launcher needs of the system: a channel as a client, execve, a lock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use netcon_sys::unix::{self, Kind, Name};
use netcon_wire::MAX_FRAME;

pub use netcon_sys::process::{ExecOptions, exec_replace, try_lock};
pub use netcon_sys::unix::Credentials;

/// A service that is alive answers in microseconds.
const TIMEOUT_MICROS: i64 = 5_000_000;

/// Connects to a service's RPC socket.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    let fd = unix::socket(Kind::SeqPacket, false)?;
    unix::set_receive_timeout(fd.as_fd(), TIMEOUT_MICROS)?;
    unix::connect(fd.as_fd(), Name::Path(path))?;
    Ok(fd)
}

/// Sends a frame and waits for its answer; EAGAIN after five seconds without one.
pub fn call(fd: BorrowedFd<'_>, frame: &[u8]) -> io::Result<Vec<u8>> {
    unix::send_record(fd, frame, None)?;
    let mut buf = vec![0; MAX_FRAME];
    let n = unix::recv_wait(fd, &mut buf)?;
    if n == 0 {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset));
    }
    buf.truncate(n);
    Ok(buf)
}

/// Who listens at the other end.
pub fn peer(fd: BorrowedFd<'_>) -> io::Result<Credentials> {
    unix::peer_credentials(fd)
}
