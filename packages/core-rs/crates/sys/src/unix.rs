//! AF_UNIX sockets: unix(7).

use std::io;
use std::mem::{offset_of, size_of, size_of_val};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::call::{check, check_len, retry};

/// Most fds that one record may carry; more are closed on receipt.
pub const MAX_FDS: usize = 4;

/// A name to bind or connect to.
#[derive(Clone, Copy, Debug)]
pub enum Name<'a> {
    /// A file system path.
    Path(&'a Path),
    /// An abstract name: `sun_path` with its leading NUL.
    Abstract(&'a [u8]),
}

/// Socket types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SOCK_STREAM
    Stream,
    /// SOCK_SEQPACKET
    SeqPacket,
    /// SOCK_DGRAM
    Datagram,
}

/// SO_PEERCRED: who connected, or made the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Process id in our pid namespace; 0 if it is outside.
    pub pid: u32,
    /// Effective user id.
    pub uid: u32,
    /// Effective group id.
    pub gid: u32,
}

fn own(raw: RawFd) -> OwnedFd {
    // SAFETY: callers pass an fd that the kernel has just created for them (socket(2), accept(2),
    // SCM_RIGHTS in unix(7)); nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

fn address(name: Name<'_>) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    // SAFETY: sockaddr_un is plain data; all zeroes is a valid value.
    let mut addr: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    addr.sun_family = libc::AF_UNIX.cast_unsigned().try_into().unwrap_or(1);
    let (bytes, terminator) = match name {
        Name::Path(path) => (path.as_os_str().as_bytes(), 1),
        Name::Abstract(bytes) => (bytes, 0),
    };
    if bytes.len() + terminator > addr.sun_path.len() {
        return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
    }
    for (slot, byte) in addr.sun_path.iter_mut().zip(bytes) {
        *slot = byte.cast_signed();
    }
    let len = offset_of!(libc::sockaddr_un, sun_path) + bytes.len() + terminator;
    Ok((addr, libc::socklen_t::try_from(len).unwrap_or(0)))
}

/// socket(2), close-on-exec. O_NONBLOCK belongs to the description, so it is set only where the
/// program that will hold it asked for it.
pub fn socket(kind: Kind, nonblocking: bool) -> io::Result<OwnedFd> {
    let kind = match kind {
        Kind::Stream => libc::SOCK_STREAM,
        Kind::SeqPacket => libc::SOCK_SEQPACKET,
        Kind::Datagram => libc::SOCK_DGRAM,
    };
    let flags = libc::SOCK_CLOEXEC | if nonblocking { libc::SOCK_NONBLOCK } else { 0 };
    // SAFETY: socket(2) takes no pointer.
    check(unsafe { libc::socket(libc::AF_UNIX, kind | flags, 0) }).map(own)
}

/// bind(2).
pub fn bind(fd: BorrowedFd<'_>, name: Name<'_>) -> io::Result<()> {
    let (addr, len) = address(name)?;
    // SAFETY: bind(2) reads `len` bytes of a live sockaddr_un.
    check(unsafe { libc::bind(fd.as_raw_fd(), (&raw const addr).cast(), len) })?;
    Ok(())
}

/// connect(2); on a non-blocking socket EAGAIN means that the listener's queue is full.
pub fn connect(fd: BorrowedFd<'_>, name: Name<'_>) -> io::Result<()> {
    let (addr, len) = address(name)?;
    // SAFETY: connect(2) reads `len` bytes of a live sockaddr_un.
    check(unsafe { libc::connect(fd.as_raw_fd(), (&raw const addr).cast(), len) })?;
    Ok(())
}

/// listen(2).
pub fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: listen(2) takes no pointer.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) })?;
    Ok(())
}

/// accept4(2), non-blocking and close-on-exec.
pub fn accept(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: accept4(2) allows null for both address arguments.
    check(unsafe {
        libc::accept4(
            fd.as_raw_fd(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK,
        )
    })
    .map(own)
}

/// shutdown(2) for writing: the peer reads what was written, then an end of file.
pub fn shutdown_write(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: shutdown(2) takes no pointer.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_WR) })?;
    Ok(())
}

