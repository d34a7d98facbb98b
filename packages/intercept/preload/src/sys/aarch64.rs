//! System calls of AArch64: syscall(2), "Architecture calling conventions".

use core::arch::asm;

/// One system call. Returns what the kernel left in `x0`.
///
/// # Safety
/// The arguments must be what the call `nr` expects; pointers are the kernel's to check.
#[inline(always)]
pub(crate) unsafe fn syscall6(nr: usize, args: [usize; 6]) -> isize {
    let [a, b, c, d, e, f] = args;
    let ret: isize;
    // SAFETY: the convention of syscall(2): every register but x0 is kept.
    unsafe {
        asm!(
            "svc 0",
            in("x8") nr,
            inlateout("x0") a => ret,
            in("x1") b,
            in("x2") c,
            in("x3") d,
            in("x4") e,
            in("x5") f,
            options(nostack),
        );
    }
    ret
}

/// System call numbers (include/uapi/asm-generic/unistd.h). There is no dup2 and no fork here.
pub(crate) mod nr {
    pub(crate) const DUP3: usize = 24;
    pub(crate) const FCNTL: usize = 25;
    pub(crate) const IOCTL: usize = 29;
    pub(crate) const OPENAT: usize = 56;
    pub(crate) const CLOSE: usize = 57;
    pub(crate) const READ: usize = 63;
    pub(crate) const WRITE: usize = 64;
    pub(crate) const READV: usize = 65;
    pub(crate) const WRITEV: usize = 66;
    pub(crate) const SENDFILE: usize = 71;
    pub(crate) const PPOLL: usize = 73;
    pub(crate) const READLINKAT: usize = 78;
    pub(crate) const EXIT_GROUP: usize = 94;
    pub(crate) const FUTEX: usize = 98;
    pub(crate) const CLOCK_GETTIME: usize = 113;
    pub(crate) const SCHED_YIELD: usize = 124;
    pub(crate) const TGKILL: usize = 131;
    pub(crate) const RT_SIGPROCMASK: usize = 135;
    pub(crate) const PRCTL: usize = 167;
    pub(crate) const GETPID: usize = 172;
    pub(crate) const GETEUID: usize = 175;
    pub(crate) const GETTID: usize = 178;
    pub(crate) const SOCKET: usize = 198;
    pub(crate) const SOCKETPAIR: usize = 199;
    pub(crate) const BIND: usize = 200;
    pub(crate) const LISTEN: usize = 201;
    pub(crate) const ACCEPT: usize = 202;
    pub(crate) const CONNECT: usize = 203;
    pub(crate) const GETSOCKNAME: usize = 204;
    pub(crate) const GETPEERNAME: usize = 205;
    pub(crate) const SENDTO: usize = 206;
    pub(crate) const RECVFROM: usize = 207;
    pub(crate) const SETSOCKOPT: usize = 208;
    pub(crate) const GETSOCKOPT: usize = 209;
    pub(crate) const SHUTDOWN: usize = 210;
    pub(crate) const SENDMSG: usize = 211;
    pub(crate) const RECVMSG: usize = 212;
    pub(crate) const EXECVE: usize = 221;
    pub(crate) const ACCEPT4: usize = 242;
    pub(crate) const RECVMMSG: usize = 243;
    pub(crate) const PRLIMIT64: usize = 261;
    pub(crate) const SENDMMSG: usize = 269;
    pub(crate) const SECCOMP: usize = 277;
    pub(crate) const EXECVEAT: usize = 281;
    pub(crate) const PREAD64: usize = 67;
    pub(crate) const FGETXATTR: usize = 10;
    pub(crate) const FSTATFS: usize = 44;
    pub(crate) const FACCESSAT: usize = 48;
    pub(crate) const GETUID: usize = 174;
    pub(crate) const GETEGID: usize = 177;
    pub(crate) const STATX: usize = 291;
    pub(crate) const IO_URING_SETUP: usize = 425;
    pub(crate) const CLOSE_RANGE: usize = 436;
}
