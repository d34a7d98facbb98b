//! gethostbyname(3), gethostbyaddr(3) and their `_r` forms, laid out as musl does: the canonical name
//! is the first alias too.

use core::cell::UnsafeCell;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::net::IpAddr;

use netcon_wire::{Family, SockAddr, Verdict};

use super::{
    AF_INET, ANSWER, Host, NI_NUMERICHOST, bytes_of, knows_no_data, literal, look_up, name_of, nss,
    octets,
};
use crate::addr;
use crate::errno::Errno;
use crate::hooks::names::{forward, set_h_errno};
use crate::hooks::nss::Hostent;
use crate::hooks::packer::Packer;

/// The errno and the h_errno of a failure, 0 for neither (musl's gethostbyname2_r).
type Failure = (c_int, c_int);
const NO_RECOVERY: c_int = Verdict::NoRecovery as c_int;
const TOO_SMALL: Failure = (Errno::ERANGE.0, 0);
const EBADMSG: c_int = 74;

/// What the functions without a buffer give: one for all threads (gethostbyname(3)).
struct Statics {
    host: UnsafeCell<[usize; size_of::<Hostent>() / size_of::<usize>()]>,
    buffer: UnsafeCell<[usize; 1024]>,
}
// SAFETY: POSIX lets these functions be called by one thread at a time only.
unsafe impl Sync for Statics {}
static STATICS: Statics = Statics {
    host: UnsafeCell::new([0; _]),
    buffer: UnsafeCell::new([0; 1024]),
};
const STATIC_LEN: usize = 1024 * size_of::<usize>();

/// Where a `_r` function leaves what it gives.
struct Out {
    host: *mut Hostent,
    buffer: *mut c_char,
    len: usize,
    result: *mut *mut Hostent,
    h_errno: *mut c_int,
}

impl Out {
    fn finish(&self, outcome: Result<(), Failure>) -> usize {
        let (found, errno, h_errno) = match outcome {
            Ok(()) => (self.host, 0, 0),
            Err((errno, h_errno)) => (core::ptr::null_mut(), errno, h_errno),
        };
        // SAFETY: the caller's variables, as gethostbyname_r(3) takes them.
        unsafe { *self.result = found };
        if h_errno != 0 {
            // SAFETY: as above.
            unsafe { *self.h_errno = h_errno };
        }
        super::code(errno)
    }
}

fn failure(verdict: Verdict) -> Failure {
    let h_errno = c_int::from(verdict as u8);
    match verdict {
        Verdict::Found => (0, 0),
        Verdict::NoData if knows_no_data() => (0, h_errno),
        Verdict::NotFound | Verdict::NoData => {
            (Errno::ENOENT.0, c_int::from(Verdict::NotFound as u8))
        }
        Verdict::TryAgain => (Errno::EAGAIN.0, h_errno),
        Verdict::NoRecovery => (EBADMSG, h_errno),
    }
}

/// Lays a host out in the caller's buffer.
fn pack<'a>(
    out: &Out,
    family: Family,
    addresses: impl Iterator<Item = IpAddr> + Clone,
    mut names: impl Iterator<Item = &'a [u8]>,
) -> Option<()> {
    let mut packer = Packer::new(out.buffer, out.len);
    let name = packer.string(names.next()?)?;
    let aliases = packer.pointers(2)?;
    // SAFETY: there is room for two and a null pointer.
    unsafe { aliases.write(name) };
    if let Some(alias) = names.next() {
        let alias = packer.string(alias)?;
        // SAFETY: as above.
        unsafe { aliases.add(1).write(alias) };
    }
    let list = packer.pointers(addresses.clone().count())?;
    for (i, ip) in addresses.enumerate() {
        let (bytes, len) = octets(ip);
        let at = packer.bytes(bytes.get(..len).unwrap_or(&[]))?;
        // SAFETY: `pointers` made room for so many.
        unsafe { list.add(i).write(at) };
    }
    let host = Hostent {
        name,
        aliases,
        family: c_int::from(family.raw()),
        len: if family == Family::Inet { 4 } else { 16 },
        addresses: list,
    };
    // SAFETY: the caller's struct hostent.
    unsafe { out.host.write(host) };
    Some(())
}

/// # Safety
/// `name` is NUL-terminated, and `out` as gethostbyname2_r(3) takes it.
unsafe fn by_name_into(name: *const c_char, af: c_int, out: &Out) -> Result<(), Failure> {
    let family = nss::family_of(af).ok_or((Errno::EAFNOSUPPORT.0, NO_RECOVERY))?;
    // SAFETY: the caller's contract.
    let asked = unsafe { bytes_of(name) };
    // SAFETY: as above.
    if let Some(ip) = unsafe { literal(name, af) } {
        let names = core::iter::once(asked);
        return pack(out, family, core::iter::once(ip), names).ok_or(TOO_SMALL);
    }
    // SAFETY: as above.
    if unsafe { super::is_numeric(name) } {
        return Err(failure(Verdict::NoData));
    }
    let host = look_up(asked, Some(family)).map_err(failure)?;
    let alias = Some(asked).filter(|asked| *asked != host.canonical());
    let names = core::iter::once(host.canonical()).chain(alias);
    pack(out, family, host.addresses(), names).ok_or(TOO_SMALL)
}

