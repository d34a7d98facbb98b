//! libc's own functions, the next in line after ours.
//!
//! Calls that can block go to libc where it has them, because there they are cancellation points
//! (pthreads(7)) and other interposers stay in the chain; without libc's function, and always for
//! calls that don't block, the raw system call is made. The functions of the data path are looked
//! up in the constructor: dlsym(3) is not async-signal-safe.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::errno;
use crate::sys;

/// A function of libc that is a system call at the same time.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Call {
    /// read(2)
    Read,
    /// readv(2)
    Readv,
    /// recvfrom(2)
    Recvfrom,
    /// recvmsg(2)
    Recvmsg,
    /// recvmmsg(2)
    Recvmmsg,
    /// write(2)
    Write,
    /// writev(2)
    Writev,
    /// sendto(2)
    Sendto,
    /// sendmsg(2)
    Sendmsg,
    /// sendmmsg(2)
    Sendmmsg,
    /// sendfile(2)
    Sendfile,
    /// connect(2)
    Connect,
    /// accept4(2)
    Accept4,
}

const CALLS: [(&CStr, usize); 13] = [
    (c"read", sys::nr::READ),
    (c"readv", sys::nr::READV),
    (c"recvfrom", sys::nr::RECVFROM),
    (c"recvmsg", sys::nr::RECVMSG),
    (c"recvmmsg", sys::nr::RECVMMSG),
    (c"write", sys::nr::WRITE),
    (c"writev", sys::nr::WRITEV),
    (c"sendto", sys::nr::SENDTO),
    (c"sendmsg", sys::nr::SENDMSG),
    (c"sendmmsg", sys::nr::SENDMMSG),
    (c"sendfile", sys::nr::SENDFILE),
    (c"connect", sys::nr::CONNECT),
    (c"accept4", sys::nr::ACCEPT4),
];

static NEXT: [AtomicUsize; CALLS.len()] = [const { AtomicUsize::new(0) }; CALLS.len()];

/// Where pthread_atfork(3) is: glibc has it as a function of the caller's library, above `__register_atfork`.
static AT_FORK: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];
static FORK_SEEN: AtomicBool = AtomicBool::new(false);

type Handler = Option<extern "C" fn()>;
type RegisterAtFork = unsafe extern "C" fn(Handler, Handler, Handler, *const c_void) -> c_int;

