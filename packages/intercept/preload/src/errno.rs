//! Linux's error numbers (errno(3)), and the calling thread's errno.

use core::ffi::c_int;

/// A Linux error number, 1 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Errno(pub(crate) i32);

macro_rules! errnos {
    ($($name:ident = $value:literal),* $(,)?) => {
        impl Errno {
            $(pub(crate) const $name: Errno = Errno($value);)*
        }

        /// The symbolic name, for the trace; empty if it has none here.
        pub(crate) fn name(errno: Errno) -> &'static str {
            match errno {
                $(Errno::$name => stringify!($name),)*
                _ => "",
            }
        }
    };
}

errnos! {
    EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, ENXIO = 6, EBADF = 9, EAGAIN = 11, ENOMEM = 12, EACCES = 13,
    EFAULT = 14, EEXIST = 17, ENODEV = 19, EINVAL = 22, ENFILE = 23, EMFILE = 24, ENOTTY = 25, EPIPE = 32,
    ERANGE = 34,
    ENOSYS = 38, ENODATA = 61, EPROTO = 71, EOVERFLOW = 75, ENOTSOCK = 88, EMSGSIZE = 90,
    ENOPROTOOPT = 92, EPROTONOSUPPORT = 93, ESOCKTNOSUPPORT = 94, EOPNOTSUPP = 95,
    EAFNOSUPPORT = 97, EADDRINUSE = 98, EADDRNOTAVAIL = 99, ENETDOWN = 100, ENETUNREACH = 101,
    ECONNABORTED = 103, ECONNRESET = 104, ENOBUFS = 105, EISCONN = 106, ENOTCONN = 107,
    ETIMEDOUT = 110, ECONNREFUSED = 111, EHOSTUNREACH = 113, EALREADY = 114, EINPROGRESS = 115,
    ESTALE = 116,
}

#[cfg(not(test))]
unsafe extern "C" {
    // The same name in glibc and musl (LSB, "__errno_location").
    safe fn __errno_location() -> *mut c_int;
}

/// Sets the calling thread's errno.
#[cfg(not(test))]
pub(crate) fn set(errno: Errno) {
    // SAFETY: libc returns the address of the thread's errno, valid while the thread lives.
    unsafe { *__errno_location() = errno.0 }
}

/// The calling thread's errno.
#[cfg(not(test))]
pub(crate) fn last() -> Errno {
    // SAFETY: as in `set`.
    Errno(unsafe { *__errno_location() })
}

#[cfg(test)]
pub(crate) fn set(_: Errno) {}

#[cfg(test)]
pub(crate) fn last() -> Errno {
    Errno(0)
}