/// shutdown(2) for reading: what the peer writes from now on fails with `EPIPE`, also a write that
/// sleeps (sock_wait_for_wmem); what it has written stays.
pub fn shutdown_read(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: shutdown(2) takes no pointer.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RD) })?;
    Ok(())
}

/// shutdown(2) both ways.
pub fn shutdown_both(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: shutdown(2) takes no pointer.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RDWR) })?;
    Ok(())
}

/// An `O_PATH` descriptor of a socket's name: whoever holds it may connect by /proc/self/fd, whatever
/// the directories above allow (proc(5), open(2)).
pub fn open_name(path: &Path) -> io::Result<OwnedFd> {
    let path = std::ffi::CString::new(path.as_os_str().as_bytes())?;
    let flags = libc::O_PATH | libc::O_CLOEXEC | libc::O_NOFOLLOW;
    // SAFETY: open(2) reads a NUL-terminated string that lives across the call.
    check(unsafe { libc::open(path.as_ptr(), flags) }).map(own)
}

/// recv(2), never waits. 0 is the end of the stream.
pub fn recv(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    retry(|| {
        // SAFETY: recv(2) writes at most `buf.len()` bytes into `buf`.
        check_len(unsafe {
            libc::recv(
                fd.as_raw_fd(),
                buf.as_mut_ptr().cast(),
                buf.len(),
                libc::MSG_DONTWAIT,
            )
        })
    })
}

/// send(2), never waits, never raises SIGPIPE.
pub fn send(fd: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
    retry(|| {
        // SAFETY: send(2) reads `buf.len()` bytes from `buf`.
        check_len(unsafe {
            libc::send(
                fd.as_raw_fd(),
                buf.as_ptr().cast(),
                buf.len(),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        })
    })
}

type Query =
    unsafe extern "C" fn(libc::c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> libc::c_int;

fn name_by(call: Query, fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    // SAFETY: sockaddr_un is plain data; all zeroes is a valid value.
    let mut addr: libc::sockaddr_un = unsafe { std::mem::zeroed() };
    let mut len = libc::socklen_t::try_from(size_of::<libc::sockaddr_un>()).unwrap_or(0);
    // SAFETY: getsockname(2) and getpeername(2) write at most `len` bytes of a live sockaddr_un.
    check(unsafe { call(fd.as_raw_fd(), (&raw mut addr).cast(), &raw mut len) })?;
    if i32::from(addr.sun_family) != libc::AF_UNIX {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    let used = usize::try_from(len)
        .unwrap_or(0)
        .saturating_sub(offset_of!(libc::sockaddr_un, sun_path))
        .min(addr.sun_path.len());
    Ok(addr
        .sun_path
        .iter()
        .take(used)
        .map(|c| c.cast_unsigned())
        .collect())
}

/// `sun_path` of getsockname(2); empty if unnamed.
pub fn local_name(fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    name_by(libc::getsockname, fd)
}

/// `sun_path` of getpeername(2); empty if unnamed.
pub fn peer_name(fd: BorrowedFd<'_>) -> io::Result<Vec<u8>> {
    name_by(libc::getpeername, fd)
}

/// SO_PEERCRED, see socket(7).
pub fn peer_credentials(fd: BorrowedFd<'_>) -> io::Result<Credentials> {
    let mut cred = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    let mut len = libc::socklen_t::try_from(size_of::<libc::ucred>()).unwrap_or(0);
    // SAFETY: getsockopt(2) writes at most `len` bytes, the size of `cred`.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut cred).cast(),
            &raw mut len,
        )
    })?;
    Ok(Credentials {
        pid: u32::try_from(cred.pid).unwrap_or(0),
        uid: cred.uid,
        gid: cred.gid,
    })
}

