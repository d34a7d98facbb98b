//! The raw system call, and the few calls the library makes itself.
//!
//! Nothing here touches errno or meets a hook. Each wrapper is one kernel interface; it decides
//! nothing.

#[cfg(target_arch = "aarch64")]
#[path = "sys/aarch64.rs"]
mod arch;
#[cfg(target_arch = "x86_64")]
#[path = "sys/x86_64.rs"]
mod arch;
pub(crate) mod files;

use core::ffi::{c_int, c_void};
use core::mem::size_of;
use core::sync::atomic::AtomicU32;

pub(crate) use arch::{nr, syscall6};

use crate::abi::{self, Iovec, Msghdr, Timespec, Ucred};
use crate::errno::Errno;

/// Turns the kernel's -4095..=-1 into an error.
pub(crate) fn check(ret: isize) -> Result<isize, Errno> {
    if (-4095..0).contains(&ret) {
        // In range by the test above.
        #[allow(clippy::cast_possible_truncation)]
        return Err(Errno(-ret as i32));
    }
    Ok(ret)
}

/// An argument as the register carries it.
pub(crate) const fn int(value: c_int) -> usize {
    value as isize as usize
}

/// A result that the kernel defines as an int.
#[allow(clippy::cast_possible_truncation)]
pub(crate) fn narrow(ret: isize) -> c_int {
    ret as c_int
}

/// A call whose result is an int.
///
/// # Safety
/// As [`syscall6`].
pub(crate) unsafe fn call(nr: usize, args: [usize; 6]) -> Result<c_int, Errno> {
    // SAFETY: the caller's contract.
    check(unsafe { syscall6(nr, args) }).map(narrow)
}

/// A call without pointers.
fn plain(nr: usize, a: usize, b: usize, c: usize) -> Result<c_int, Errno> {
    // SAFETY: only used for calls whose arguments are numbers; the kernel checks them all.
    unsafe { call(nr, [a, b, c, 0, 0, 0]) }
}

/// getpid(2), never cached: the caller may be a vfork child.
pub(crate) fn getpid() -> u32 {
    plain(nr::GETPID, 0, 0, 0).unwrap_or(0).cast_unsigned()
}

/// gettid(2)
pub(crate) fn gettid() -> u32 {
    plain(nr::GETTID, 0, 0, 0).unwrap_or(0).cast_unsigned()
}

/// geteuid(2)
pub(crate) fn geteuid() -> u32 {
    plain(nr::GETEUID, 0, 0, 0).unwrap_or(0).cast_unsigned()
}

/// exit_group(2)
pub(crate) fn exit(status: c_int) -> ! {
    loop {
        let _ = plain(nr::EXIT_GROUP, int(status), 0, 0);
    }
}

/// sched_yield(2)
pub(crate) fn sched_yield() {
    let _ = plain(nr::SCHED_YIELD, 0, 0, 0);
}

/// Sends a signal to the calling thread, as the kernel does with `SIGPIPE`.
pub(crate) fn raise(signal: c_int) {
    let _ = plain(
        nr::TGKILL,
        getpid() as usize,
        gettid() as usize,
        int(signal),
    );
}

/// close(2)
pub(crate) fn close(fd: c_int) -> Result<c_int, Errno> {
    plain(nr::CLOSE, int(fd), 0, 0)
}

/// close_range(2)
pub(crate) fn close_range(first: u32, last: u32, flags: u32) -> Result<c_int, Errno> {
    plain(
        nr::CLOSE_RANGE,
        first as usize,
        last as usize,
        flags as usize,
    )
}

/// dup3(2)
pub(crate) fn dup3(old: c_int, new: c_int, flags: c_int) -> Result<c_int, Errno> {
    plain(nr::DUP3, int(old), int(new), int(flags))
}

/// fcntl(2) with a number as its argument.
pub(crate) fn fcntl(fd: c_int, cmd: c_int, arg: c_int) -> Result<c_int, Errno> {
    plain(nr::FCNTL, int(fd), int(cmd), int(arg))
}

/// socket(2)
pub(crate) fn socket(domain: c_int, kind: c_int, protocol: c_int) -> Result<c_int, Errno> {
    plain(nr::SOCKET, int(domain), int(kind), int(protocol))
}

/// listen(2)
pub(crate) fn listen(fd: c_int, backlog: c_int) -> Result<c_int, Errno> {
    plain(nr::LISTEN, int(fd), int(backlog), 0)
}

/// shutdown(2)
pub(crate) fn shutdown(fd: c_int, how: c_int) -> Result<c_int, Errno> {
    plain(nr::SHUTDOWN, int(fd), int(how), 0)
}

