//! Facts about other processes, and replacing our own.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::call::check;

/// `/proc/PID/comm`: the name ps(1) shows, at most 15 bytes; `None` when the process has gone.
pub fn program(pid: u32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// When a process began, in clock ticks since boot (proc(5), field 22 of `stat`): with its pid this
/// names it for as long as the machine runs.
pub fn start_time(pid: u32) -> Option<u64> {
    stat(pid, 22)
}

/// The parent of a process (proc(5), field 4 of `stat`).
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid, 4)?.try_into().ok()
}

fn stat(pid: u32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, the name, may hold spaces and parentheses: the last one ends it.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(field.checked_sub(3)?)?.parse().ok()
}

/// `/proc/sys/kernel/random/boot_id`: cookies, pids and start times mean nothing after a boot.
pub fn boot_id() -> io::Result<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim_end().to_owned())
}

/// geteuid(2).
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid(2) takes nothing and always succeeds.
    unsafe { libc::geteuid() }
}

/// Random bytes from getrandom(2).
pub fn random_u64() -> io::Result<u64> {
    let mut bytes = [0u8; 8];
    // SAFETY: getrandom(2) writes at most 8 bytes into a live array; up to 256 bytes come whole.
    let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
    if usize::try_from(n) != Ok(bytes.len()) {
        return Err(io::Error::last_os_error());
    }
    Ok(u64::from_ne_bytes(bytes))
}

/// Random numbers, of which one call of getrandom(2) brings many.
#[derive(Debug, Default)]
pub struct RandomPool {
    numbers: Vec<u64>,
}

impl RandomPool {
    /// The next one.
    pub fn next_u64(&mut self) -> io::Result<u64> {
        if let Some(number) = self.numbers.pop() {
            return Ok(number);
        }
        // Up to 256 bytes come whole (getrandom(2)).
        let mut bytes = [0u8; 256];
        // SAFETY: getrandom(2) writes at most 256 bytes into a live array.
        let n = unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) };
        if usize::try_from(n) != Ok(bytes.len()) {
            return Err(io::Error::last_os_error());
        }
        let (chunks, _) = bytes.as_chunks::<8>();
        self.numbers
            .extend(chunks.iter().copied().map(u64::from_ne_bytes));
        self.numbers
            .pop()
            .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// What of a launcher's own state the program that replaces it must not inherit.
#[derive(Debug, Default)]
pub struct ExecOptions {
    /// The soft RLIMIT_NOFILE to go back to (Node raises it).
    pub nofile_soft: Option<u64>,
    /// Signals that were ignored before Node started, to be ignored again.
    pub ignore_signals: Vec<i32>,
    /// An fd that the program inherits.
    pub keep: Option<OwnedFd>,
}

/// execve(2) in place of this process: same pid and tty. Signal dispositions and mask are reset,
/// fds 0-2 are made blocking again (libuv sets O_NONBLOCK), all others close on exec.
/// Returns only the error.
pub fn exec_replace(
    file: &CString,
    argv: &[CString],
    env: &[CString],
    options: &ExecOptions,
) -> io::Error {
    let pointers = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    if let Err(e) = prepare(options) {
        return e;
    }
    // SAFETY: execve(2) reads NUL-terminated strings and null-terminated arrays; the CStrings
    // live in the caller's slices across the call.
    unsafe { libc::execve(file.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

fn prepare(options: &ExecOptions) -> io::Result<()> {
    if let Some(soft) = options.nofile_soft {
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: getrlimit(2) writes one rlimit.
        check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
        limit.rlim_cur = soft.min(limit.rlim_max);
        // SAFETY: setrlimit(2) reads one rlimit.
        check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    }
    for fd in 0..3 {
        blocking_and_kept(fd);
    }
    // SAFETY: close_range(2) with CLOSE_RANGE_CLOEXEC only sets a flag on fds of this process,
    // which ends or gives them up with the execve that follows.
    check(unsafe {
        libc::close_range(
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC.cast_signed(),
        )
    })?;
    if let Some(fd) = &options.keep {
        blocking_and_kept(fd.as_raw_fd());
    }
    for signal in 1..=64 {
        let action = if options.ignore_signals.contains(&signal) {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        // SAFETY: signal(2) with SIG_DFL or SIG_IGN installs no handler; SIGKILL, SIGSTOP and
        // libc's own signals give an error, which is what is wanted.
        unsafe { libc::signal(signal, action) };
    }
    // SAFETY: sigset_t is plain data, filled by sigemptyset(3) before sigprocmask(2) reads it.
    unsafe {
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
    }
    Ok(())
}

fn blocking_and_kept(fd: RawFd) {
    // SAFETY: fcntl(2) with these commands takes ints only; a closed fd gives EBADF, which is the
    // caller's own state and stays so.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFL);
        if flags >= 0 && flags & libc::O_NONBLOCK != 0 {
            libc::fcntl(fd, libc::F_SETFL, flags & !libc::O_NONBLOCK);
        }
        let flags = libc::fcntl(fd, libc::F_GETFD);
        if flags >= 0 {
            libc::fcntl(fd, libc::F_SETFD, flags & !libc::FD_CLOEXEC);
        }
    }
}

/// flock(2), exclusive, not waiting: whether the lock is ours now. The kernel gives it up with
/// the description, whatever becomes of the process.
pub fn try_lock(fd: RawFd) -> io::Result<bool> {
    // SAFETY: flock(2) takes no pointer.
    match check(unsafe { libc::flock(fd, libc::LOCK_EX | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(e) => Err(e),
    }
}

/// Soft RLIMIT_NOFILE.
pub fn fd_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: getrlimit(2) writes one rlimit.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok(limit.rlim_cur)
}

/// A duplicate at the lowest free number from `least` on, close-on-exec (fcntl(2)).
pub fn duplicate_from(fd: BorrowedFd<'_>, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: fcntl(2) with F_DUPFD_CLOEXEC takes an int.
    let raw = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })?;
    // SAFETY: fcntl(2) returned a new fd that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(raw) })
}
