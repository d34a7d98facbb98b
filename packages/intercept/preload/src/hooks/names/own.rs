//! Look-ups for a libc that has no name service switch (musl): its own resolver reads the program's
//! files and asks the DNS by system calls that no hook sees.
//!
//! What needs no network is left to libc: numeric addresses, services, socket types, flags and their
//! errors. The rest is musl's order: /etc/hosts, then the service. The lists that getaddrinfo(3) gives
//! are the library's own, and so must be what frees them. See docs/internals/names.md.

use core::ffi::{c_char, c_int, c_void};
use core::net::IpAddr;

use netcon_wire::{
    ADDRESS_LEN, Addresses, Family, Found, MAX_ORDER, Question, Verdict, encode_address,
};

use super::{
    AF_INET, AF_INET6, AF_UNSPEC, AI_NUMERICHOST, AI_V4MAPPED, AddrInfo, EAI_NONAME, EAI_SYSTEM,
    forward,
};
use crate::hooks::nss::{self, ANSWER, bytes_of, octets};
use crate::real::weak;
use crate::resolve;

pub(super) mod hosts;
mod list;

pub(super) use list::free;

const AI_ALL: c_int = 0x10;
const NI_NUMERICHOST: c_int = 1;
const NI_NAMEREQD: c_int = 8;
const EAI_AGAIN: c_int = -3;
const EAI_FAIL: c_int = -4;
const EAI_NODATA: c_int = -5;
const EAI_OVERFLOW: c_int = -12;
/// musl's longest name (`__lookup_name`).
const MAX_NAME: usize = 254;

/// What a name stands for: at most as many addresses as musl takes, and that are put into order.
struct Host {
    addresses: [u8; MAX_ORDER * ADDRESS_LEN],
    count: usize,
    canonical: [u8; MAX_NAME + 1],
    canonical_len: usize,
}

impl Host {
    const EMPTY: Host = Host {
        addresses: [0; MAX_ORDER * ADDRESS_LEN],
        count: 0,
        canonical: [0; MAX_NAME + 1],
        canonical_len: 0,
    };

    fn add(&mut self, ip: IpAddr) {
        if self.count < MAX_ORDER {
            let at = self.count * ADDRESS_LEN;
            resolve::store(&mut self.addresses, at, &encode_address(ip));
            self.count += 1;
        }
    }

    /// The first name stays.
    fn call(&mut self, name: &[u8]) {
        if self.canonical_len == 0 && name.len() <= MAX_NAME {
            resolve::store(&mut self.canonical, 0, name);
            self.canonical_len = name.len();
        }
    }

    fn canonical(&self) -> &[u8] {
        self.canonical.get(..self.canonical_len).unwrap_or(&[])
    }

    fn list(&self) -> &[u8] {
        let len = self.count * ADDRESS_LEN;
        self.addresses.get(..len).unwrap_or(&[])
    }

    fn addresses(&self) -> Addresses<'_> {
        Addresses(self.list())
    }

    /// As RFC 6724 has it, by netcon's addresses.
    fn put_in_order(&mut self) {
        let mut places = [0; MAX_ORDER];
        if self.count < 2 {
            return;
        }
        let Some(places) = resolve::order(self.list(), &mut places) else {
            return;
        };
        let mut ordered = [0; MAX_ORDER * ADDRESS_LEN];
        for (to, place) in ordered.chunks_exact_mut(ADDRESS_LEN).zip(places) {
            let from = self.list().chunks_exact(ADDRESS_LEN);
            if let Some(from) = from.into_iter().nth(usize::from(*place)) {
                resolve::store(to, 0, from);
            }
        }
        self.addresses = ordered;
    }
}

/// A name that is none of an address: /etc/hosts, then the service.
fn look_up(name: &[u8], family: Option<Family>) -> Result<Host, Verdict> {
    if !(1..=MAX_NAME).contains(&name.len()) {
        return Err(Verdict::NotFound);
    }
    let is_wanted =
        |ip: &IpAddr| family.is_none_or(|family| ip.is_ipv4() == (family == Family::Inet));
    let mut host = Host::EMPTY;
    let mut is_known = false;
    crate::hosts::each(|entry| {
        if !entry.names().any(|other| other == name) {
            return;
        }
        is_known = true;
        if is_wanted(&entry.ip) {
            host.add(entry.ip);
            host.call(entry.names().next().unwrap_or(name));
        }
    });
    if host.count == 0 {
        // A name that the file has is not asked for elsewhere (name_from_hosts).
        if is_known {
            return Err(Verdict::NoData);
        }
        let mut answer = [0; ANSWER];
        let found = ask(Question::Addresses { family, name }, &mut answer)?;
        found
            .addresses()
            .filter(is_wanted)
            .for_each(|ip| host.add(ip));
        host.call(found.names().next().unwrap_or(name));
        if host.count == 0 {
            return Err(Verdict::NoData);
        }
    }
    host.put_in_order();
    Ok(host)
}