/// SO_PEERGROUPS: the supplementary groups of the peer; empty where the kernel cannot say.
pub fn peer_groups(fd: BorrowedFd<'_>) -> Vec<u32> {
    const SO_PEERGROUPS: libc::c_int = 59;
    const MOST: usize = 1024;
    let mut groups = vec![0u32; MOST];
    let mut len = libc::socklen_t::try_from(MOST * size_of::<u32>()).unwrap_or(0);
    // SAFETY: getsockopt(2) writes at most `len` bytes, the size of the vector's contents.
    let ret = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERGROUPS,
            groups.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let count = if ret == 0 {
        usize::try_from(len).unwrap_or(0) / size_of::<u32>()
    } else {
        0
    };
    groups.truncate(count);
    groups
}

/// Most fds that [`send_record_with`] sends.
pub const MAX_SENT: usize = 32;

/// Control data for that many fds, aligned as cmsg(3) wants it.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// A header of 16 bytes and the fds (cmsg(3)).
const CONTROL: usize = 16 + 4 * MAX_SENT;

/// What [`recv_record`] received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of the record; 0 at the end, and for one that was too long.
    pub len: usize,
    /// Fds that were sent did not arrive: our table is full (unix(7), `MSG_CTRUNC`), or they were too many.
    pub fds_lost: bool,
}

/// Receives one record and the fds beside it, never waits. The fds are close-on-exec.
pub fn recv_record(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    recv_message(fd, buf, fds, libc::MSG_DONTWAIT)
}

/// [`recv_record`], waiting for it; for clients.
pub fn recv_record_wait(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<Received> {
    recv_message(fd, buf, fds, 0)
}

fn recv_message(
    fd: BorrowedFd<'_>,
    buf: &mut [u8],
    fds: &mut Vec<OwnedFd>,
    flags: libc::c_int,
) -> io::Result<Received> {
    fds.clear();
    let mut control = Control([0; CONTROL]);
    let mut iov = libc::iovec {
        iov_base: buf.as_mut_ptr().cast(),
        iov_len: buf.len(),
    };
    // SAFETY: msghdr is plain data; all zeroes is a valid value.
    let mut msg: libc::msghdr = unsafe { std::mem::zeroed() };
    msg.msg_iov = &raw mut iov;
    msg.msg_iovlen = 1;
    msg.msg_control = (&raw mut control).cast();
    msg.msg_controllen = control.0.len();
    let n = retry(|| {
        // SAFETY: recvmsg(2) writes at most `buf.len()` bytes through the one iovec and as many of
        // control data as there is room for; both live across the call.
        check_len(unsafe {
            libc::recvmsg(fd.as_raw_fd(), &raw mut msg, flags | libc::MSG_CMSG_CLOEXEC)
        })
    })?;
    // SAFETY: the macros walk `msg.msg_control` within `msg_controllen`, both as the kernel left
    // them (cmsg(3)).
    unsafe {
        let mut cmsg = libc::CMSG_FIRSTHDR(&raw const msg);
        while !cmsg.is_null() {
            if (*cmsg).cmsg_level == libc::SOL_SOCKET && (*cmsg).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*cmsg).cmsg_len - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(cmsg).cast::<RawFd>();
                for i in 0..bytes / size_of::<RawFd>() {
                    fds.push(own(data.add(i).read_unaligned()));
                }
            }
            cmsg = libc::CMSG_NXTHDR(&raw const msg, cmsg);
        }
    }
    let fds_lost = msg.msg_flags & libc::MSG_CTRUNC != 0;
    fds.truncate(MAX_FDS);
    if msg.msg_flags & libc::MSG_TRUNC != 0 {
        // A record longer than any frame: hand out nothing that could be taken for one.
        return Ok(Received { len: 0, fds_lost });
    }
    Ok(Received { len: n, fds_lost })
}

/// Sends one record, with one fd beside it or none; never waits, never raises SIGPIPE.
pub fn send_record(fd: BorrowedFd<'_>, buf: &[u8], pass: Option<BorrowedFd<'_>>) -> io::Result<()> {
    send_record_with(fd, buf, pass.as_slice())
}

