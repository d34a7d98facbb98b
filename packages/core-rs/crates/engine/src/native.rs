//! The native side of a socket: the names it is bound to and the tricks on its buffers.
//!
//! Everything here acts on the program's own description, passed by `SCM_RIGHTS`; the service
//! closes its copy when done. See docs/internals/sockets.md.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use netcon_sys::unix::{self, Kind, Name};
use netcon_sys::{process, sockopt};
use netcon_wire::{Mark, SEND_BUFFER, SocketName};

use crate::records;
use crate::rpc::errno::{EIO, ENFILE};
use crate::sessions::SessionId;

/// The smallest SO_SNDBUF: the kernel raises it to SOCK_MIN_SNDBUF (socket(7)).
const MIN_SEND_BUFFER: i32 = 1;
/// Fill sizes to try at the start; 2304 was measured to fill 4608 on Linux 6.18.
const FILL_SIZES: [usize; 6] = [2304, 2048, 2560, 1792, 3072, 4096];
/// The name of the private listener.
const PRIVATE: &str = "c";
/// Longest directory that leaves room for a name in `sun_path` (unix(7)).
const LONGEST_DIR: usize = 75;
const FILL: [u8; 4096] = [0; 4096];

/// The service's directory of names, its private listener, and its probe.
#[derive(Debug)]
pub(crate) struct Native {
    dir: PathBuf,
    /// `dir`, or a shorter name of it.
    short: PathBuf,
    _held: fs::File,
    /// What programs' sockets are connected to.
    private: OwnedFd,
    private_path: PathBuf,
    /// A datagram socket: connecting it to a path tells a live listener from a dead one.
    probe: OwnedFd,
    /// Bytes that make a minimal send buffer full.
    pub(crate) fill: usize,
}

