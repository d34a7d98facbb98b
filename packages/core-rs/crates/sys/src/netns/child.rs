//! A child process inside a user namespace and a network namespace, for a service without rights.
//!
//! The service has many threads and so may not enter a user namespace itself (unshare(2)). The child
//! is made by fork(2) alone, so between that and its end it may only do what is async-signal-safe:
//! system calls, on memory that was prepared before. It ends when its socket does.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use super::{InetKind, Opened, PING_GROUPS, Sysctl, arguments, make, open};
use crate::call::check;
use crate::unix::{self, Kind};

/// The child answers in microseconds; longer means that it is gone.
const ANSWER_MS: libc::c_int = 5000;
/// Family, flags and protocol of a request.
const REQUEST: usize = 12;
/// An answer: the errno, and with 0 one descriptor or, the first time, two.
const ANSWER: usize = 4;

#[derive(Debug)]
pub(super) struct Child {
    socket: OwnedFd,
    pid: libc::pid_t,
}

impl Child {
    /// The child, what it has opened, and its directory in /proc.
    pub(super) fn start(sysctls: &[Sysctl<'_>]) -> io::Result<(Child, Opened, String)> {
        // SAFETY: getegid(2) takes nothing and never fails.
        let gid = unsafe { libc::getegid() };
        let map = format!("{gid} {gid} 1");
        let groups = format!("{gid} {gid}");
        // Groups of the outside mean nothing inside until one is mapped (user_namespaces(7)).
        let writes: Vec<(&CStr, CString)> = [
            (c"/proc/self/setgroups", "deny"),
            (c"/proc/self/gid_map", map.as_str()),
        ]
        .iter()
        .chain(sysctls)
        .chain(&[(PING_GROUPS, groups.as_str())])
        .filter_map(|(path, value)| Some((*path, CString::new(*value).ok()?)))
        .collect();
        let (socket, theirs) = unix::pair(Kind::SeqPacket)?;
        // SAFETY: fork(2); the child runs `live` only, which keeps to what a child of a process
        // with threads may do.
        let pid = check(unsafe { libc::fork() })?;
        if pid == 0 {
            live(theirs.as_raw_fd(), &writes);
        }
        drop(theirs);
        let child = Child { socket, pid };
        let mut fds = child.answer()?.into_iter();
        let (Some(device), Some(route)) = (fds.next(), fds.next()) else {
            return Err(io::Error::from_raw_os_error(libc::EPROTO));
        };
        Ok((child, Opened { device, route }, format!("/proc/{pid}")))
    }

    pub(super) fn socket(&self, kind: InetKind) -> io::Result<OwnedFd> {
        let (family, flags, protocol) = arguments(kind);
        let mut request = [0; REQUEST];
        request[..4].copy_from_slice(&family.to_ne_bytes());
        request[4..8].copy_from_slice(&flags.to_ne_bytes());
        request[8..].copy_from_slice(&protocol.to_ne_bytes());
        unix::send_record(self.socket.as_fd(), &request, None)?;
        let fd = self.answer()?.pop();
        fd.ok_or_else(|| io::Error::from_raw_os_error(libc::EPROTO))
    }

    fn answer(&self) -> io::Result<Vec<OwnedFd>> {
        let mut poll = libc::pollfd {
            fd: self.socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: poll(2) reads and writes one pollfd that is ours.
        check(unsafe { libc::poll(&raw mut poll, 1, ANSWER_MS) })?;
        let (mut bytes, mut fds) = ([0; ANSWER], Vec::new());
        if unix::recv_record(self.socket.as_fd(), &mut bytes, &mut fds)?.len != ANSWER {
            return Err(io::Error::other("the process of the namespace has ended"));
        }
        match i32::from_ne_bytes(bytes) {
            0 => Ok(fds),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: kill(2) on a child that was not waited for yet: the pid is still its own.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        // SAFETY: waitpid(2) allows a null status.
        unsafe { libc::waitpid(self.pid, std::ptr::null_mut(), 0) };
    }
}

/// The child's whole life.
fn live(socket: RawFd, writes: &[(&CStr, CString)]) -> ! {
    // SAFETY: prctl(2) with a NUL-terminated name; dup2(2) and close_range(2) on the child's own
    // table: nothing of the service's must stay open here. Signals meant for the service's group
    // would find the service's handlers.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_NAME, c"netcon-netns".as_ptr());
        libc::dup2(socket, 0);
        libc::close_range(1, libc::c_uint::MAX, 0);
    }
    // SAFETY: descriptor 0 is the socket, for as long as the process lives.
    let socket = unsafe { BorrowedFd::borrow_raw(0) };
    // SAFETY: unshare(2) takes no pointer.
    let entered = check(unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) });
    if entered.is_ok() {
        for (path, value) in writes {
            write(path, value);
        }
    }
    let opened = entered.and_then(|_| {
        let device = open(c"/dev/net/tun")?;
        Ok((
            device,
            make(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?,
        ))
    });
    let alive = match &opened {
        Ok((device, route)) => reply(socket, 0, &[device.as_fd(), route.as_fd()]),
        Err(e) => {
            reply(socket, e.raw_os_error().unwrap_or(libc::EIO), &[]);
            false
        }
    };
    drop(opened);
    let mut request = [0; REQUEST];
    while alive && unix::recv_wait(socket, &mut request).is_ok_and(|n| n == REQUEST) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = request;
        let number = i32::from_ne_bytes;
        let made = make(
            number([a, b, c, d]),
            number([e, f, g, h]),
            number([i, j, k, l]),
        );
        let answered = match &made {
            Ok(fd) => reply(socket, 0, &[fd.as_fd()]),
            Err(e) => reply(socket, e.raw_os_error().unwrap_or(libc::EIO), &[]),
        };
        if !answered {
            break;
        }
    }
    // SAFETY: _exit(2) runs nothing of the service's.
    unsafe { libc::_exit(0) }
}

fn reply(socket: BorrowedFd<'_>, errno: i32, fds: &[BorrowedFd<'_>]) -> bool {
    unix::send_record_with(socket, &errno.to_ne_bytes(), fds).is_ok()
}

fn write(path: &CStr, value: &CStr) {
    // SAFETY: open(2) with a NUL-terminated path; write(2) of a live string to what it returned,
    // which close(2) ends. What cannot be written keeps its default.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd >= 0 {
            libc::write(fd, value.as_ptr().cast(), value.count_bytes());
            libc::close(fd);
        }
    }
}
