//! getifaddrs(3), if_nametoindex(3) and if_nameindex(3): netcon's interfaces.
//!
//! What they return is one block of the program's own allocator ([`super::block`]): the callers of
//! these functions must free it. Both functions that free are ours too, since musl's expect other blocks
//! than glibc's. libc's own use of these names (scopes in inet_pton(3) and getnameinfo(3)) does not
//! come here.

use core::ffi::{CStr, c_char, c_int, c_uint, c_void};
use core::mem::offset_of;
use core::net::IpAddr;

use netcon_wire::{INTERFACE_NAME_LEN, Interface, InterfaceAddress};

use crate::errno::{self, Errno};
use crate::ops::interfaces::{List, broadcast, mask_v4, mask_v6};
use crate::real;
use crate::{addr, env};

use super::block::{allocate, release};

const AF_PACKET: u16 = 17;
/// `sizeof(struct rtnl_link_stats)`, linux/if_link.h: 24 counters, all 0 here.
const STATS: usize = 96;

/// `struct ifaddrs`, getifaddrs(3).
#[repr(C)]
struct Ifaddrs {
    next: *mut Ifaddrs,
    name: *mut c_char,
    flags: c_uint,
    addr: *mut c_void,
    netmask: *mut c_void,
    /// Broadcast address, or the other side's.
    other: *mut c_void,
    data: *mut c_void,
}

/// One element of the list and what it points to.
#[repr(C)]
struct Entry {
    head: Ifaddrs,
    name: [u8; INTERFACE_NAME_LEN],
    addr: Room,
    netmask: Room,
    other: Room,
    stats: [u8; STATS],
}

/// Any socket address that is shown: `sockaddr_in6` is the longest, aligned as they all are.
#[repr(C, align(8))]
struct Room([u8; 32]);

/// `struct if_nameindex`, if_nameindex(3).
#[repr(C)]
struct NameIndex {
    index: c_uint,
    name: *mut c_char,
}

/// An element with room for its name.
#[repr(C)]
struct Named {
    name: [u8; INTERFACE_NAME_LEN],
}

fn is_bypassed() -> bool {
    env::config().bypass.all
}

fn fail(errno: Errno) -> c_int {
    errno::set(errno);
    -1
}

type One = unsafe extern "C" fn(usize, usize) -> usize;