/// socketpair(2) of `AF_UNIX`, close-on-exec.
pub(crate) fn socketpair(kind: c_int) -> Result<[c_int; 2], Errno> {
    let mut pair = [-1; 2];
    let args = [
        usize::from(abi::AF_UNIX),
        int(kind | abi::SOCK_CLOEXEC),
        0,
        pair.as_mut_ptr() as usize,
        0,
        0,
    ];
    // SAFETY: the kernel writes two ints to `pair`.
    unsafe { call(nr::SOCKETPAIR, args) }?;
    Ok(pair)
}

/// connect(2)
pub(crate) fn connect(fd: c_int, address: &[u8]) -> Result<c_int, Errno> {
    let args = [int(fd), address.as_ptr() as usize, address.len(), 0, 0, 0];
    // SAFETY: the kernel reads `address.len()` bytes.
    unsafe { call(nr::CONNECT, args) }
}

/// accept4(2) with a buffer for the peer's address; its full length is returned.
pub(crate) fn address_of(nr: usize, fd: c_int, buf: &mut [u8]) -> Result<usize, Errno> {
    let mut len = u32::try_from(buf.len()).unwrap_or(0);
    let args = [
        int(fd),
        buf.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
        0,
        0,
    ];
    // SAFETY: getsockname and getpeername write at most `len` bytes to `buf`, and to `len`.
    unsafe { call(nr, args) }?;
    Ok(len as usize)
}

