//! A thread inside a network namespace, by CAP_SYS_ADMIN.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::{InetKind, Opened, PING_GROUPS, Sysctl, arguments, make, open};
use crate::call::check;

type Answer = Sender<io::Result<OwnedFd>>;

#[derive(Debug)]
pub(super) struct Thread {
    requests: Sender<(InetKind, Answer)>,
}

impl Thread {
    /// The thread, what it has opened, and its directory in /proc.
    pub(super) fn start(sysctls: &[Sysctl<'_>]) -> io::Result<(Thread, Opened, String)> {
        let (requests, inbox) = channel();
        let (ready, arrived) = channel();
        let sysctls: Vec<_> = sysctls
            .iter()
            .chain(&[(PING_GROUPS, "0 2147483647")])
            .map(|(path, value)| (path.to_string_lossy().into_owned(), (*value).to_owned()))
            .collect();
        std::thread::Builder::new()
            .name("netcon-netns".to_owned())
            .spawn(move || {
                let opened = enter(&sysctls);
                let failed = opened.is_err();
                if ready.send(opened).is_ok() && !failed {
                    serve(&inbox);
                }
            })?;
        let (opened, task) = arrived.recv().map_err(|_| gone())??;
        Ok((Thread { requests }, opened, task))
    }

    pub(super) fn socket(&self, kind: InetKind) -> io::Result<OwnedFd> {
        let (answer, made) = channel();
        self.requests.send((kind, answer)).map_err(|_| gone())?;
        made.recv().map_err(|_| gone())?
    }
}

fn gone() -> io::Error {
    io::Error::other("the thread of the namespace has ended")
}

fn enter(sysctls: &[(String, String)]) -> io::Result<(Opened, String)> {
    // SAFETY: unshare(2) takes no pointer; CLONE_NEWNET concerns the calling thread alone.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    for (path, value) in sysctls {
        if let Ok(mut file) = OpenOptions::new().write(true).open(path) {
            let _ = file.write_all(value.as_bytes());
        }
    }
    let opened = Opened {
        device: open(c"/dev/net/tun")?,
        route: make(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?,
    };
    // SAFETY: gettid(2) takes nothing and never fails.
    let tid = unsafe { libc::gettid() };
    Ok((opened, format!("/proc/self/task/{tid}")))
}

fn serve(inbox: &Receiver<(InetKind, Answer)>) {
    while let Ok((kind, answer)) = inbox.recv() {
        let (family, flags, protocol) = arguments(kind);
        let made = as_user(kind.uid, || make(family, flags, protocol));
        // Whoever asked waits for the answer.
        let _ = answer.send(made);
    }
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
