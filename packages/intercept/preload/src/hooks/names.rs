//! Name look-ups: glibc answers from /etc/hosts, and asks the service where it would ask the DNS.
//!
//! glibc's resolver makes system calls of its own that no hook sees. It is told to use its files and
//! then this library ([`super::nss`]), whatever nsswitch.conf says; everything else is glibc's own.
//! What it would look for in the program's namespace is put right around it: which families there are
//! (`AI_ADDRCONFIG`), and which address to try first (RFC 6724). For a libc without a name service
//! switch (musl) the look-ups are the library's ([`own`]). See docs/internals/names.md.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::sync::atomic::{AtomicBool, Ordering};

use netcon_wire::{ADDRESS_LEN, FAMILY_INET, FAMILY_INET6, MAX_ORDER, Question, encode_address};

use crate::env;
use crate::errno::{self, Errno};
use crate::real::{self, weak};
use crate::resolve;

mod own;

/// `struct addrinfo` (getaddrinfo(3)), the same in glibc and musl.
#[repr(C)]
#[derive(Clone, Copy)]
struct AddrInfo {
    flags: c_int,
    family: c_int,
    kind: c_int,
    protocol: c_int,
    len: u32,
    address: *mut c_void,
    name: *mut c_char,
    next: *mut AddrInfo,
}

impl AddrInfo {
    /// Hints that ask for nothing.
    const ANY: AddrInfo = AddrInfo {
        flags: 0,
        family: AF_UNSPEC,
        kind: 0,
        protocol: 0,
        len: 0,
        address: core::ptr::null_mut(),
        name: core::ptr::null_mut(),
        next: core::ptr::null_mut(),
    };
}

const AI_NUMERICHOST: c_int = 4;
const AI_ADDRCONFIG: c_int = 0x20;
const AI_V4MAPPED: c_int = 8;
const EAI_NONAME: c_int = -2;
const EAI_SYSTEM: c_int = -11;
const AF_UNSPEC: c_int = 0;
const AF_INET: c_int = 2;
const AF_INET6: c_int = 10;
/// h_errno, netdb.h: "non-recoverable errors".
const NO_RECOVERY: c_int = 3;
/// Entries of a result that are put into order: each address has up to three.
const MAX_ENTRIES: usize = MAX_ORDER * 3;

/// Whether libc can be told where to look; done once, before the first look-up.
fn is_configured() -> bool {
    static DONE: AtomicBool = AtomicBool::new(false);
    let Some(configure) = weak::__nss_configure_lookup() else {
        return false;
    };
    if !DONE.swap(true, Ordering::Relaxed) {
        for (database, services) in [(c"hosts", c"files netcon"), (c"networks", c"files")] {
            // SAFETY: two NUL-terminated strings, which glibc copies (nss/nss_database.c).
            unsafe { configure(database.as_ptr(), services.as_ptr()) };
        }
    }
    true
}

/// Whether the program's look-ups are libc's business alone.
pub(super) fn is_bypassed() -> bool {
    env::config().bypass.all
}

/// The next function as eight register-sized arguments; the psABIs allow unused ones.
unsafe fn forward(name: &CStr, args: [usize; 8]) -> Option<usize> {
    type Function =
        unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize) -> usize;
    let next = real::next(name);
    if next.is_null() {
        return None;
    }
    // SAFETY: libc's function of that name; see `crate::real::call` on the arguments. Those that
    // travel on the stack (x86-64) are passed at the same places as the program passed them.
    let next = unsafe { core::mem::transmute::<*mut c_void, Function>(next) };
    let [a, b, c, d, e, f, g, h] = args;
    // SAFETY: the program's own arguments.
    Some(unsafe { next(a, b, c, d, e, f, g, h) })
}

