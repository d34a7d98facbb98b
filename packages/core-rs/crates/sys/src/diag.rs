//! Which unix sockets exist, and who is connected to whom: unix_diag (sock_diag(7)).
//!
//! Only sockets of the caller's own network namespace are seen; the service creates its programs'
//! sockets itself, so they are among them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::call::check;
use crate::netlink::{NetlinkSocket, Request, attributes, u32_at};

/// `SOCK_DIAG_BY_FAMILY` (linux/sock_diag.h).
const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// `UDIAG_SHOW_PEER`, `UNIX_DIAG_PEER` (linux/unix_diag.h).
const SHOW_PEER: u32 = 4;
const ATTRIBUTE_PEER: u16 = 2;
/// `UDIAG_SHOW_VFS`, `UNIX_DIAG_VFS`: of a socket bound to a path, the file's inode and device.
const SHOW_FILE: u32 = 2;
const ATTRIBUTE_FILE: u16 = 1;
/// `UDIAG_SHOW_UID`, `UNIX_DIAG_UID`.
const SHOW_UID: u32 = 0x40;
const ATTRIBUTE_UID: u16 = 7;
/// `UDIAG_SHOW_RQLEN`, `UNIX_DIAG_RQLEN`.
const SHOW_QUEUE: u32 = 16;
const ATTRIBUTE_QUEUE: u16 = 4;
/// `UNIX_DIAG_SHUTDOWN`, told unasked; `RCV_SHUTDOWN | SEND_SHUTDOWN`.
const ATTRIBUTE_SHUTDOWN: u16 = 6;
const SHUT_BOTH: u8 = 3;
/// `struct unix_diag_msg`: family, type, state, pad, inode, cookie.
const REPLY_LEN: usize = 16;
/// `TCP_LISTEN`, which unix sockets use too (net/tcp_states.h).
const LISTENING: u8 = 10;
/// The type in a reply of a stream socket.
const STREAM: u8 = 1;

/// What the kernel tells of a unix socket that is not ours to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// As in `/proc/PID/fd`.
    pub inode: u32,
    /// Who made it.
    pub uid: u32,
    /// `SOCK_STREAM`.
    pub is_stream: bool,
    /// listen(2) was called on it.
    pub is_listening: bool,
    /// Low half of the inode number of the file it is bound to.
    pub file: Option<u32>,
}

/// The unix sockets of this network namespace that are open anywhere, by cookie (`SO_COOKIE`), with
/// what tells one from a forgery.
///
/// # Errors
///
/// Where the kernel has no unix_diag, a sandbox refuses it, or the kernel is older than 5.3 and does
/// not tell whose they are.
pub fn unix_sockets() -> io::Result<HashMap<u64, UnixSocket>> {
    let mut all = HashMap::new();
    let mut owners_known = true;
    let request = Request::dump(SOCK_DIAG_BY_FAMILY, &unix_request(0, SHOW_FILE | SHOW_UID));
    NetlinkSocket::open(libc::NETLINK_SOCK_DIAG)?.ask(request, &mut |kind, body| {
        if kind == SOCK_DIAG_BY_FAMILY {
            match described(body) {
                Some((cookie, socket)) => drop(all.insert(cookie, socket)),
                // Of a socket that is just being closed nothing is told, not even an inode.
                None => owners_known &= u32_at(body, 4) == Some(0),
            }
        }
    })?;
    if owners_known {
        Ok(all)
    } else {
        Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP))
    }
}

/// The same of one socket: its cookie, and what is told of it.
///
/// # Errors
///
/// `ENOENT` if it is of another network namespace; as for [`unix_sockets`].
pub fn unix_socket(fd: BorrowedFd<'_>) -> io::Result<(u64, UnixSocket)> {
    let show = SHOW_FILE | SHOW_UID;
    let request = Request::new(
        SOCK_DIAG_BY_FAMILY,
        0,
        &unix_request(socket_inode(fd)?, show),
    );
    let mut found = None;
    NetlinkSocket::open(libc::NETLINK_SOCK_DIAG)?.ask(request, &mut |kind, body| {
        if kind == SOCK_DIAG_BY_FAMILY {
            found = described(body);
        }
    })?;
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::EOPNOTSUPP))
}