/// libc's function of that name, for a program that bypasses netcon.
unsafe fn forward(name: &CStr, a: usize, b: usize) -> usize {
    let next = real::next(name);
    if next.is_null() {
        errno::set(Errno::ENOSYS);
        return 0;
    }
    // SAFETY: libc's function of that name; see `crate::real::call` on unused arguments.
    let next = unsafe { core::mem::transmute::<*mut c_void, One>(next) };
    // SAFETY: the program's own arguments.
    unsafe { next(a, b) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn getifaddrs(out: *mut *mut c_void) -> c_int {
    if is_bypassed() {
        // SAFETY: the program's own call.
        return crate::sys::narrow(
            unsafe { forward(c"getifaddrs", out as usize, 0) }.cast_signed(),
        );
    }
    match List::ask().and_then(|list| build(&list)) {
        Ok(first) => {
            // SAFETY: getifaddrs(3): the caller's variable.
            unsafe { *out = first.cast() };
            0
        }
        Err(errno) => fail(errno),
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn freeifaddrs(list: *mut c_void) {
    if is_bypassed() {
        // SAFETY: the program's own call.
        unsafe { forward(c"freeifaddrs", list as usize, 0) };
        return;
    }
    // SAFETY: freeifaddrs(3): what getifaddrs gave, one block of ours.
    unsafe { release(list) };
}

/// Links first, then addresses by family, as rtnetlink tells them to glibc.
fn build(list: &List) -> Result<*mut Entry, Errno> {
    let addresses = |v6: bool| {
        list.iter().flat_map(move |interface| {
            let all = interface.addresses().iter();
            let wanted = all.filter(move |address| address.addr.ip.is_ipv6() == v6);
            wanted.map(move |address| (interface, Some(address)))
        })
    };
    let all = || {
        let links = list.iter().map(|interface| (interface, None));
        links.chain(addresses(false)).chain(addresses(true))
    };
    let count = all().count();
    let block = allocate::<Entry>(count)?;
    for (position, (interface, address)) in all().enumerate() {
        let entry = Entry::new(interface, address);
        // SAFETY: the block has `count` elements.
        let slot = unsafe { block.add(position) };
        // SAFETY: as above, aligned and ours alone.
        unsafe { slot.write(entry) };
        // SAFETY: written just now; the next one is within the block if there is one.
        unsafe { link(slot, address.is_none(), position + 1 < count) };
    }
    Ok(block)
}

/// Lets the pointers of an element point into it.
///
/// # Safety
/// `slot` is a written element; with `more`, another follows it.
unsafe fn link(slot: *mut Entry, is_link: bool, more: bool) {
    let at = move |offset: usize| slot.cast::<u8>().wrapping_add(offset).cast::<c_void>();
    // SAFETY: the caller's contract.
    let entry = unsafe { &mut *slot };
    let shown = move |room: &Room, offset: usize| match room.0 {
        [0, 0, ..] => core::ptr::null_mut(),
        _ => at(offset),
    };
    let head = &mut entry.head;
    head.name = at(offset_of!(Entry, name)).cast();
    head.addr = shown(&entry.addr, offset_of!(Entry, addr));
    head.netmask = shown(&entry.netmask, offset_of!(Entry, netmask));
    head.other = shown(&entry.other, offset_of!(Entry, other));
    if is_link {
        head.data = at(offset_of!(Entry, stats));
    }
    if more {
        head.next = slot.wrapping_add(1).cast();
    }
}

impl Entry {
    fn new(interface: &Interface, address: Option<&InterfaceAddress>) -> Entry {
        let none = core::ptr::null_mut();
        let mut entry = Entry {
            head: Ifaddrs {
                next: core::ptr::null_mut(),
                name: core::ptr::null_mut(),
                flags: interface.flags,
                addr: none,
                netmask: none,
                other: none,
                data: none,
            },
            name: interface.name,
            addr: Room([0; 32]),
            netmask: Room([0; 32]),
            other: Room([0; 32]),
            stats: [0; STATS],
        };
        let Some(address) = address else {
            let everybody = if interface.mac == [0; 6] { 0 } else { 0xff };
            entry.addr.link(interface, &interface.mac);
            entry.other.link(interface, &[everybody; 6]);
            return entry;
        };
        let prefix = address.prefix;
        entry.addr.ip(address.addr.ip, address.addr.scope);
        match address.addr.ip {
            IpAddr::V4(ip) => {
                entry.netmask.ip(mask_v4(prefix).into(), 0);
                // Where there is no broadcast address, rtnetlink's IFA_ADDRESS: its own.
                let other = broadcast(interface, ip.octets(), prefix);
                entry.other.ip(other.unwrap_or(ip.octets()).into(), 0);
            }
            IpAddr::V6(_) => entry.netmask.ip(mask_v6(prefix).into(), 0),
        }
        entry
    }
}

impl Room {
    /// `struct sockaddr_in` or `sockaddr_in6`.
    fn ip(&mut self, ip: IpAddr, scope: u32) {
        let address = netcon_wire::SockAddr { ip, port: 0, scope };
        let (bytes, len) = addr::encode(&address, address.family());
        self.put(0, bytes.get(..len).unwrap_or(&[]));
    }

    /// `struct sockaddr_ll`, packet(7).
    fn link(&mut self, interface: &Interface, mac: &[u8; 6]) {
        self.put(0, &AF_PACKET.to_ne_bytes());
        self.put(4, &interface.index.to_ne_bytes());
        self.put(8, &interface.hardware.to_ne_bytes());
        self.put(11, &[6]);
        self.put(12, mac);
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn if_nametoindex(name: *const c_char) -> c_uint {
    if is_bypassed() {
        // SAFETY: the program's own call.
        return low(unsafe { forward(c"if_nametoindex", name as usize, 0) });
    }
    // SAFETY: if_nametoindex(3): a NUL-terminated string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let found = List::ask().and_then(|list| {
        let interface = list.named(name).ok_or(Errno::ENODEV)?;
        Ok(interface.index)
    });
    found.unwrap_or_else(|errno| {
        errno::set(errno);
        0
    })
}

#[unsafe(no_mangle)]
unsafe extern "C" fn if_indextoname(index: c_uint, name: *mut c_char) -> *mut c_char {
    if is_bypassed() {
        // SAFETY: the program's own call.
        return unsafe { forward(c"if_indextoname", index as usize, name as usize) } as *mut c_char;
    }
    let found = List::ask().and_then(|list| {
        let index = c_int::try_from(index).map_err(|_| Errno::ENXIO)?;
        Ok(list.at(index).ok_or(Errno::ENXIO)?.name)
    });
    match found {
        Ok(found) => {
            // SAFETY: if_indextoname(3): room for IF_NAMESIZE bytes.
            unsafe { name.cast::<[u8; INTERFACE_NAME_LEN]>().write(found) };
            name
        }
        Err(errno) => {
            errno::set(errno);
            core::ptr::null_mut()
        }
    }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn if_nameindex() -> *mut c_void {
    if is_bypassed() {
        // SAFETY: the program's own call.
        return unsafe { forward(c"if_nameindex", 0, 0) } as *mut c_void;
    }
    match List::ask().and_then(|list| name_index(&list)) {
        Ok(block) => block.cast(),
        Err(errno) => {
            errno::set(errno);
            core::ptr::null_mut()
        }
    }
}

/// The array with its end, and behind it the names.
fn name_index(list: &List) -> Result<*mut NameIndex, Errno> {
    const { assert!(size_of::<Named>() == size_of::<NameIndex>()) };
    let count = list.iter().count();
    let block = allocate::<NameIndex>(2 * count + 1)?;
    for (position, interface) in list.iter().enumerate() {
        let name = block.wrapping_add(count + 1 + position).cast::<Named>();
        // SAFETY: within the block, whose elements have the size of a name.
        unsafe {
            name.write(Named {
                name: interface.name,
            });
        }
        let element = NameIndex {
            index: interface.index,
            name: name.cast(),
        };
        // SAFETY: within the block; the element behind the last stays zero.
        unsafe { block.wrapping_add(position).write(element) };
    }
    Ok(block)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn if_freenameindex(list: *mut c_void) {
    if is_bypassed() {
        // SAFETY: the program's own call.
        unsafe { forward(c"if_freenameindex", list as usize, 0) };
        return;
    }
    // SAFETY: if_freenameindex(3): what if_nameindex gave, one block of ours.
    unsafe { release(list) };
}

/// Functions that return an unsigned int leave the upper half of the register undefined.
#[allow(clippy::cast_possible_truncation)]
const fn low(value: usize) -> c_uint {
    value as c_uint
}