/// Has these called around every fork(3) from now on: before it, and after it in the parent and in the child. False
/// where libc has no such thing. Once for a process and its descendants: they inherit it.
pub(crate) fn at_fork(
    before: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> bool {
    let [glibc, musl] = &AT_FORK;
    let address = match glibc.load(Ordering::Relaxed) {
        0 => musl.load(Ordering::Relaxed),
        found => found,
    };
    if address == 0 {
        return false;
    }
    if FORK_SEEN.swap(true, Ordering::Relaxed) {
        return true;
    }
    // SAFETY: the address is `__register_atfork` of glibc, or pthread_atfork(3), which ignores the fourth.
    let register = unsafe { core::mem::transmute::<usize, RegisterAtFork>(address) };
    // SAFETY: the functions live as long as the library, which is never unloaded; without a handle of the library
    // that registers nothing takes the handler away.
    unsafe { register(Some(before), Some(parent), Some(child), core::ptr::null()) == 0 }
}

type Function = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> isize;

/// Looks the functions of [`Call`] up.
pub(crate) fn resolve() {
    for ((name, _), slot) in CALLS.iter().zip(&NEXT) {
        slot.store(next(name) as usize, Ordering::Relaxed);
    }
    for (name, slot) in [c"__register_atfork", c"pthread_atfork"]
        .iter()
        .zip(&AT_FORK)
    {
        slot.store(next(name) as usize, Ordering::Relaxed);
    }
}

/// Makes the call; like libc's, it returns -1 and sets errno on failure.
///
/// # Safety
/// The arguments must be the program's own for that call.
#[inline(always)]
pub(crate) unsafe fn call(which: Call, args: [usize; 6]) -> isize {
    let address = NEXT
        .get(which as usize)
        .map_or(0, |slot| slot.load(Ordering::Relaxed));
    if address == 0 {
        // SAFETY: the caller's contract.
        return unsafe { raw(which, args) };
    }
    // SAFETY: the address is libc's function of that name. Every argument is passed in a register
    // as the psABIs of x86-64 and AArch64 ask, so registers beyond its own parameters don't matter.
    let function = unsafe { core::mem::transmute::<usize, Function>(address) };
    let [a, b, c, d, e, f] = args;
    // SAFETY: the caller's contract.
    unsafe { function(a, b, c, d, e, f) }
}

#[cold]
unsafe fn raw(which: Call, args: [usize; 6]) -> isize {
    let nr = CALLS.get(which as usize).map_or(0, |(_, nr)| *nr);
    // SAFETY: the caller's contract.
    match sys::check(unsafe { sys::syscall6(nr, args) }) {
        Ok(value) => value,
        Err(errno) => {
            errno::set(errno);
            -1
        }
    }
}

#[cfg(not(test))]
core::arch::global_asm!(
    // Weak: a libc that lacks one of them (musl) must still load the library.
    ".weak dlsym",
    ".weak __nss_configure_lookup",
    ".weak __h_errno_location",
    ".weak __chk_fail",
    ".weak calloc",
    ".weak free",
    ".weak gai_strerror",
    ".weak gnu_get_libc_version",
);

/// dlsym(3) with `RTLD_NEXT`: the function that would be called without this library. Null if
/// there is none.
#[cfg(not(test))]
pub(crate) fn next(name: &CStr) -> *mut c_void {
    const RTLD_NEXT: *mut c_void = usize::MAX as *mut c_void;
    match weak::dlsym() {
        // SAFETY: dlsym(3) with a NUL-terminated name.
        Some(dlsym) => unsafe { dlsym(RTLD_NEXT, name.as_ptr()) },
        None => core::ptr::null_mut(),
    }
}

#[cfg(test)]
pub(crate) fn next(_: &CStr) -> *mut c_void {
    core::ptr::null_mut()
}

/// Functions that a libc may lack.
#[cfg(not(test))]
pub(crate) mod weak {
    use super::{c_char, c_int, c_void};

    macro_rules! weak {
        ($($name:ident as $alias:ident: $type:ty;)*) => {
            unsafe extern "C" {
                $(
                    #[link_name = stringify!($name)]
                    static $alias: u8;
                )*
            }
            $(
                /// The function, if the program's libc has it.
                pub(crate) fn $name() -> Option<$type> {
                    // Hidden from the optimiser, which takes a static's address for non-null.
                    let address = core::hint::black_box(&raw const $alias as usize);
                    if address == 0 {
                        return None;
                    }
                    // SAFETY: the symbol is libc's function of that name and type.
                    Some(unsafe { core::mem::transmute::<usize, $type>(address) })
                }
            )*
        };
    }

    weak! {
        dlsym as DLSYM: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void;
        __nss_configure_lookup as NSS_CONFIGURE:
            unsafe extern "C" fn(*const c_char, *const c_char) -> c_int;
        __h_errno_location as H_ERRNO: unsafe extern "C" fn() -> *mut c_int;
        __chk_fail as CHK_FAIL: unsafe extern "C" fn() -> !;
        calloc as CALLOC: unsafe extern "C" fn(usize, usize) -> *mut c_void;
        free as FREE: unsafe extern "C" fn(*mut c_void);
        gai_strerror as GAI_STRERROR: unsafe extern "C" fn(c_int) -> *const c_char;
        gnu_get_libc_version as LIBC_VERSION: unsafe extern "C" fn() -> *const c_char;
    }
}

/// Whether the program's libc is glibc, whose structures are the kernel's; musl's have POSIX's types.
#[cfg(not(test))]
pub(crate) fn is_glibc() -> bool {
    weak::gnu_get_libc_version().is_some()
}

#[cfg(test)]
pub(crate) fn is_glibc() -> bool {
    true
}