fn described(body: &[u8]) -> Option<(u64, UnixSocket)> {
    let word = |wanted| {
        let (_, value) = attributes(body.get(REPLY_LEN..)?).find(|&(kind, _)| kind == wanted)?;
        u32_at(value, 0)
    };
    let socket = UnixSocket {
        inode: u32_at(body, 4)?,
        uid: word(ATTRIBUTE_UID)?,
        is_stream: body.get(1) == Some(&STREAM),
        is_listening: body.get(2) == Some(&LISTENING),
        file: word(ATTRIBUTE_FILE),
    };
    Some((cookie_at(body, 8)?, socket))
}

/// All unix sockets of this network namespace that are open anywhere: cookie (`SO_COOKIE`) to inode.
///
/// # Errors
///
/// Where the kernel has no unix_diag or a sandbox refuses it; [`live_unix_inodes`] still works then.
pub fn live_unix_sockets() -> io::Result<HashMap<u64, u32>> {
    let mut all = HashMap::new();
    let request = Request::dump(SOCK_DIAG_BY_FAMILY, &unix_request(0, 0));
    NetlinkSocket::open(libc::NETLINK_SOCK_DIAG)?.ask(request, &mut |kind, body| {
        if kind == SOCK_DIAG_BY_FAMILY
            && let (Some(inode), Some(cookie)) = (u32_at(body, 4), cookie_at(body, 8))
        {
            all.insert(cookie, inode);
        }
    })?;
    Ok(all)
}

/// A unix socket that is open anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// As in `/proc/PID/fd`.
    pub inode: u32,
    /// Inode of the socket that it is connected to; 0 for none, one that waits to be accepted, or one that is closed.
    pub peer: u32,
    /// Both its directions have ended: by itself, or by the end of its peer.
    pub shut_both: bool,
}

/// All unix sockets of this network namespace, and who is connected to whom.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    by_cookie: HashMap<u64, End>,
    by_inode: HashMap<u32, u64>,
}

impl Pairs {
    /// Asks the kernel; `peers` says whether peers and states are wanted, which costs more.
    ///
    /// # Errors
    ///
    /// As for [`live_unix_sockets`].
    pub fn look(peers: bool) -> io::Result<Pairs> {
        let mut all = Pairs::default();
        let show = if peers { SHOW_PEER } else { 0 };
        let request = Request::dump(SOCK_DIAG_BY_FAMILY, &unix_request(0, show));
        NetlinkSocket::open(libc::NETLINK_SOCK_DIAG)?.ask(request, &mut |kind, body| {
            if kind == SOCK_DIAG_BY_FAMILY
                && let (Some(inode), Some(cookie)) = (u32_at(body, 4), cookie_at(body, 8))
            {
                let end = End {
                    inode,
                    peer: peer_in(body).unwrap_or(0),
                    shut_both: shutdown_in(body) == Some(SHUT_BOTH),
                };
                all.by_cookie.insert(cookie, end);
                if peers {
                    all.by_inode.insert(inode, cookie);
                }
            }
        })?;
        Ok(all)
    }

    /// The socket with that `SO_COOKIE`.
    pub fn get(&self, cookie: u64) -> Option<&End> {
        self.by_cookie.get(&cookie)
    }

    /// The cookie of the socket with that inode.
    pub fn cookie_of(&self, inode: u32) -> Option<u64> {
        self.by_inode.get(&inode).copied().filter(|_| inode != 0)
    }
}

/// The inodes of all unix sockets of this network namespace, from unix_diag, or where that is
/// refused from `/proc/net/unix` (which knows no cookies).
///
/// # Errors
///
/// If neither can be read.
pub fn live_unix_inodes() -> io::Result<HashSet<u32>> {
    match live_unix_sockets() {
        Ok(all) => Ok(all.into_values().collect()),
        Err(_) => Ok(proc_inodes(&std::fs::read_to_string(
            "/proc/thread-self/net/unix",
        )?)),
    }
}