/// getsockopt(2) of a fixed-size value. `None` if the kernel's value has another size.
pub(crate) fn getsockopt<T: Copy + Default>(
    fd: c_int,
    level: c_int,
    name: c_int,
) -> Result<T, Errno> {
    let mut value = T::default();
    let mut len = u32::try_from(size_of::<T>()).unwrap_or(0);
    let args = [
        int(fd),
        int(level),
        int(name),
        &raw mut value as usize,
        &raw mut len as usize,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes to `value`; T is plain data (callers pass
    // integers, `Ucred` and `Timespec`-like arrays).
    unsafe { call(nr::GETSOCKOPT, args) }?;
    if len as usize != size_of::<T>() {
        return Err(Errno::EINVAL);
    }
    Ok(value)
}

/// setsockopt(2) of a fixed-size value.
pub(crate) fn setsockopt<T: Copy>(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: &T,
) -> Result<c_int, Errno> {
    let args = [
        int(fd),
        int(level),
        int(name),
        core::ptr::from_ref(value) as usize,
        size_of::<T>(),
        0,
    ];
    // SAFETY: the kernel reads `size_of::<T>()` bytes of `value`.
    unsafe { call(nr::SETSOCKOPT, args) }
}

/// `SO_COOKIE`: the socket's number, never used twice while the machine runs.
pub(crate) fn cookie(fd: c_int) -> Option<u64> {
    getsockopt(fd, abi::SOL_SOCKET, abi::SO_COOKIE).ok()
}

/// `SO_PEERCRED`
pub(crate) fn peer_credentials(fd: c_int) -> Result<Ucred, Errno> {
    getsockopt(fd, abi::SOL_SOCKET, abi::SO_PEERCRED)
}

/// write(2)
pub(crate) fn write(fd: c_int, buf: &[u8]) -> Result<usize, Errno> {
    let args = [int(fd), buf.as_ptr() as usize, buf.len(), 0, 0, 0];
    // SAFETY: the kernel reads `buf.len()` bytes.
    check(unsafe { syscall6(nr::WRITE, args) }).map(isize::cast_unsigned)
}

/// read(2)
pub(crate) fn read(fd: c_int, buf: &mut [u8]) -> Result<usize, Errno> {
    let args = [int(fd), buf.as_mut_ptr() as usize, buf.len(), 0, 0, 0];
    // SAFETY: the kernel writes at most `buf.len()` bytes.
    check(unsafe { syscall6(nr::READ, args) }).map(isize::cast_unsigned)
}

/// openat(2) of a NUL-terminated path; `None` if it has no terminator.
pub(crate) fn open(path: &[u8], flags: c_int, mode: c_int) -> Result<c_int, Errno> {
    if path.last() != Some(&0) {
        return Err(Errno::EINVAL);
    }
    let args = [
        int(abi::AT_FDCWD),
        path.as_ptr() as usize,
        int(flags),
        int(mode),
        0,
        0,
    ];
    // SAFETY: `path` is NUL-terminated, tested above.
    unsafe { call(nr::OPENAT, args) }
}

/// readlink(2) of a NUL-terminated path.
pub(crate) fn readlink(path: &core::ffi::CStr, buf: &mut [u8]) -> Result<usize, Errno> {
    let args = [
        int(abi::AT_FDCWD),
        path.as_ptr() as usize,
        buf.as_mut_ptr() as usize,
        buf.len(),
        0,
        0,
    ];
    // SAFETY: the kernel reads up to the NUL and writes at most `buf.len()` bytes.
    check(unsafe { syscall6(nr::READLINKAT, args) }).map(isize::cast_unsigned)
}

/// The soft `RLIMIT_NOFILE`: one more than the highest fd (getrlimit(2)).
pub(crate) fn fd_limit() -> u64 {
    let mut limit = [1024_u64; 2];
    let args = [
        0,
        int(abi::RLIMIT_NOFILE),
        0,
        limit.as_mut_ptr() as usize,
        0,
        0,
    ];
    // SAFETY: the kernel writes a struct rlimit64, two 64-bit words, to `limit`.
    let _ = unsafe { call(nr::PRLIMIT64, args) };
    let [soft, _] = limit;
    soft
}

/// A number that differs from call to call: the monotonic clock's nanoseconds.
pub(crate) fn nanoseconds() -> u64 {
    let mut now = Timespec::default();
    let args = [1, &raw mut now as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes a struct timespec to `now`.
    let _ = unsafe { call(nr::CLOCK_GETTIME, args) };
    now.sec
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.nsec)
        .cast_unsigned()
}

/// ppoll(2) of one fd for `events`; `None` waits for ever. `EAGAIN` when the time is up.
pub(crate) fn poll(fd: c_int, events: i16, timeout: Option<Timespec>) -> Result<(), Errno> {
    let mut entry = abi::Pollfd {
        fd,
        events,
        revents: 0,
    };
    let mut timeout = timeout;
    let time = timeout
        .as_mut()
        .map_or(core::ptr::null_mut(), core::ptr::from_mut);
    let args = [&raw mut entry as usize, 1, time as usize, 0, 8, 0];
    // SAFETY: the kernel reads and writes one struct pollfd and, if given, a struct timespec.
    match unsafe { call(nr::PPOLL, args) }? {
        0 => Err(Errno::EAGAIN),
        _ => Ok(()),
    }
}

/// Blocks every signal; returns the mask before (sigprocmask(2), the kernel's 64-bit set).
pub(crate) fn block_signals() -> u64 {
    let all = u64::MAX;
    let mut old = 0_u64;
    let args = [
        int(abi::SIG_BLOCK),
        &raw const all as usize,
        &raw mut old as usize,
        8,
        0,
        0,
    ];
    // SAFETY: the kernel reads 8 bytes of `all` and writes 8 of `old`.
    let _ = unsafe { call(nr::RT_SIGPROCMASK, args) };
    old
}

/// Puts a mask from [`block_signals`] back.
pub(crate) fn restore_signals(old: u64) {
    let args = [int(abi::SIG_SETMASK), &raw const old as usize, 0, 8, 0, 0];
    // SAFETY: the kernel reads 8 bytes of `old`.
    let _ = unsafe { call(nr::RT_SIGPROCMASK, args) };
}

/// Whether the aligned word at `address` can be read. The kernel reads a signal set before it
/// looks at `how` (kernel/signal.c), so a `how` that does not exist tells and changes nothing.
pub(crate) fn readable(address: usize) -> bool {
    let args = [int(-1), address & !7, 0, 8, 0, 0];
    // SAFETY: sigprocmask(2) with an invalid `how` has no effect.
    let answer = unsafe { call(nr::RT_SIGPROCMASK, args) };
    answer != Err(Errno::EFAULT)
}

const FUTEX_WAIT_PRIVATE: usize = 128;
const FUTEX_WAKE_PRIVATE: usize = 129;

/// futex(2): sleeps while `word` is `expected`.
pub(crate) fn futex_wait(word: &AtomicU32, expected: u32) {
    let args = [
        word.as_ptr() as usize,
        FUTEX_WAIT_PRIVATE,
        expected as usize,
        0,
        0,
        0,
    ];
    // SAFETY: `word` is an aligned u32 that outlives the call.
    let _ = unsafe { call(nr::FUTEX, args) };
}

/// futex(2): wakes one sleeper.
pub(crate) fn futex_wake(word: &AtomicU32) {
    let args = [word.as_ptr() as usize, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0];
    // SAFETY: as in `futex_wait`.
    let _ = unsafe { call(nr::FUTEX, args) };
}

/// Most fds that travel with one message.
pub(crate) const MAX_FDS: usize = netcon_wire::MAX_READY;
const CMSG_HEADER: usize = 16;

/// A control message buffer with room for [`MAX_FDS`] fds (cmsg(3)): length, level, type, fds.
#[repr(C, align(8))]
struct Control {
    len: usize,
    level: c_int,
    kind: c_int,
    fds: [c_int; MAX_FDS],
}

impl Control {
    const fn new() -> Self {
        Control {
            len: 0,
            level: 0,
            kind: 0,
            fds: [-1; MAX_FDS],
        }
    }
}

/// sendmsg(2) of one record with fds beside it. Never raises `SIGPIPE`.
pub(crate) fn send_with_fds(fd: c_int, record: &[u8], fds: &[c_int]) -> Result<usize, Errno> {
    let mut control = Control::new();
    for (slot, fd) in control.fds.iter_mut().zip(fds) {
        *slot = *fd;
    }
    let count = fds.len().min(MAX_FDS);
    control.len = CMSG_HEADER + count * size_of::<c_int>();
    control.level = abi::SOL_SOCKET;
    control.kind = abi::SCM_RIGHTS;
    let mut iov = Iovec {
        base: record.as_ptr().cast_mut().cast::<c_void>(),
        len: record.len(),
    };
    let mut msg = plain_message(&mut iov);
    if count > 0 {
        msg.control = (&raw mut control).cast::<c_void>();
        msg.controllen = control.len;
    }
    let args = [
        int(fd),
        &raw const msg as usize,
        int(abi::MSG_NOSIGNAL),
        0,
        0,
        0,
    ];
    // SAFETY: `msg` points to `iov`, `record` and `control`, all alive; sendmsg(2) only reads them.
    check(unsafe { syscall6(nr::SENDMSG, args) }).map(isize::cast_unsigned)
}

/// A record received with the fds that came beside it.
pub(crate) struct Received {
    /// Bytes of the record.
    pub(crate) len: usize,
    /// The fds, -1 where none came.
    pub(crate) fds: [c_int; MAX_FDS],
    /// `MSG_CTRUNC`: an fd came and could not be installed (recvmsg(2): the table is full).
    pub(crate) fds_lost: bool,
}

/// recvmsg(2) of one record.
pub(crate) fn recv_with_fds(fd: c_int, buf: &mut [u8], cloexec: bool) -> Result<Received, Errno> {
    recv_record(fd, buf, cloexec, 0)
}

/// The same of a record that is there, or `EAGAIN`.
pub(crate) fn try_recv_with_fds(
    fd: c_int,
    buf: &mut [u8],
    cloexec: bool,
) -> Result<Received, Errno> {
    recv_record(fd, buf, cloexec, abi::MSG_DONTWAIT)
}

/// recv(2) of what is there, or `EAGAIN`.
pub(crate) fn try_recv(fd: c_int, buf: &mut [u8]) -> Result<usize, Errno> {
    let args = [
        int(fd),
        buf.as_mut_ptr() as usize,
        buf.len(),
        int(abi::MSG_DONTWAIT),
        0,
        0,
    ];
    // SAFETY: the kernel writes at most `buf.len()` bytes.
    let len = unsafe { call(nr::RECVFROM, args) }?;
    usize::try_from(len).map_err(|_| Errno::EINVAL)
}

fn recv_record(fd: c_int, buf: &mut [u8], cloexec: bool, flags: c_int) -> Result<Received, Errno> {
    let mut control = Control::new();
    let mut iov = Iovec {
        base: buf.as_mut_ptr().cast::<c_void>(),
        len: buf.len(),
    };
    let mut msg = plain_message(&mut iov);
    msg.control = (&raw mut control).cast::<c_void>();
    msg.controllen = size_of::<Control>();
    let flags = flags | if cloexec { abi::MSG_CMSG_CLOEXEC } else { 0 };
    let args = [int(fd), &raw mut msg as usize, int(flags), 0, 0, 0];
    // SAFETY: the kernel writes `iov` and `control` within the lengths given.
    let len = check(unsafe { syscall6(nr::RECVMSG, args) })?.cast_unsigned();
    let rights = msg.controllen >= CMSG_HEADER
        && control.level == abi::SOL_SOCKET
        && control.kind == abi::SCM_RIGHTS;
    let count = if rights {
        control.len.saturating_sub(CMSG_HEADER) / size_of::<c_int>()
    } else {
        0
    };
    let mut fds = [-1; MAX_FDS];
    for (slot, fd) in fds.iter_mut().zip(control.fds).take(count) {
        *slot = fd;
    }
    Ok(Received {
        len,
        fds,
        fds_lost: msg.flags & abi::MSG_CTRUNC != 0,
    })
}

fn plain_message(iov: &mut Iovec) -> Msghdr {
    Msghdr {
        name: core::ptr::null_mut(),
        namelen: 0,
        iov,
        iovlen: 1,
        control: core::ptr::null_mut(),
        controllen: 0,
        flags: 0,
    }
}
