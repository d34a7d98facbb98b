//! The kernel's and libc's constants and structures that the library uses.
//!
//! Written out here because the libc crate would link libc. Values are those of x86-64 and AArch64
//! Linux (asm-generic), which agree on all of them.

use core::ffi::{c_int, c_void};

pub(crate) const AF_UNSPEC: u16 = 0;
pub(crate) const AF_UNIX: u16 = 1;
pub(crate) const AF_INET: c_int = 2;
pub(crate) const AF_INET6: c_int = 10;

pub(crate) const SOCK_STREAM: c_int = 1;
pub(crate) const SOCK_DGRAM: c_int = 2;
pub(crate) const SOCK_RAW: c_int = 3;
pub(crate) const SOCK_SEQPACKET: c_int = 5;
/// `SOCK_MAX` of include/linux/net.h: types from here on are `EINVAL`.
pub(crate) const SOCK_MAX: c_int = 11;
pub(crate) const SOCK_TYPE_MASK: c_int = 0xf;
pub(crate) const SOCK_NONBLOCK: c_int = 0o4000;
pub(crate) const SOCK_CLOEXEC: c_int = 0o2_000_000;

pub(crate) const IPPROTO_IP: c_int = 0;
pub(crate) const IPPROTO_ICMP: c_int = 1;
pub(crate) const IPPROTO_TCP: c_int = 6;
pub(crate) const IPPROTO_UDP: c_int = 17;
pub(crate) const IPPROTO_IPV6: c_int = 41;
pub(crate) const IPPROTO_ICMPV6: c_int = 58;
pub(crate) const IPPROTO_UDPLITE: c_int = 136;
/// `IPPROTO_MAX` (include/uapi/linux/in.h): protocols from here on are `EINVAL`.
pub(crate) const IPPROTO_MAX: c_int = 263;

pub(crate) const SOL_SOCKET: c_int = 1;
pub(crate) const SO_REUSEADDR: c_int = 2;
pub(crate) const SO_TYPE: c_int = 3;
pub(crate) const SO_ERROR: c_int = 4;
pub(crate) const SO_SNDBUF: c_int = 7;
pub(crate) const SO_RCVBUF: c_int = 8;
pub(crate) const SO_KEEPALIVE: c_int = 9;
pub(crate) const SO_OOBINLINE: c_int = 10;
pub(crate) const SO_LINGER: c_int = 13;
pub(crate) const SO_REUSEPORT: c_int = 15;
pub(crate) const SO_PASSCRED: c_int = 16;
pub(crate) const SO_PEERCRED: c_int = 17;
pub(crate) const SO_RCVLOWAT: c_int = 18;
pub(crate) const SO_RCVTIMEO: c_int = 20;
pub(crate) const SO_SNDTIMEO: c_int = 21;
pub(crate) const SO_BINDTODEVICE: c_int = 25;
pub(crate) const SO_PEERNAME: c_int = 28;
pub(crate) const SO_PEERSEC: c_int = 31;
pub(crate) const SO_SNDBUFFORCE: c_int = 32;
pub(crate) const SO_RCVBUFFORCE: c_int = 33;
pub(crate) const SO_PASSSEC: c_int = 34;
pub(crate) const SO_PROTOCOL: c_int = 38;
pub(crate) const SO_DOMAIN: c_int = 39;
pub(crate) const SO_MAX_PACING_RATE: c_int = 47;
pub(crate) const SO_INCOMING_CPU: c_int = 49;
pub(crate) const SO_COOKIE: c_int = 57;
pub(crate) const SO_PEERGROUPS: c_int = 59;
pub(crate) const SO_RCVTIMEO_NEW: c_int = 66;
pub(crate) const SO_SNDTIMEO_NEW: c_int = 67;
pub(crate) const SO_PASSPIDFD: c_int = 76;
pub(crate) const SO_TIMESTAMPING: c_int = 37;
pub(crate) const SO_TIMESTAMPING_NEW: c_int = 65;
pub(crate) const SO_BUF_LOCK: c_int = 72;
pub(crate) const SO_PEERPIDFD: c_int = 77;
pub(crate) const SCM_RIGHTS: c_int = 1;
pub(crate) const TCP_NODELAY: c_int = 1;
pub(crate) const IPV6_2292PKTOPTIONS: c_int = 6;
pub(crate) const IPV6_V6ONLY: c_int = 26;

