//! A network namespace of the service's own, in which it makes sockets for its programs
//! (network_namespaces(7), user_namespaces(7)).
//!
//! A socket belongs to the namespace of the thread that makes it. So one thread moves into a new
//! namespace and stays there; everything inside is done by it, on request.

use std::ffi::CStr;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::{FromRawFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::call::check;

type Job = Box<dyn FnOnce() + Send>;

/// A thread inside a network namespace of its own. The namespace ends with it and its sockets.
#[derive(Debug)]
pub struct PrivateNet {
    jobs: Sender<Job>,
}

/// What kind of Internet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetKind {
    /// `AF_INET6` rather than `AF_INET`.
    pub v6: bool,
    /// `IPPROTO_*` of a `SOCK_DGRAM` socket.
    pub protocol: i32,
    /// Created with `O_NONBLOCK`.
    pub nonblocking: bool,
    /// Whose it shall be: SO_REUSEPORT lets only sockets of one user share a port.
    pub uid: u32,
}

impl PrivateNet {
    /// Moves a new thread into a new network namespace.
    ///
    /// # Errors
    ///
    /// `EPERM` without CAP_SYS_ADMIN; `ENOSPC` where `user.max_net_namespaces` forbids it; `EINVAL`
    /// if the kernel has no network namespaces.
    pub fn create() -> io::Result<PrivateNet> {
        let (jobs, inbox) = channel::<Job>();
        let (ready, moved) = channel();
        std::thread::Builder::new()
            .name("netcon-netns".to_owned())
            .spawn(move || serve(&inbox, &ready))?;
        moved
            .recv()
            .map_err(|_| io::Error::other("the thread of the namespace has ended"))??;
        Ok(PrivateNet { jobs })
    }

    /// Runs `job` inside and waits for what it gives.
    ///
    /// # Errors
    ///
    /// If the thread is gone, which it is only when a job has panicked.
    pub fn inside<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let gone = || io::Error::other("the thread of the namespace has ended");
        let (result, answer) = channel();
        self.jobs
            .send(Box::new(move || drop(result.send(job()))))
            .map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())
    }

    /// socket(2) inside: a datagram socket, close-on-exec.
    ///
    /// # Errors
    ///
    /// As socket(2): `EPROTONOSUPPORT`, `EAFNOSUPPORT`, `EMFILE`, `ENOBUFS`.
    pub fn socket(&self, kind: InetKind) -> io::Result<OwnedFd> {
        self.inside(move || as_user(kind.uid, || datagram_socket(kind)))?
    }
}

fn serve(inbox: &Receiver<Job>, ready: &Sender<io::Result<()>>) {
    // SAFETY: unshare(2) takes no pointer; CLONE_NEWNET concerns the calling thread alone.
    let moved = check(unsafe { libc::unshare(libc::CLONE_NEWNET) }).map(|_| ());
    let failed = moved.is_err();
    if ready.send(moved).is_err() || failed {
        return;
    }
    while let Ok(job) = inbox.recv() {
        job();
    }
}

/// Sets a variable under /proc/sys for the namespace of this thread. To be called inside.
///
/// # Errors
///
/// As open(2) and write(2): `EROFS` in many containers.
pub fn set_sysctl(path: &str, value: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(value.as_bytes())
}

/// The index of an interface of this thread's namespace, 0 if there is none (if_nametoindex(3)).
pub fn interface_index(name: &CStr) -> u32 {
    // SAFETY: if_nametoindex(3) reads a NUL-terminated string.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// A socket's owner is the file system uid of the thread that makes it (sock_alloc, net/socket.c).
fn as_user<T>(uid: u32, f: impl FnOnce() -> T) -> T {
    // SAFETY: setfsuid(2) takes no pointer and concerns the calling thread alone. Without the right
    // to change it, it stays, and the socket is the service's.
    let before = unsafe { libc::setfsuid(uid) };
    let result = f();
    // SAFETY: as above; back to what it was is always allowed.
    unsafe { libc::setfsuid(before.cast_unsigned()) };
    result
}

fn datagram_socket(kind: InetKind) -> io::Result<OwnedFd> {
    let family = if kind.v6 {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let nonblock = if kind.nonblocking {
        libc::SOCK_NONBLOCK
    } else {
        0
    };
    let flags = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | nonblock;
    // SAFETY: socket(2) takes no pointer.
    let fd = check(unsafe { libc::socket(family, flags, kind.protocol) })?;
    // SAFETY: socket(2) returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(test)]
mod tests;