/// The inode of the socket that `fd`, a connected unix socket, is connected to.
///
/// # Errors
///
/// `ENOTCONN` if it has no peer (any more); errors of unix_diag: `/proc` does not know peers.
pub fn peer_inode(fd: BorrowedFd<'_>) -> io::Result<u32> {
    let inode = socket_inode(fd)?;
    let request = Request::new(SOCK_DIAG_BY_FAMILY, 0, &unix_request(inode, SHOW_PEER));
    let mut peer = None;
    NetlinkSocket::open(libc::NETLINK_SOCK_DIAG)?.ask(request, &mut |kind, body| {
        if kind == SOCK_DIAG_BY_FAMILY {
            peer = peer_in(body);
        }
    })?;
    // The kernel gives 0 for a peer that no file refers to any more (sock_i_ino of an orphan).
    peer.filter(|&inode| inode != 0)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOTCONN))
}

/// How many connections wait in the queue of the listening socket with that inode, and its backlog: that many and
/// one more it takes.
///
/// # Errors
///
/// `ENOENT` if there is no such socket; errors of unix_diag.
pub fn listener_queue(inode: u32) -> io::Result<(u32, u32)> {
    let request = Request::new(SOCK_DIAG_BY_FAMILY, 0, &unix_request(inode, SHOW_QUEUE));
    let mut queue = None;
    NetlinkSocket::open(libc::NETLINK_SOCK_DIAG)?.ask(request, &mut |kind, body| {
        if kind == SOCK_DIAG_BY_FAMILY {
            queue = body.get(REPLY_LEN..).and_then(|rest| {
                let (_, value) = attributes(rest).find(|&(kind, _)| kind == ATTRIBUTE_QUEUE)?;
                Some((u32_at(value, 0)?, u32_at(value, 4)?))
            });
        }
    })?;
    queue.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
}

/// The inode of a socket, as in `/proc/PID/fd` and unix_diag.
///
/// # Errors
///
/// `ENOTSOCK` if `fd` is something else.
pub fn socket_inode(fd: BorrowedFd<'_>) -> io::Result<u32> {
    // SAFETY: `stat` is plain data for which all zeroes is a value (stat(2)).
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: fstat(2) writes a `struct stat` into one that is ours.
    check(unsafe { libc::fstat(fd.as_raw_fd(), &raw mut stat) })?;
    if stat.st_mode & libc::S_IFMT != libc::S_IFSOCK {
        return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
    }
    // Inodes of sockets are counted in 32 bits (get_next_ino in fs/inode.c).
    u32::try_from(stat.st_ino).map_err(|_| io::Error::from_raw_os_error(libc::EOVERFLOW))
}

/// `struct unix_diag_req`: family, protocol, pad, states, inode, show, cookie.
fn unix_request(inode: u32, show: u32) -> [u8; 24] {
    let mut request = [0; 24];
    request[0] = u8::try_from(libc::AF_UNIX).unwrap_or_default();
    // In any state.
    request[4..8].fill(0xff);
    request[8..12].copy_from_slice(&inode.to_ne_bytes());
    request[12..16].copy_from_slice(&show.to_ne_bytes());
    // INET_DIAG_NOCOOKIE: the inode is enough.
    request[16..24].fill(0xff);
    request
}

fn peer_in(body: &[u8]) -> Option<u32> {
    attributes(body.get(REPLY_LEN..)?)
        .find(|&(kind, _)| kind == ATTRIBUTE_PEER)
        .and_then(|(_, value)| u32_at(value, 0))
}

fn shutdown_in(body: &[u8]) -> Option<u8> {
    attributes(body.get(REPLY_LEN..)?)
        .find(|&(kind, _)| kind == ATTRIBUTE_SHUTDOWN)
        .and_then(|(_, value)| value.first().copied())
}

/// Two words, the low one first (sock_diag_save_cookie).
fn cookie_at(body: &[u8], at: usize) -> Option<u64> {
    let low = u32_at(body, at)?;
    let high = u32_at(body, at + 4)?;
    Some(u64::from(high) << 32 | u64::from(low))
}

/// proc(5), `/proc/net/unix`: after a heading, the seventh column is the inode.
fn proc_inodes(text: &str) -> HashSet<u32> {
    text.lines()
        .skip(1)
        .filter_map(|line| line.split_ascii_whitespace().nth(6)?.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests;