/// Sends one record with at most [`MAX_SENT`] fds beside it; never waits, never raises SIGPIPE.
pub fn send_record_with(fd: BorrowedFd<'_>, buf: &[u8], pass: &[BorrowedFd<'_>]) -> io::Result<()> {
    let pass = pass.get(..pass.len().min(MAX_SENT)).unwrap_or(&[]);
    let mut control = Control([0; CONTROL]);
    let mut iov = libc::iovec {
        iov_base: buf.as_ptr().cast_mut().cast(),
        iov_len: buf.len(),
    };
    // SAFETY: msghdr is plain data; all zeroes is a valid value.
    let mut msg: libc::msghdr = unsafe { std::mem::zeroed() };
    msg.msg_iov = &raw mut iov;
    msg.msg_iovlen = 1;
    if !pass.is_empty() {
        let len = u32::try_from(size_of_val(pass)).unwrap_or(4);
        msg.msg_control = (&raw mut control).cast();
        // SAFETY: CMSG_SPACE and CMSG_LEN compute sizes; the header and MAX_SENT ints fit in
        // control data that lives across the call (cmsg(3)).
        unsafe {
            msg.msg_controllen = libc::CMSG_SPACE(len) as usize;
            let cmsg = libc::CMSG_FIRSTHDR(&raw const msg);
            (*cmsg).cmsg_level = libc::SOL_SOCKET;
            (*cmsg).cmsg_type = libc::SCM_RIGHTS;
            (*cmsg).cmsg_len = libc::CMSG_LEN(len) as usize;
            let data = libc::CMSG_DATA(cmsg).cast::<RawFd>();
            for (i, fd) in pass.iter().enumerate() {
                data.add(i).write_unaligned(fd.as_raw_fd());
            }
        }
    }
    retry(|| {
        // SAFETY: sendmsg(2) reads the iovec's `buf.len()` bytes and the control data set up
        // above.
        check_len(unsafe {
            libc::sendmsg(
                fd.as_raw_fd(),
                &raw const msg,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        })
    })?;
    Ok(())
}

/// Sets O_NONBLOCK on a description; not one that a program holds.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: fcntl(2) with F_GETFL takes no argument.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: fcntl(2) with F_SETFL takes an int.
    check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })?;
    Ok(())
}

/// socketpair(2), close-on-exec, blocking.
pub fn pair(kind: Kind) -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = match kind {
        Kind::Stream => libc::SOCK_STREAM,
        Kind::SeqPacket => libc::SOCK_SEQPACKET,
        Kind::Datagram => libc::SOCK_DGRAM,
    };
    let mut fds = [-1; 2];
    // SAFETY: socketpair(2) writes two ints to a live array.
    check(unsafe {
        libc::socketpair(
            libc::AF_UNIX,
            kind | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        )
    })?;
    let [a, b] = fds;
    Ok((own(a), own(b)))
}

/// Receives one record, waiting for it; for clients.
pub fn recv_wait(fd: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
    retry(|| {
        // SAFETY: recv(2) writes at most `buf.len()` bytes into `buf`.
        check_len(unsafe { libc::recv(fd.as_raw_fd(), buf.as_mut_ptr().cast(), buf.len(), 0) })
    })
}

/// SO_RCVTIMEO, socket(7).
pub fn set_receive_timeout(fd: BorrowedFd<'_>, micros: i64) -> io::Result<()> {
    let tv = libc::timeval {
        tv_sec: micros / 1_000_000,
        tv_usec: micros % 1_000_000,
    };
    let len = libc::socklen_t::try_from(size_of::<libc::timeval>()).unwrap_or(0);
    // SAFETY: setsockopt(2) reads one timeval.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const tv).cast(),
            len,
        )
    })?;
    Ok(())
}

/// How many bytes recv(2) could take now (unix(7), SIOCINQ).
pub fn queued(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes an int through the pointer.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) })?;
    Ok(usize::try_from(bytes).unwrap_or(0))
}

/// How much the next recv(2) would give, at most one byte; never waits, takes nothing.
pub fn peek(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut byte = [0u8];
    retry(|| {
        // SAFETY: recv(2) writes at most one byte into a live array.
        check_len(unsafe {
            libc::recv(
                fd.as_raw_fd(),
                byte.as_mut_ptr().cast(),
                byte.len(),
                libc::MSG_DONTWAIT | libc::MSG_PEEK,
            )
        })
    })
}
