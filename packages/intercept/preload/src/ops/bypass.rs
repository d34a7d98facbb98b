//! Sockets that go to the kernel's network on purpose, and those that must not.

use core::ffi::c_int;

use crate::abi;
use crate::detour::{Detour, Reason};
use crate::env;
use crate::errno::Errno;
use crate::identity::{self, Socket};
use crate::ops::options::carry;
use crate::ops::socket;
use crate::sys;

/// Puts a kernel TCP socket under the fd of a fresh socket of netcon's, with its options: the
/// address it is used with stands in `NETCON_BYPASS`. Earlier dups keep the old one.
pub(crate) fn to_kernel(old: &Socket) -> Result<(), Errno> {
    let kind = abi::SOCK_STREAM | abi::SOCK_CLOEXEC | socket::nonblock_flag(old.fd)?;
    let kernel = sys::socket(c_int::from(old.family.raw()), kind, abi::IPPROTO_TCP)?;
    carry::copy_all(old, kernel);
    socket::install(kernel, old.fd)
}

/// Fail closed: an Internet socket that netcon did not make (inherited, or made past the hooks)
/// is not bound or made to listen on the host's network, unless a hole was opened.
pub(crate) fn guard_native<T>(fd: c_int, reason: Reason) -> Detour<T> {
    if !is_foreign(fd) || env::config().bypass.is_open() {
        return Detour::Bypass(reason);
    }
    Detour::Failed(Errno::ENETDOWN)
}

/// Whether the fd is a kernel socket of `AF_INET` or `AF_INET6` in some other network than netcon's.
pub(crate) fn is_foreign(fd: c_int) -> bool {
    let domain = sys::getsockopt::<c_int>(fd, abi::SOL_SOCKET, abi::SO_DOMAIN);
    matches!(domain, Ok(abi::AF_INET | abi::AF_INET6)) && !identity::is_datagram(fd)
}