impl Native {
    pub(crate) fn new(dir: &Path) -> io::Result<Native> {
        prepare(dir)?;
        let held = fs::File::open(dir)?;
        // sun_path holds 107 bytes: a long directory is named by our own fd of it (proc(5)).
        let short = if dir.as_os_str().len() > LONGEST_DIR {
            PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()))
        } else {
            dir.to_owned()
        };
        let private_path = short.join(PRIVATE);
        // Of a service that was killed.
        let _ = fs::remove_file(&private_path);
        let private = unix::socket(Kind::Stream, true)?;
        unix::bind(private.as_fd(), Name::Path(&private_path))?;
        unix::listen(private.as_fd(), 16)?;
        let probe = unix::socket(Kind::Datagram, true)?;
        Ok(Native {
            dir: dir.to_owned(),
            short,
            _held: held,
            private,
            private_path,
            probe,
            fill: find_fill()?,
        })
    }

    /// Where a listener of that table id and token is bound.
    pub(crate) fn listener_path(&self, slot: u32, token: u64) -> PathBuf {
        self.short.join(format!("{slot:x}-{token:016x}"))
    }

    /// bind(2) and listen(2) of the program's description.
    pub(crate) fn listen(
        &self,
        program: BorrowedFd<'_>,
        path: &Path,
        backlog: i32,
    ) -> io::Result<()> {
        // What it accepts inherits it.
        sockopt::refuse_rights(program);
        unix::bind(program, Name::Path(path))?;
        unix::listen(program, backlog)
    }

    /// Binds the program's description to its identity and connects it to us; returns our end.
    pub(crate) fn connect(
        &self,
        program: BorrowedFd<'_>,
        identity: &SocketName,
    ) -> io::Result<OwnedFd> {
        self.name(program, identity)?;
        unix::connect(program, Name::Path(&self.private_path))?;
        let end = accept_from(self.private.as_fd(), identity)?;
        sockopt::refuse_rights(end.as_fd());
        Ok(end)
    }

    /// Where programs of a session connect to.
    pub(crate) fn session_path(&self, session: SessionId) -> PathBuf {
        self.short.join(format!("s{:x}", session.0))
    }

    /// A listener of ours, and a descriptor by which it is reached.
    pub(crate) fn listen_privately(
        &self,
        path: &Path,
        backlog: i32,
    ) -> io::Result<(OwnedFd, OwnedFd)> {
        self.remove(path);
        let listener = unix::socket(Kind::Stream, true)?;
        unix::bind(listener.as_fd(), Name::Path(path))?;
        // The program may have given up its rights by then; nobody else gets through the directory.
        fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        unix::listen(listener.as_fd(), backlog)?;
        Ok((listener, unix::open_name(path)?))
    }

    /// Names the program's description, which has connected to that listener; returns our end.
    pub(crate) fn adopt(
        &self,
        program: BorrowedFd<'_>,
        listener: BorrowedFd<'_>,
        identity: &SocketName,
    ) -> io::Result<OwnedFd> {
        self.name(program, identity)?;
        let end = accept_from(listener, identity)?;
        sockopt::refuse_rights(end.as_fd());
        Ok(end)
    }

    fn name(&self, fd: BorrowedFd<'_>, identity: &SocketName) -> io::Result<()> {
        let name = identity
            .encode()
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        unix::bind(fd, Name::Abstract(&name))
    }

    /// Names a program's description and connects it to another program's listener at `path`, which has room.
    pub(crate) fn join(
        &self,
        program: BorrowedFd<'_>,
        path: &Path,
        identity: &SocketName,
    ) -> io::Result<()> {
        // Whatever one program passes, the other's TCP socket has no descriptors to give.
        sockopt::refuse_rights(program);
        self.name(program, identity)?;
        unix::connect(program, Name::Path(path))
    }

    /// A new socket of ours, named, connected to the program's listener at `path`.
    pub(crate) fn offer(&self, path: &Path, identity: &SocketName) -> io::Result<OwnedFd> {
        let end = unix::socket(Kind::Stream, true)?;
        sockopt::refuse_rights(end.as_fd());
        self.name(end.as_fd(), identity)?;
        unix::connect(end.as_fd(), Name::Path(path))?;
        Ok(end)
    }

    /// Whether some process still holds the listener at `path`. Connecting a socket of another
    /// type has no effect but an errno: EPROTOTYPE for a live socket, ECONNREFUSED for a name
    /// that nobody holds.
    pub(crate) fn is_alive(&self, path: &Path) -> bool {
        match unix::connect(self.probe.as_fd(), Name::Path(path)) {
            Ok(()) => true,
            Err(e) => e.raw_os_error() == Some(libc_errno::EPROTOTYPE),
        }
    }

    /// The file of a socket's name: the low half of its inode number, as unix_diag has it.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn file(&self, path: &Path) -> Option<u32> {
        let found = fs::symlink_metadata(path).ok()?;
        Some(found.ino() as u32)
    }

    /// Removes what a service before has left, but the names in `kept`.
    pub(crate) fn sweep(&self, kept: &[PathBuf]) {
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        let kept: HashSet<_> = kept.iter().filter_map(|path| path.file_name()).collect();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let ours = [PRIVATE, records::FILE].iter().any(|own| name == *own);
            if !ours && !kept.contains(name.as_os_str()) {
                // A directory was put there by nobody of ours, and stays.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    pub(crate) fn remove(&self, path: &Path) {
        // The name of a listener that is gone; nothing depends on it.
        let _ = fs::remove_file(path);
    }

    pub(crate) fn cleanup(&self) {
        // At the end: what cannot be removed is left for the next start.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Our end of the connection from the socket of that name. An earlier one may be left in the queue:
/// where there was no descriptor left to accept it with, or its program has died.
fn accept_from(listener: BorrowedFd<'_>, identity: &SocketName) -> io::Result<OwnedFd> {
    loop {
        let end = unix::accept(listener)?;
        let peer = unix::peer_name(end.as_fd()).ok();
        if peer.and_then(|name| SocketName::decode(&name).ok()) == Some(*identity) {
            return Ok(end);
        }
    }
}

/// Makes the directory, or takes over that of a service that was killed: if it is our own, and nobody
/// else could write to it. What else is there gives way.
fn prepare(dir: &Path) -> io::Result<()> {
    if let Ok(found) = fs::symlink_metadata(dir) {
        let ours =
            found.is_dir() && found.uid() == process::effective_uid() && found.mode() & 0o077 == 0;
        if ours {
            return Ok(());
        }
        fs::remove_dir_all(dir)?;
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

/// Makes the program's end unwritable: returns the send buffer it had.
pub(crate) fn fill(program: BorrowedFd<'_>, bytes: usize) -> io::Result<i32> {
    let before = sockopt::send_buffer(program)?;
    sockopt::set_send_buffer(program, MIN_SEND_BUFFER)?;
    let record = FILL.get(..bytes).unwrap_or(&FILL);
    if unix::send(program, record)? != record.len() {
        return Err(io::Error::from(io::ErrorKind::WriteZero));
    }
    Ok(before)
}

/// Makes the program's end writable again: its buffer first, or its first write would be cut to
/// the minimal one.
pub(crate) fn release(
    restore: Option<(BorrowedFd<'_>, i32)>,
    end: BorrowedFd<'_>,
    bytes: usize,
) -> io::Result<()> {
    if let Some((program, send_buffer)) = restore {
        // The kernel keeps twice what it is asked for (socket(7)).
        sockopt::force_send_buffer(program, send_buffer / 2)?;
    }
    let mut left = bytes;
    let mut scratch = [0; FILL.len()];
    while left > 0 {
        let want = left.min(scratch.len());
        let Some(buf) = scratch.get_mut(..want) else {
            break;
        };
        match unix::recv(end, buf)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            n => left -= n,
        }
    }
    Ok(())
}

/// Wakes who waits for the socket to be writable: setting a send buffer does (sk_setsockopt, net/core/sock.c).
pub(crate) fn wake_writers(program: BorrowedFd<'_>) {
    if let Ok(bytes) = sockopt::send_buffer(program) {
        let _ = sockopt::force_send_buffer(program, bytes / 2);
    }
}

/// What a program is told of a failure on our side: a full table of descriptors of ours it knows as
/// ENFILE.
pub(crate) fn errno(why: &io::Error) -> u32 {
    match why.raw_os_error() {
        Some(libc_errno::EMFILE | libc_errno::ENFILE) => ENFILE,
        _ => EIO,
    }
}

/// A larger buffer is a matter of speed only.
pub(crate) fn enlarge(fd: BorrowedFd<'_>) {
    let _ = sockopt::force_send_buffer(fd, SEND_BUFFER);
}

pub(crate) fn set_mark(fd: BorrowedFd<'_>, mark: Mark) -> io::Result<()> {
    sockopt::set_mark(fd, mark.pack())
}

/// Finds how many bytes make a send buffer of the minimal size full on this kernel.
fn find_fill() -> io::Result<usize> {
    for bytes in FILL_SIZES {
        let (a, _b) = unix::pair(Kind::Stream)?;
        if fill(a.as_fd(), bytes).is_ok() && unix::send(a.as_fd(), &[0]).is_err() {
            return Ok(bytes);
        }
    }
    Err(io::Error::from(io::ErrorKind::Unsupported))
}

pub(crate) mod libc_errno {
    //! Errnos of unix(7) calls that the engine tells apart; asm-generic/errno.h.
    pub(crate) const ENFILE: i32 = 23;
    pub(crate) const EMFILE: i32 = 24;
    pub(crate) const EPROTOTYPE: i32 = 91;
    pub(crate) const ECONNREFUSED: i32 = 111;
}

#[cfg(test)]
mod tests;
