//! What a launcher needs of the system: a channel as a client, execve, a lock.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use netcon_sys::unix::{self, Kind, Name};
use netcon_sys::{process, sockopt};
use netcon_wire::{MAX_FRAME, MAX_PROGRAM_LEN, Mark, Reply, Request};

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

/// Where the preloaded library looks for a channel it inherits: from here on, or at the top of a
/// lower RLIMIT_NOFILE (packages/intercept/preload/src/channel.rs).
const HOME: u64 = 1000;
const HOME_LEN: u64 = 24;

/// Opens the channel of the program that is about to replace this process, so that it has one even
/// where the path is out of its reach (chroot, mount namespaces): HELLO is said, the fd is at the
/// library's place and marked with our pid, which the program keeps. `limit` is its RLIMIT_NOFILE.
pub fn open_for_exec(path: &Path, program: &str, limit: Option<u64>) -> io::Result<OwnedFd> {
    let fd = connect(path)?;
    let pid = std::process::id();
    let mut frame = [0; MAX_FRAME];
    let hello = Request::Hello {
        pid,
        program: clipped(program),
    };
    let refused = |_| io::Error::from(io::ErrorKind::InvalidData);
    let len = hello
        .encode(1, &mut frame)
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    let answer = call(fd.as_fd(), frame.get(..len).unwrap_or(&[]))?;
    let (_, _, status, _) = Reply::decode(&answer).map_err(refused)?;
    if status != 0 {
        return Err(io::Error::from_raw_os_error(
            i32::try_from(status).unwrap_or(0),
        ));
    }
    unix::set_receive_timeout(fd.as_fd(), 0)?;
    let limit = limit.map_or_else(process::fd_limit, Ok)?;
    let home = limit.saturating_sub(HOME_LEN).clamp(3, HOME);
    let moved = process::duplicate_from(fd.as_fd(), i32::try_from(home).unwrap_or(3))?;
    sockopt::set_mark(moved.as_fd(), Mark::Channel { pid }.pack())?;
    Ok(moved)
}

fn clipped(program: &str) -> &[u8] {
    let name = program.rsplit('/').next().unwrap_or(program).as_bytes();
    name.get(..name.len().min(MAX_PROGRAM_LEN)).unwrap_or(name)
}