pub(crate) const MSG_OOB: c_int = 1;
pub(crate) const MSG_PEEK: c_int = 2;
pub(crate) const MSG_CTRUNC: c_int = 8;
pub(crate) const MSG_TRUNC: c_int = 0x20;
pub(crate) const MSG_DONTWAIT: c_int = 0x40;
pub(crate) const MSG_WAITALL: c_int = 0x100;
pub(crate) const MSG_ERRQUEUE: c_int = 0x2000;
pub(crate) const MSG_NOSIGNAL: c_int = 0x4000;
pub(crate) const MSG_WAITFORONE: c_int = 0x10000;
pub(crate) const MSG_FASTOPEN: c_int = 0x2000_0000;
pub(crate) const MSG_CMSG_CLOEXEC: c_int = 0x4000_0000;

pub(crate) const O_WRONLY: c_int = 1;
pub(crate) const O_CREAT: c_int = 0o100;
pub(crate) const O_NOCTTY: c_int = 0o400;
pub(crate) const O_APPEND: c_int = 0o2000;
pub(crate) const O_NONBLOCK: c_int = 0o4000;
pub(crate) const O_CLOEXEC: c_int = 0o2_000_000;
pub(crate) const AT_FDCWD: c_int = -100;
pub(crate) const AT_EMPTY_PATH: c_int = 0x1000;

pub(crate) const F_DUPFD: c_int = 0;
pub(crate) const F_DUPFD_CLOEXEC: c_int = 1030;
pub(crate) const F_GETFD: c_int = 1;
pub(crate) const F_GETFL: c_int = 3;
pub(crate) const F_SETFL: c_int = 4;
pub(crate) const FD_CLOEXEC: c_int = 1;

pub(crate) const POLLOUT: i16 = 4;

pub(crate) const SHUT_RD: c_int = 0;
pub(crate) const SHUT_WR: c_int = 1;
pub(crate) const SHUT_RDWR: c_int = 2;

pub(crate) const SIG_BLOCK: c_int = 0;
pub(crate) const SIG_SETMASK: c_int = 2;
pub(crate) const SIGPIPE: c_int = 13;
pub(crate) const SIGABRT: c_int = 6;

pub(crate) const RLIMIT_NOFILE: c_int = 7;
pub(crate) const PR_SET_SECCOMP: c_int = 22;

/// `struct iovec`, readv(2).
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Iovec {
    pub(crate) base: *mut c_void,
    pub(crate) len: usize,
}

/// `struct msghdr`, recvmsg(2), as the kernel lays it out.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Msghdr {
    pub(crate) name: *mut c_void,
    pub(crate) namelen: u32,
    pub(crate) iov: *mut Iovec,
    pub(crate) iovlen: usize,
    pub(crate) control: *mut c_void,
    pub(crate) controllen: usize,
    pub(crate) flags: c_int,
}

/// `struct mmsghdr`, recvmmsg(2).
#[repr(C)]
pub(crate) struct Mmsghdr {
    pub(crate) hdr: Msghdr,
    pub(crate) len: u32,
}

/// `struct pollfd`, poll(2).
#[repr(C)]
pub(crate) struct Pollfd {
    pub(crate) fd: c_int,
    pub(crate) events: i16,
    pub(crate) revents: i16,
}

/// `struct timespec`, clock_gettime(2).
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Timespec {
    pub(crate) sec: i64,
    pub(crate) nsec: i64,
}

/// `struct ucred`, unix(7) `SO_PEERCRED`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct Ucred {
    pub(crate) pid: i32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}
