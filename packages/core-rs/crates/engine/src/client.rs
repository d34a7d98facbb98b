//! A program of netcon's own: what a launcher needs (a channel, execve, a lock), and the service's
//! own sockets in its stack.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use netcon_sys::unix::{self, Kind, Name};
use netcon_sys::{process, sockopt};
use netcon_wire::{
    CONNECT_WAIT, Family, MAX_FRAME, MAX_PROGRAM_LEN, Mark, Reply, Request, SockAddr, SocketKind,
};

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
    join(fd.as_fd(), program)?;
    unix::set_receive_timeout(fd.as_fd(), 0)?;
    let limit = limit.map_or_else(process::fd_limit, Ok)?;
    let home = limit.saturating_sub(HOME_LEN).clamp(3, HOME);
    let moved = process::duplicate_from(fd.as_fd(), i32::try_from(home).unwrap_or(3))?;
    sockopt::set_mark(moved.as_fd(), Mark::Channel { pid }.pack())?;
    Ok(moved)
}

/// Says HELLO as `program`; an error if it is refused.
pub fn join(channel: BorrowedFd<'_>, program: &str) -> io::Result<()> {
    let hello = Request::Hello {
        pid: std::process::id(),
        program: clipped(program),
    };
    accepted(&call(channel, &encoded(&hello)?)?)
}

/// A socket of the stack's: socket(2).
pub fn socket(channel: BorrowedFd<'_>, family: Family, kind: SocketKind) -> io::Result<OwnedFd> {
    let flags = 0;
    let request = Request::Socket {
        family,
        flags,
        kind,
    };
    unix::send_record(channel, &encoded(&request)?, None)?;
    let (mut buf, mut fds) = ([0; MAX_FRAME], Vec::new());
    let received = unix::recv_record_wait(channel, &mut buf, &mut fds)?;
    accepted(buf.get(..received.len).unwrap_or(&[]))?;
    fds.pop()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))
}

/// connect(2) of a stream socket of the stack's; EAGAIN if it takes longer than `micros`.
pub fn connect_stream(
    channel: BorrowedFd<'_>,
    socket: BorrowedFd<'_>,
    addr: SockAddr,
    micros: i64,
) -> io::Result<()> {
    let (mine, theirs) = unix::pair(Kind::SeqPacket)?;
    unix::set_receive_timeout(mine.as_fd(), micros)?;
    let flags = CONNECT_WAIT;
    let frame = encoded(&Request::Connect { addr, flags })?;
    unix::send_record_with(channel, &frame, &[socket, theirs.as_fd()])?;
    drop(theirs);
    let mut buf = [0; MAX_FRAME];
    let n = unix::recv_wait(mine.as_fd(), &mut buf)?;
    if n == 0 {
        return Err(io::Error::from(io::ErrorKind::ConnectionReset));
    }
    accepted(buf.get(..n).unwrap_or(&[]))
}

fn encoded(request: &Request<'_>) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; MAX_FRAME];
    let len = request
        .encode(1, &mut frame)
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    frame.truncate(len);
    Ok(frame)
}

/// The errno in a reply.
fn accepted(reply: &[u8]) -> io::Result<()> {
    let refused = |_| io::Error::from(io::ErrorKind::InvalidData);
    let (_, _, status, _) = Reply::decode(reply).map_err(refused)?;
    match i32::try_from(status) {
        Ok(0) => Ok(()),
        status => Err(io::Error::from_raw_os_error(status.unwrap_or(0))),
    }
}

fn clipped(program: &str) -> &[u8] {
    let name = program.rsplit('/').next().unwrap_or(program).as_bytes();
    name.get(..name.len().min(MAX_PROGRAM_LEN)).unwrap_or(name)
}
