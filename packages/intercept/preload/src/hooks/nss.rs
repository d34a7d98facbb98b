//! The library as a module of glibc's name service switch: `hosts: files netcon`.
//!
//! glibc looks for a module by `dlopen("libnss_netcon.so.2")`, which is this library's soname, and so
//! finds the library that is loaded already. Everything about getaddrinfo(3), gethostbyname(3),
//! getnameinfo(3) and getaddrinfo_a(3) but the question to the DNS thereby stays glibc's own.
//! The functions are those of nss/nss.h and resolv/nss_dns/dns-host.c.

use core::ffi::{CStr, c_char, c_int, c_void};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_wire::{Family, Found, Question, Verdict};

use super::packer::Packer;
use crate::errno::Errno;
use crate::resolve;

/// `enum nss_status`.
type Status = c_int;
const TRYAGAIN: Status = -2;
const UNAVAIL: Status = -1;
const NOTFOUND: Status = 0;
const SUCCESS: Status = 1;

/// `h_errno` for "see errno", netdb.h.
const NETDB_INTERNAL: c_int = -1;
/// An answer of 256 addresses and 8 names: the most the service gives.
pub(super) const ANSWER: usize = 8192;

/// `struct hostent`, netdb.h.
#[repr(C)]
pub(crate) struct Hostent {
    pub(super) name: *mut c_char,
    pub(super) aliases: *mut *mut c_char,
    pub(super) family: c_int,
    pub(super) len: c_int,
    pub(super) addresses: *mut *mut c_char,
}

/// `struct gaih_addrtuple`, nss.h.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Tuple {
    next: *mut Tuple,
    name: *mut c_char,
    family: c_int,
    addr: [u8; 16],
    scope: u32,
}

/// Where a function leaves errno and h_errno.
struct Errors {
    errno: *mut c_int,
    h_errno: *mut c_int,
}

impl Errors {
    fn set(&self, errno: Errno, h_errno: c_int) {
        // SAFETY: glibc passes two valid pointers (nss/getXXbyYY_r.c).
        unsafe { *self.errno = errno.0 };
        // SAFETY: as above.
        unsafe { *self.h_errno = h_errno };
    }

    fn too_small(&self) -> Status {
        self.set(Errno::ERANGE, NETDB_INTERNAL);
        TRYAGAIN
    }

    /// As nss_dns maps them (resolv/nss_dns/dns-host.c).
    fn of(&self, verdict: Verdict) -> Status {
        let (errno, status) = match verdict {
            Verdict::Found => return SUCCESS,
            Verdict::NotFound | Verdict::NoData | Verdict::NoRecovery => (Errno::ENOENT, NOTFOUND),
            Verdict::TryAgain => (Errno::EAGAIN, TRYAGAIN),
        };
        self.set(errno, c_int::from(verdict as u8));
        status
    }
}

/// Asks, and reads an answer that has something in it.
fn find<'a>(
    question: Question<'_>,
    answer: &'a mut [u8; ANSWER],
    errors: &Errors,
) -> Result<Found<'a>, Status> {
    // No service, or one that speaks of other things: nobody gave an answer.
    let found = resolve::ask_into(question, answer)
        .and_then(|bytes| Found::decode(bytes).map_err(|_| Errno::EPROTO))
        .map_err(|_| errors.of(Verdict::TryAgain))?;
    match errors.of(found.verdict) {
        SUCCESS => Ok(found),
        status => Err(status),
    }
}

pub(super) fn family_of(af: c_int) -> Option<Family> {
    u16::try_from(af).ok().and_then(Family::from_raw)
}

/// # Safety
/// `name` is NUL-terminated.
pub(super) unsafe fn bytes_of<'a>(name: *const c_char) -> &'a [u8] {
    // SAFETY: the caller's contract.
    unsafe { CStr::from_ptr(name) }.to_bytes()
}

pub(super) fn octets(ip: IpAddr) -> ([u8; 16], usize) {
    let mut bytes = [0; 16];
    match ip {
        IpAddr::V4(v4) => {
            resolve::store(&mut bytes, 0, &v4.octets());
            (bytes, 4)
        }
        IpAddr::V6(v6) => (v6.octets(), 16),
    }
}