/// An answer that has something in it.
fn ask<'a>(question: Question<'_>, answer: &'a mut [u8; ANSWER]) -> Result<Found<'a>, Verdict> {
    let bytes = resolve::ask_into(question, answer).map_err(|_| Verdict::TryAgain)?;
    let found = Found::decode(bytes).map_err(|_| Verdict::TryAgain)?;
    if found.verdict == Verdict::Found {
        Ok(found)
    } else {
        Err(found.verdict)
    }
}

/// musl has known a name without the address asked for since 1.2.4; before, it does not exist. One
/// that does not know the error has no text for it.
fn knows_no_data() -> bool {
    /// An `EAI_` that no version has.
    const UNKNOWN: c_int = -9;
    let Some(text) = weak::gai_strerror() else {
        return false;
    };
    // SAFETY: gai_strerror(3) gives a string for any number.
    let [no_data, unknown] = [EAI_NODATA, UNKNOWN].map(|n| unsafe { bytes_of(text(n)) });
    no_data != unknown
}

fn eai(verdict: Verdict) -> c_int {
    match verdict {
        Verdict::Found => 0,
        Verdict::NoData if knows_no_data() => EAI_NODATA,
        Verdict::NotFound | Verdict::NoData => EAI_NONAME,
        Verdict::TryAgain => EAI_AGAIN,
        Verdict::NoRecovery => EAI_FAIL,
    }
}

/// libc's list for a numeric address; 0 is success.
///
/// # Safety
/// As getaddrinfo(3).
unsafe fn numeric(
    node: *const c_char,
    service: *const c_char,
    hints: &AddrInfo,
    family: c_int,
    out: &mut *mut AddrInfo,
) -> c_int {
    let hints = AddrInfo {
        flags: hints.flags | AI_NUMERICHOST,
        family,
        ..*hints
    };
    // SAFETY: the caller's contract.
    unsafe { super::libc_getaddrinfo(node, service, &raw const hints, out) }
}

/// # Safety
/// A list of libc's, or null.
unsafe fn libc_free(list: *mut AddrInfo) {
    if !list.is_null() {
        // SAFETY: the caller's contract.
        unsafe { forward(c"freeaddrinfo", [list as usize, 0, 0, 0, 0, 0, 0, 0]) };
    }
}

/// Whether a text is an address of some family.
///
/// # Safety
/// `node` is NUL-terminated.
unsafe fn is_numeric(node: *const c_char) -> bool {
    // SAFETY: the caller's contract.
    unsafe { literal(node, AF_UNSPEC) }.is_some()
}

/// The address that a text is, if it is one of that family.
///
/// # Safety
/// `node` is NUL-terminated.
unsafe fn literal(node: *const c_char, family: c_int) -> Option<IpAddr> {
    let mut list = core::ptr::null_mut();
    // SAFETY: the caller's contract.
    let status = unsafe { numeric(node, core::ptr::null(), &AddrInfo::ANY, family, &mut list) };
    if status != 0 || list.is_null() {
        return None;
    }
    // SAFETY: libc has made a list.
    let ip = unsafe { super::address_of(&*list) };
    // SAFETY: as above; nobody has it.
    unsafe { libc_free(list) };
    ip
}

/// getaddrinfo(3); `AI_ADDRCONFIG` has been dealt with.
///
/// # Safety
/// The program's own arguments.
pub(super) unsafe fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: &AddrInfo,
    result: *mut *mut AddrInfo,
) -> c_int {
    let mut made = core::ptr::null_mut();
    // SAFETY: the caller's contract.
    let status = unsafe { numeric(node, service, hints, hints.family, &mut made) };
    let mut list = list::List::new();
    if status == 0 {
        // SAFETY: libc has made a list.
        let copied = unsafe { list.copy(made) };
        // SAFETY: as above; it has been copied.
        unsafe { libc_free(made) };
        // SAFETY: the program's variable.
        return unsafe { list.publish(copied, result) };
    }
    // Errors of the other arguments come first in musl too.
    let is_unknown = matches!(status, EAI_NONAME | EAI_NODATA) && !node.is_null();
    // SAFETY: a string, as it is not null.
    if !is_unknown || hints.flags & AI_NUMERICHOST != 0 || unsafe { is_numeric(node) } {
        return status;
    }
    // SAFETY: as above.
    let name = unsafe { bytes_of(node) };
    let is_mapped = hints.flags & AI_V4MAPPED != 0 && hints.family == AF_INET6;
    let family = match hints.family {
        AF_INET => Some(Family::Inet),
        AF_INET6 if !is_mapped => Some(Family::Inet6),
        _ => None,
    };
    let host = match look_up(name, family) {
        Ok(host) => host,
        Err(verdict) => return eai(verdict),
    };
    let has_v6 = host.addresses().any(|ip| ip.is_ipv6());
    let only_v6 = is_mapped && has_v6 && hints.flags & AI_ALL == 0;
    let wanted = host.addresses().filter(|ip| !only_v6 || ip.is_ipv6());
    let mapped = wanted.map(|ip| match ip {
        IpAddr::V4(v4) if is_mapped => IpAddr::V6(v4.to_ipv6_mapped()),
        IpAddr::V4(_) | IpAddr::V6(_) => ip,
    });
    // SAFETY: the caller's contract.
    let filled = unsafe { fill(&mut list, mapped, service, hints, host.canonical()) };
    // SAFETY: the program's variable.
    unsafe { list.publish(filled, result) }
}

