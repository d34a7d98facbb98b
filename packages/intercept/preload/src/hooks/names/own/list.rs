//! The lists that getaddrinfo(3) gives where they are the library's: each entry is a block of its own,
//! so that any part of a list can be freed (RFC 3493 6.1).

use core::ffi::{CStr, c_int, c_void};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{AF_INET, AF_INET6, AddrInfo};
use crate::addr::{INET_LEN, INET6_LEN};
use crate::hooks::block;
use crate::hooks::nss::octets;

const EAI_MEMORY: c_int = -10;

/// An entry, its address, and the canonical name behind it.
#[repr(C)]
struct Entry {
    info: AddrInfo,
    address: [u8; INET6_LEN],
}

/// A list under construction.
pub(super) struct List {
    head: *mut AddrInfo,
    last: *mut AddrInfo,
}

impl List {
    pub(super) const fn new() -> List {
        List {
            head: core::ptr::null_mut(),
            last: core::ptr::null_mut(),
        }
    }

    /// Adds a copy of libc's entries.
    ///
    /// # Safety
    /// `from` is libc's list.
    pub(super) unsafe fn copy(&mut self, from: *const AddrInfo) -> Result<(), c_int> {
        // SAFETY: the caller's contract.
        unsafe { self.each(from, None, None) }
    }

    /// Adds a copy of libc's entries, with another address of their family and a name.
    ///
    /// # Safety
    /// As [`List::copy`].
    pub(super) unsafe fn add(
        &mut self,
        from: *const AddrInfo,
        ip: IpAddr,
        name: &[u8],
    ) -> Result<(), c_int> {
        // SAFETY: the caller's contract.
        unsafe { self.each(from, Some(ip), Some(name)) }
    }

    unsafe fn each(
        &mut self,
        mut from: *const AddrInfo,
        ip: Option<IpAddr>,
        name: Option<&[u8]>,
    ) -> Result<(), c_int> {
        while !from.is_null() {
            // SAFETY: an entry of libc's list.
            let entry = unsafe { &*from };
            let own = (!entry.name.is_null()).then(|| {
                // SAFETY: null or a string.
                unsafe { CStr::from_ptr(entry.name) }.to_bytes()
            });
            // SAFETY: as above.
            unsafe { self.push(entry, ip, name.or(own)) }?;
            from = entry.next;
        }
        Ok(())
    }

    unsafe fn push(
        &mut self,
        from: &AddrInfo,
        ip: Option<IpAddr>,
        name: Option<&[u8]>,
    ) -> Result<(), c_int> {
        let name_len = name.map_or(0, |name| name.len().saturating_add(1));
        let size = size_of::<Entry>().saturating_add(name_len);
        let block = block::allocate::<u8>(size).map_err(|_| EAI_MEMORY)?;
        let entry = block.cast::<Entry>();
        // SAFETY: the block is larger than an entry, and aligned for anything (malloc(3)).
        let address = unsafe { (&raw mut (*entry).address).cast::<u8>() };
        let len = (from.len as usize).min(INET6_LEN);
        // SAFETY: libc's address has `len` bytes, and the entry has room for them.
        unsafe { core::ptr::copy_nonoverlapping(from.address.cast(), address, len) };
        if let Some(ip) = ip {
            let (bytes, len) = octets(ip);
            let at = if ip.is_ipv4() { 4 } else { 8 };
            // SAFETY: both fields lie within the address.
            unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), address.add(at), len) };
        }
        let mut text = core::ptr::null_mut();
        if let Some(name) = name {
            // SAFETY: behind the entry there is room for the name and its NUL, which is there.
            text = unsafe { block.add(size_of::<Entry>()) };
            // SAFETY: as above.
            unsafe { core::ptr::copy_nonoverlapping(name.as_ptr(), text, name.len()) };
        }
        let info = AddrInfo {
            address: address.cast(),
            name: text.cast(),
            next: core::ptr::null_mut(),
            ..*from
        };
        // SAFETY: the block, as above.
        unsafe { (&raw mut (*entry).info).write(info) };
        let info = entry.cast::<AddrInfo>();
        if self.last.is_null() {
            self.head = info;
        } else {
            // SAFETY: the entry made before.
            unsafe { (*self.last).next = info };
        }
        self.last = info;
        Ok(())
    }

    /// Gives the list away, or frees it where it is not whole.
    ///
    /// # Safety
    /// `result` is the program's variable.
    pub(super) unsafe fn publish(
        self,
        outcome: Result<(), c_int>,
        result: *mut *mut AddrInfo,
    ) -> c_int {
        match outcome {
            Ok(()) => {
                // SAFETY: the caller's contract.
                unsafe { *result = self.head };
                0
            }
            Err(status) => {
                // SAFETY: nobody has seen the list.
                unsafe { free(self.head) };
                status
            }
        }
    }
}

/// freeaddrinfo(3)
///
/// # Safety
/// A list, or a part of one, that [`List`] made, or null.
pub(in crate::hooks::names) unsafe fn free(mut list: *mut AddrInfo) {
    while !list.is_null() {
        // SAFETY: the caller's contract.
        let next = unsafe { (*list).next };
        // SAFETY: the entry stands first in its block.
        unsafe { block::release(list.cast()) };
        list = next;
    }
}

/// The address in a `struct sockaddr`, unless it names an interface too.
///
/// # Safety
/// `address` has `len` bytes.
pub(super) unsafe fn address_at(address: *const c_void, len: usize) -> Option<IpAddr> {
    if address.is_null() || len < 2 {
        return None;
    }
    // SAFETY: two bytes, by the caller's contract.
    let family = c_int::from(unsafe { address.cast::<u16>().read_unaligned() });
    match family {
        AF_INET if len >= INET_LEN => {
            // SAFETY: a sockaddr_in: the address at 4.
            let octets = unsafe { address.byte_add(4).cast::<[u8; 4]>().read_unaligned() };
            Some(IpAddr::V4(Ipv4Addr::from(octets)))
        }
        AF_INET6 if len >= INET6_LEN => {
            // SAFETY: a sockaddr_in6: the address at 8, then the scope.
            let octets = unsafe { address.byte_add(8).cast::<[u8; 16]>().read_unaligned() };
            // SAFETY: as above.
            let scope = unsafe { address.byte_add(24).cast::<u32>().read_unaligned() };
            (scope == 0).then_some(IpAddr::V6(Ipv6Addr::from(octets)))
        }
        _ => None,
    }
}