/// getaddrinfo(3)
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const AddrInfo,
    result: *mut *mut AddrInfo,
) -> c_int {
    if is_bypassed() {
        // SAFETY: the program's own arguments.
        return unsafe { libc_getaddrinfo(node, service, hints, result) };
    }
    let has_switch = is_configured();
    let mut adapted = AddrInfo::ANY;
    if hints.is_null() && has_switch {
        // What glibc assumes.
        adapted.flags = AI_V4MAPPED | AI_ADDRCONFIG;
    }
    if !hints.is_null() {
        // SAFETY: getaddrinfo(3): null or a struct addrinfo.
        adapted = unsafe { *hints };
    }
    let asked = adapted.flags & AI_ADDRCONFIG;
    // libc would look at the interfaces of the program's namespace.
    adapted.flags &= !AI_ADDRCONFIG;
    if asked != 0 && !narrow_family(&mut adapted.family) {
        return EAI_NONAME;
    }
    if !has_switch {
        // SAFETY: the program's own arguments, with adapted hints.
        return unsafe { own::getaddrinfo(node, service, &adapted, result) };
    }
    // SAFETY: the program's own arguments, with adapted hints.
    let status = unsafe { libc_getaddrinfo(node, service, &raw const adapted, result) };
    if status == 0 {
        // SAFETY: libc has set the result to a list of its own.
        unsafe { put_in_order(result, asked) };
    }
    status
}

/// freeaddrinfo(3): what [`getaddrinfo`] gave.
#[unsafe(no_mangle)]
unsafe extern "C" fn freeaddrinfo(list: *mut AddrInfo) {
    if is_bypassed() || is_configured() {
        // SAFETY: the program's own argument.
        unsafe { forward(c"freeaddrinfo", [list as usize, 0, 0, 0, 0, 0, 0, 0]) };
        return;
    }
    // SAFETY: a list of the library's own, or a part of one.
    unsafe { own::free(list) };
}

unsafe fn libc_getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const AddrInfo,
    result: *mut *mut AddrInfo,
) -> c_int {
    let (node, service) = (node as usize, service as usize);
    let args = [node, service, hints as usize, result as usize, 0, 0, 0, 0];
    // SAFETY: the caller's contract.
    match unsafe { forward(c"getaddrinfo", args) } {
        Some(status) => crate::sys::narrow(status.cast_signed()),
        None => EAI_SYSTEM,
    }
}

/// `AI_ADDRCONFIG`: families that netcon has no address of are left out. Whether something is left
/// (glibc, sysdeps/posix/getaddrinfo.c).
fn narrow_family(family: &mut c_int) -> bool {
    let mut answer = [0; 1];
    // Without a service the question stays open, and numeric addresses and files still work.
    let Ok(&[families]) = resolve::ask_into(Question::Families, &mut answer) else {
        return true;
    };
    let (v4, v6) = (families & FAMILY_INET != 0, families & FAMILY_INET6 != 0);
    match *family {
        AF_UNSPEC if v4 != v6 => *family = if v4 { AF_INET } else { AF_INET6 },
        AF_INET => return v4,
        AF_INET6 => return v6,
        _ => {}
    }
    true
}

/// Puts a result into the order of RFC 6724 by netcon's addresses: glibc has ordered it by those of
/// the program's namespace. Also gives back a flag that was taken from the hints.
///
/// # Safety
/// `result` points to a list of libc's getaddrinfo.
unsafe fn put_in_order(result: *mut *mut AddrInfo, flag: c_int) {
    let mut entries = [(core::ptr::null_mut::<AddrInfo>(), 0); MAX_ENTRIES];
    let mut list = [0; MAX_ORDER * ADDRESS_LEN];
    let (mut count, mut known, mut is_whole) = (0, 0, true);
    // SAFETY: the caller's contract.
    let head = unsafe { *result };
    let mut at = head;
    while !at.is_null() {
        // SAFETY: an entry of the list.
        let entry = unsafe { &mut *at };
        entry.flags |= flag;
        // SAFETY: as above.
        let place = unsafe { address_of(entry) }.and_then(|ip| {
            let bytes = encode_address(ip);
            let seen = list.chunks_exact(ADDRESS_LEN).take(known);
            seen.into_iter().position(|b| b == bytes).or_else(|| {
                let slot = list.chunks_exact_mut(ADDRESS_LEN).nth(known)?;
                resolve::store(slot, 0, &bytes);
                known += 1;
                Some(known - 1)
            })
        });
        match (place, entries.get_mut(count)) {
            (Some(place), Some(slot)) => *slot = (at, place),
            _ => is_whole = false,
        }
        count += 1;
        at = entry.next;
    }
    if !is_whole || known < 2 {
        return;
    }
    let mut places = [0; MAX_ORDER];
    let list = list.get(..known * ADDRESS_LEN).unwrap_or(&[]);
    let Some(places) = resolve::order(list, &mut places) else {
        return;
    };
    let entries = entries.get(..count).unwrap_or(&[]);
    // SAFETY: the caller's contract: the entries are those of the list.
    unsafe { relink(result, entries, places) };
}