/// Lays out a hostent in the caller's buffer; `None` where it is too small.
fn pack_hostent(
    result: *mut Hostent,
    packer: &mut Packer,
    found: &Found<'_>,
    family: Family,
    fallback: &[u8],
    reverse: Option<IpAddr>,
) -> Option<()> {
    let is_wanted = |ip: &IpAddr| ip.is_ipv4() == (family == Family::Inet);
    let mut names = found.names();
    let name = packer.string(names.next().unwrap_or(fallback))?;
    let aliases = packer.pointers(names.clone().count())?;
    for (i, alias) in names.enumerate() {
        let at = packer.string(alias)?;
        // SAFETY: `pointers` made room for one more than this count.
        unsafe { aliases.add(i).write(at) };
    }
    let given = || found.addresses().filter(is_wanted).chain(reverse);
    let addresses = packer.pointers(given().count())?;
    for (i, ip) in given().enumerate() {
        let (bytes, len) = octets(ip);
        let at = packer.bytes(bytes.get(..len).unwrap_or(&[]))?;
        // SAFETY: as above.
        unsafe { addresses.add(i).write(at) };
    }
    let (af, len) = match family {
        Family::Inet => (2, 4),
        Family::Inet6 => (10, 16),
    };
    let hostent = Hostent {
        name,
        aliases,
        family: af,
        len,
        addresses,
    };
    // SAFETY: glibc passes the caller's struct hostent.
    unsafe { result.write(hostent) };
    Some(())
}

/// Both families, for `AF_UNSPEC`.
#[unsafe(no_mangle)]
unsafe extern "C" fn _nss_netcon_gethostbyname4_r(
    name: *const c_char,
    tuples: *mut *mut Tuple,
    buffer: *mut c_char,
    len: usize,
    errno: *mut c_int,
    h_errno: *mut c_int,
    ttl: *mut i32,
) -> Status {
    let errors = Errors { errno, h_errno };
    // SAFETY: glibc passes the program's string.
    let name = unsafe { bytes_of(name) };
    let mut answer = [0; ANSWER];
    let family = None;
    let found = match find(Question::Addresses { family, name }, &mut answer, &errors) {
        Ok(found) => found,
        Err(status) => return status,
    };
    let mut packer = Packer::new(buffer, len);
    // SAFETY: glibc passes a pointer to a pointer that may be null.
    match unsafe { pack_tuples(tuples, &mut packer, &found, name) } {
        Some(()) => {
            set_ttl(ttl, found.ttl);
            SUCCESS
        }
        None => errors.too_small(),
    }
}

/// # Safety
/// `tuples` is valid and points to null, or to a tuple to be used first (nscd's way of calling).
unsafe fn pack_tuples(
    tuples: *mut *mut Tuple,
    packer: &mut Packer,
    found: &Found<'_>,
    asked: &[u8],
) -> Option<()> {
    let mut canonical = packer.string(found.names().next().unwrap_or(asked))?;
    let mut link = tuples;
    for ip in found.addresses() {
        // SAFETY: `link` is `tuples`, or the link of the tuple before.
        let reused = unsafe { *link };
        let tuple = if reused.is_null() {
            packer.place::<Tuple>()?
        } else {
            reused
        };
        let (addr, _) = octets(ip);
        let family = if ip.is_ipv4() { 2 } else { 10 };
        let next = core::ptr::null_mut();
        let value = Tuple {
            next,
            name: canonical,
            family,
            addr,
            scope: 0,
        };
        // SAFETY: room for a tuple, aligned, from the packer or from glibc.
        unsafe { tuple.write(value) };
        // SAFETY: as above.
        unsafe { *link = tuple };
        // SAFETY: the tuple was written just now.
        link = unsafe { &raw mut (*tuple).next };
        // Only the first has the name (dns-host.c, gaih_getanswer_slice).
        canonical = core::ptr::null_mut();
    }
    Some(())
}

fn set_ttl(ttl: *mut i32, seconds: u32) {
    if !ttl.is_null() {
        // SAFETY: null or the caller's variable.
        unsafe { *ttl = i32::try_from(seconds).unwrap_or(i32::MAX) };
    }
}