/// # Safety
/// `address` has `len` bytes, and `out` is as gethostbyaddr_r(3) takes it.
unsafe fn by_address_into(
    address: *const c_void,
    len: u32,
    af: c_int,
    out: &Out,
) -> Result<(), Failure> {
    // SAFETY: the caller's contract.
    let known = unsafe { nss::address(address, len, af) };
    let (ip, family) = known.ok_or((Errno::EINVAL.0, NO_RECOVERY))?;
    let (mut answer, mut host) = ([0; ANSWER], Host::EMPTY);
    let mut text = [0; 64];
    let name = match name_of(ip, &mut answer, &mut host) {
        Some(name) => name,
        // An address without a name is its own (musl's gethostbyaddr_r).
        None => numeric_text(ip, family, &mut text),
    };
    pack(out, family, core::iter::once(ip), core::iter::once(name)).ok_or(TOO_SMALL)
}

/// An address as text, by libc.
fn numeric_text(ip: IpAddr, family: Family, text: &mut [u8; 64]) -> &[u8] {
    let (address, len) = addr::encode(&SockAddr::new(ip, 0), family);
    let args = [
        address.as_ptr() as usize,
        len,
        text.as_mut_ptr() as usize,
        text.len(),
        0,
        0,
        crate::sys::int(NI_NUMERICHOST),
        0,
    ];
    // SAFETY: an address of `len` bytes, and room as it says.
    unsafe { forward(c"getnameinfo", args) };
    CStr::from_bytes_until_nul(text).map_or(&[], CStr::to_bytes)
}

/// Runs a `_r` form into the library's own memory.
fn statically(run: impl FnOnce(&Out) -> Result<(), Failure>) -> usize {
    let (mut result, mut h_errno) = (core::ptr::null_mut(), 0);
    let out = Out {
        host: STATICS.host.get().cast(),
        buffer: STATICS.buffer.get().cast(),
        len: STATIC_LEN,
        result: &raw mut result,
        h_errno: &raw mut h_errno,
    };
    let outcome = run(&out);
    out.finish(outcome);
    if h_errno != 0 {
        set_h_errno(h_errno);
    }
    result as usize
}

/// An argument of type int.
fn number(argument: usize) -> c_int {
    crate::sys::narrow(argument.cast_signed())
}

/// gethostbyname(3)
pub(in crate::hooks::names) unsafe fn by_name(args: [usize; 8]) -> usize {
    let [name, ..] = args;
    // SAFETY: the program's own arguments.
    statically(|out| unsafe { by_name_into(name as *const c_char, AF_INET, out) })
}

/// gethostbyname2(3)
pub(in crate::hooks::names) unsafe fn by_name2(args: [usize; 8]) -> usize {
    let [name, af, ..] = args;
    // SAFETY: the program's own arguments.
    statically(|out| unsafe { by_name_into(name as *const c_char, number(af), out) })
}

/// gethostbyname_r(3)
pub(in crate::hooks::names) unsafe fn by_name_r(args: [usize; 8]) -> usize {
    let [name, host, buffer, len, result, h_errno, ..] = args;
    let af = crate::sys::int(AF_INET);
    // SAFETY: the program's own arguments.
    unsafe { by_name2_r([name, af, host, buffer, len, result, h_errno, 0]) }
}

/// gethostbyname2_r(3)
pub(in crate::hooks::names) unsafe fn by_name2_r(args: [usize; 8]) -> usize {
    let [name, af, host, buffer, len, result, h_errno, _] = args;
    let out = Out {
        host: host as *mut Hostent,
        buffer: buffer as *mut c_char,
        len,
        result: result as *mut *mut Hostent,
        h_errno: h_errno as *mut c_int,
    };
    // SAFETY: the program's own arguments.
    out.finish(unsafe { by_name_into(name as *const c_char, number(af), &out) })
}

/// gethostbyaddr(3)
pub(in crate::hooks::names) unsafe fn by_address(args: [usize; 8]) -> usize {
    let [address, len, af, ..] = args;
    let len = number(len).cast_unsigned();
    // SAFETY: the program's own arguments.
    statically(|out| unsafe { by_address_into(address as *const c_void, len, number(af), out) })
}

/// gethostbyaddr_r(3)
pub(in crate::hooks::names) unsafe fn by_address_r(args: [usize; 8]) -> usize {
    let [address, len, af, host, buffer, buffer_len, result, h_errno] = args;
    let out = Out {
        host: host as *mut Hostent,
        buffer: buffer as *mut c_char,
        len: buffer_len,
        result: result as *mut *mut Hostent,
        h_errno: h_errno as *mut c_int,
    };
    let len = number(len).cast_unsigned();
    // SAFETY: the program's own arguments.
    out.finish(unsafe { by_address_into(address as *const c_void, len, number(af), &out) })
}