/// # Safety
/// `entries` are all of the list that `result` points to.
unsafe fn relink(result: *mut *mut AddrInfo, entries: &[(*mut AddrInfo, usize)], places: &[u8]) {
    // SAFETY: the caller's contract; the first entry alone has the canonical name.
    let name = unsafe { core::mem::replace(&mut (**result).name, core::ptr::null_mut()) };
    let mut link = result;
    for &place in places {
        for &(entry, _) in entries.iter().filter(|(_, p)| *p == usize::from(place)) {
            // SAFETY: `link` is `result` or the link of an entry.
            unsafe { *link = entry };
            // SAFETY: an entry of the list.
            link = unsafe { &raw mut (*entry).next };
        }
    }
    // SAFETY: as above.
    unsafe { *link = core::ptr::null_mut() };
    // SAFETY: the list has entries.
    unsafe { (**result).name = name };
}

/// # Safety
/// An entry that libc made.
unsafe fn address_of(entry: &AddrInfo) -> Option<IpAddr> {
    match (entry.family, entry.len) {
        (AF_INET, 16) => {
            // SAFETY: a sockaddr_in: the address at 4.
            let octets = unsafe { entry.address.byte_add(4).cast::<[u8; 4]>().read() };
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        }
        (AF_INET6, 28) => {
            // SAFETY: a sockaddr_in6: the address at 8.
            let octets = unsafe { entry.address.byte_add(8).cast::<[u8; 16]>().read() };
            Some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}

/// Defines look-ups that only need libc to be told where to look, and what is done where it cannot be.
macro_rules! configured {
    ($($name:ident: $failure:expr $(, $own:path)?;)*) => {
        $(
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name(
                a: usize, b: usize, c: usize, d: usize, e: usize, f: usize, g: usize, h: usize,
            ) -> usize {
                if !is_bypassed() && !is_configured() {
                    // SAFETY: the program's own arguments.
                    $(return unsafe { $own([a, b, c, d, e, f, g, h]) };)?
                    #[allow(unreachable_code, reason = "not where the library has its own")]
                    return refuse($failure);
                }
                const NAME: &CStr = match CStr::from_bytes_with_nul(
                    concat!(stringify!($name), "\0").as_bytes(),
                ) {
                    Ok(name) => name,
                    Err(_) => c"",
                };
                // SAFETY: the program's own arguments.
                unsafe { forward(NAME, [a, b, c, d, e, f, g, h]) }
                    .unwrap_or_else(|| refuse($failure))
            }
        )*
    };
}

/// Fails a look-up: h_errno, errno, and the function's value for failure.
fn refuse(failure: isize) -> usize {
    set_h_errno(NO_RECOVERY);
    errno::set(Errno::ENETDOWN);
    failure.cast_unsigned()
}

/// The calling thread's h_errno, where libc has one.
pub(super) fn set_h_errno(value: c_int) {
    if let Some(h_errno) = weak::__h_errno_location() {
        // SAFETY: libc returns the address of the thread's h_errno.
        unsafe { *h_errno() = value };
    }
}

/// The `_r` forms return an errno.
const REENTRANT: isize = Errno::ENETDOWN.0 as isize;

// Also calls that look names up inside libc.
configured! {
    gethostbyname: 0, own::hosts::by_name;
    gethostbyname2: 0, own::hosts::by_name2;
    gethostbyaddr: 0, own::hosts::by_address;
    gethostbyname_r: REENTRANT, own::hosts::by_name_r;
    gethostbyname2_r: REENTRANT, own::hosts::by_name2_r;
    gethostbyaddr_r: REENTRANT, own::hosts::by_address_r;
    getnameinfo: EAI_SYSTEM as isize, own::getnameinfo;
    getaddrinfo_a: EAI_SYSTEM as isize;
    getnetbyname: 0;
    getnetbyname_r: REENTRANT;
    getnetbyaddr: 0;
    getnetbyaddr_r: REENTRANT;
    rcmd: -1;
    rcmd_af: -1;
    rexec: -1;
    rexec_af: -1;
    ruserok: -1;
    ruserok_af: -1;
    iruserok: -1;
    iruserok_af: -1;
}