/// One family; also says the canonical name.
#[unsafe(no_mangle)]
unsafe extern "C" fn _nss_netcon_gethostbyname3_r(
    name: *const c_char,
    af: c_int,
    result: *mut Hostent,
    buffer: *mut c_char,
    len: usize,
    errno: *mut c_int,
    h_errno: *mut c_int,
    ttl: *mut i32,
    canonical: *mut *mut c_char,
) -> Status {
    let errors = Errors { errno, h_errno };
    let Some(family) = family_of(af) else {
        errors.set(Errno::EAFNOSUPPORT, c_int::from(Verdict::NoData as u8));
        return UNAVAIL;
    };
    // SAFETY: glibc passes the program's string.
    let name = unsafe { bytes_of(name) };
    let mut answer = [0; ANSWER];
    let question = Question::Addresses {
        family: Some(family),
        name,
    };
    let found = match find(question, &mut answer, &errors) {
        Ok(found) => found,
        Err(status) => return status,
    };
    let mut packer = Packer::new(buffer, len);
    if pack_hostent(result, &mut packer, &found, family, name, None).is_none() {
        return errors.too_small();
    }
    set_ttl(ttl, found.ttl);
    if !canonical.is_null() {
        // SAFETY: the hostent was written just now; `canonical` is null or the caller's variable.
        unsafe { *canonical = (*result).name };
    }
    SUCCESS
}

/// As the third, for callers that want neither the time to live nor the canonical name.
#[unsafe(no_mangle)]
unsafe extern "C" fn _nss_netcon_gethostbyname2_r(
    name: *const c_char,
    af: c_int,
    result: *mut Hostent,
    buffer: *mut c_char,
    len: usize,
    errno: *mut c_int,
    h_errno: *mut c_int,
) -> Status {
    let none = core::ptr::null_mut();
    let unused = core::ptr::null_mut();
    // SAFETY: the caller's own arguments.
    unsafe {
        _nss_netcon_gethostbyname3_r(name, af, result, buffer, len, errno, h_errno, none, unused)
    }
}

/// IPv4.
#[unsafe(no_mangle)]
unsafe extern "C" fn _nss_netcon_gethostbyname_r(
    name: *const c_char,
    result: *mut Hostent,
    buffer: *mut c_char,
    len: usize,
    errno: *mut c_int,
    h_errno: *mut c_int,
) -> Status {
    // SAFETY: the caller's own arguments.
    unsafe { _nss_netcon_gethostbyname2_r(name, 2, result, buffer, len, errno, h_errno) }
}

/// The names of an address.
#[unsafe(no_mangle)]
unsafe extern "C" fn _nss_netcon_gethostbyaddr2_r(
    addr: *const c_void,
    addr_len: u32,
    af: c_int,
    result: *mut Hostent,
    buffer: *mut c_char,
    len: usize,
    errno: *mut c_int,
    h_errno: *mut c_int,
    ttl: *mut i32,
) -> Status {
    let errors = Errors { errno, h_errno };
    // SAFETY: glibc passes `addr_len` bytes.
    let Some((ip, family)) = (unsafe { address(addr, addr_len, af) }) else {
        errors.set(Errno::EAFNOSUPPORT, NETDB_INTERNAL);
        return UNAVAIL;
    };
    let mut answer = [0; ANSWER];
    let found = match find(Question::Names { ip }, &mut answer, &errors) {
        Ok(found) => found,
        Err(status) => return status,
    };
    let mut packer = Packer::new(buffer, len);
    if pack_hostent(result, &mut packer, &found, family, b"", Some(ip)).is_none() {
        return errors.too_small();
    }
    set_ttl(ttl, found.ttl);
    SUCCESS
}

/// As the second, without the time to live.
#[unsafe(no_mangle)]
unsafe extern "C" fn _nss_netcon_gethostbyaddr_r(
    addr: *const c_void,
    addr_len: u32,
    af: c_int,
    result: *mut Hostent,
    buffer: *mut c_char,
    len: usize,
    errno: *mut c_int,
    h_errno: *mut c_int,
) -> Status {
    let ttl = core::ptr::null_mut();
    // SAFETY: the caller's own arguments.
    unsafe {
        _nss_netcon_gethostbyaddr2_r(addr, addr_len, af, result, buffer, len, errno, h_errno, ttl)
    }
}

/// # Safety
/// `addr` has `len` bytes.
pub(super) unsafe fn address(addr: *const c_void, len: u32, af: c_int) -> Option<(IpAddr, Family)> {
    match (family_of(af)?, len) {
        (Family::Inet, 4..) => {
            // SAFETY: four bytes, by the caller's contract.
            let octets = unsafe { addr.cast::<[u8; 4]>().read_unaligned() };
            Some((IpAddr::V4(Ipv4Addr::from(octets)), Family::Inet))
        }
        (Family::Inet6, 16..) => {
            // SAFETY: sixteen bytes, by the caller's contract.
            let octets = unsafe { addr.cast::<[u8; 16]>().read_unaligned() };
            Some((IpAddr::V6(Ipv6Addr::from(octets)), Family::Inet6))
        }
        (Family::Inet | Family::Inet6, _) => None,
    }
}