/// Adds what libc gives for an address of the same family, with each of the addresses in its place.
///
/// # Safety
/// As getaddrinfo(3).
unsafe fn fill(
    list: &mut list::List,
    addresses: impl Iterator<Item = IpAddr>,
    service: *const c_char,
    hints: &AddrInfo,
    canonical: &[u8],
) -> Result<(), c_int> {
    let mut patterns = [core::ptr::null_mut::<AddrInfo>(); 2];
    let mut outcome = Ok(());
    for ip in addresses {
        let [v4, v6] = &mut patterns;
        let (pattern, text, family) = match ip {
            IpAddr::V4(_) => (v4, c"0.0.0.0", AF_INET),
            IpAddr::V6(_) => (v6, c"::", AF_INET6),
        };
        if pattern.is_null() {
            // SAFETY: the caller's contract.
            let status = unsafe { numeric(text.as_ptr(), service, hints, family, pattern) };
            if status != 0 {
                outcome = Err(status);
                break;
            }
        }
        // SAFETY: libc has made the list.
        outcome = unsafe { list.add(*pattern, ip, canonical) };
        if outcome.is_err() {
            break;
        }
    }
    for pattern in patterns {
        // SAFETY: libc's or null; nobody uses it any more.
        unsafe { libc_free(pattern) };
    }
    outcome
}

/// The name of an address: /etc/hosts, then the service.
fn name_of<'a>(ip: IpAddr, answer: &'a mut [u8; ANSWER], host: &'a mut Host) -> Option<&'a [u8]> {
    let ip = ip.to_canonical();
    crate::hosts::each(|entry| {
        if entry.ip.to_canonical() == ip
            && let Some(name) = entry.names().next()
        {
            host.call(name);
        }
    });
    if !host.canonical().is_empty() {
        return Some(host.canonical());
    }
    ask(Question::Names { ip }, answer).ok()?.names().next()
}

/// getnameinfo(3)
///
/// # Safety
/// The program's own arguments.
pub(super) unsafe fn getnameinfo(args: [usize; 8]) -> usize {
    let [
        address,
        len,
        node,
        node_len,
        service,
        service_len,
        flags,
        rest,
    ] = args;
    let flags = crate::sys::narrow(flags.cast_signed());
    let libc = |node: usize, node_len: usize, flags: c_int| {
        let flags = crate::sys::int(flags);
        let args = [
            address,
            len,
            node,
            node_len,
            service,
            service_len,
            flags,
            rest,
        ];
        // SAFETY: the caller's contract.
        unsafe { forward(c"getnameinfo", args) }.unwrap_or_else(|| code(EAI_SYSTEM))
    };
    let room = socklen(node_len);
    if flags & NI_NUMERICHOST != 0 || node == 0 || room == 0 {
        return libc(node, node_len, flags);
    }
    // SAFETY: the caller's contract.
    let ip = unsafe { list::address_at(address as *const c_void, socklen(len)) };
    let Some(ip) = ip else {
        return libc(node, node_len, flags | NI_NUMERICHOST);
    };
    let (mut answer, mut host) = ([0; ANSWER], Host::EMPTY);
    let Some(name) = name_of(ip, &mut answer, &mut host) else {
        if flags & NI_NAMEREQD != 0 {
            return code(EAI_NONAME);
        }
        return libc(node, node_len, flags | NI_NUMERICHOST);
    };
    if name.len() >= room {
        return code(EAI_OVERFLOW);
    }
    let node = node as *mut u8;
    // SAFETY: the program says that there is so much room, and the name is shorter.
    unsafe { core::ptr::copy_nonoverlapping(name.as_ptr(), node, name.len()) };
    // SAFETY: as above.
    unsafe { node.add(name.len()).write(0) };
    libc(0, 0, flags)
}

/// An argument of type socklen_t: the upper half of the register says nothing.
fn socklen(argument: usize) -> usize {
    argument & 0xffff_ffff
}

/// An int as a function's result.
fn code(value: c_int) -> usize {
    (value as isize).cast_unsigned()
}
