//! netdevice(7) on netcon's sockets.

use core::ffi::{c_int, c_void};
use core::net::IpAddr;

use netcon_wire::{Family, Interface, Mark};

use super::{List, broadcast, mask_v4};
use crate::detour::{Detour, Reason};
use crate::errno::Errno;
use crate::{abi, identity, user};

/// `sizeof(struct ifreq)`, and where its union begins.
const REQUEST: usize = 40;
const VALUE: usize = 16;
/// `sizeof(struct ifconf)`: a length, padding, a pointer.
const CONF: usize = 16;

/// linux/sockios.h.
const SIOCADDRT: u32 = 0x890b;
const SIOCRTMSG: u32 = 0x890d;
const SIOCGIFNAME: u32 = 0x8910;
const SIOCGIFCONF: u32 = 0x8912;
const SIOCGIFFLAGS: u32 = 0x8913;
const SIOCGIFADDR: u32 = 0x8915;
const SIOCGIFDSTADDR: u32 = 0x8917;
const SIOCGIFBRDADDR: u32 = 0x8919;
const SIOCGIFNETMASK: u32 = 0x891b;
const SIOCGIFMETRIC: u32 = 0x891d;
const SIOCGIFMEM: u32 = 0x891f;
const SIOCGIFMTU: u32 = 0x8921;
const SIOCGIFENCAP: u32 = 0x8925;
const SIOCGIFHWADDR: u32 = 0x8927;
const SIOCGIFSLAVE: u32 = 0x8929;
const SIOCGIFINDEX: u32 = 0x8933;
const SIOCGIFPFLAGS: u32 = 0x8935;
const SIOCGIFCOUNT: u32 = 0x8938;
const SIOCGIFBR: u32 = 0x8940;
const SIOCGIFTXQLEN: u32 = 0x8942;
const SIOCETHTOOL: u32 = 0x8946;
const SIOCSMIIREG: u32 = 0x8949;
const SIOCGIFMAP: u32 = 0x8970;
const SIOCSIFMAP: u32 = 0x8971;

/// Whether a request is about interfaces or routes.
pub(crate) fn is_about_interfaces(request: u32) -> bool {
    matches!(
        request,
        SIOCADDRT..=SIOCRTMSG | SIOCGIFNAME..=SIOCSMIIREG | SIOCGIFMAP | SIOCSIFMAP
    )
}

/// ioctl(2) with a request about interfaces.
///
/// # Safety
/// `arg` is what the program passed with that request.
pub(crate) unsafe fn ioctl(fd: c_int, request: u32, arg: usize) -> Detour<c_int> {
    let family = match identity::mark(fd) {
        Some(Mark::Socket { family, .. }) => family,
        Some(Mark::Datagram) => {
            let domain = crate::sys::getsockopt::<c_int>(fd, abi::SOL_SOCKET, abi::SO_DOMAIN);
            if domain == Ok(c_int::from(Family::Inet6.raw())) {
                Family::Inet6
            } else {
                Family::Inet
            }
        }
        Some(Mark::Channel { .. }) | None => return Detour::Bypass(Reason::NotOurs),
    };
    // SAFETY: the caller's contract.
    unsafe { answer(family, request, arg as *mut c_void) }.into()
}

unsafe fn answer(family: Family, request: u32, arg: *mut c_void) -> Result<c_int, Errno> {
    match request {
        SIOCGIFCONF => {
            // SAFETY: the caller's contract.
            let conf = unsafe { user::read::<CONF>(arg, CONF) }?;
            // SAFETY: as above; the pointer in it is the program's, too.
            return unsafe { list(&conf, arg) };
        }
        SIOCADDRT..=SIOCRTMSG => return Err(Errno::EPERM),
        _ => {}
    }
    // SAFETY: the caller's contract.
    let mut bytes = unsafe { user::read::<REQUEST>(arg, REQUEST) }?;
    get(family, request, &mut bytes)?;
    // SAFETY: as above.
    unsafe { user::write(arg, &bytes) }?;
    Ok(0)
}

/// Fills the answer into a `struct ifreq`.
fn get(family: Family, request: u32, bytes: &mut [u8; REQUEST]) -> Result<(), Errno> {
    if request == SIOCGIFPFLAGS && family == Family::Inet {
        // Passed on to devinet_ioctl(), which does not know it.
        return Err(Errno::EINVAL);
    }
    let supported = match request {
        SIOCGIFADDR | SIOCGIFDSTADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK => family == Family::Inet,
        SIOCGIFNAME | SIOCGIFFLAGS | SIOCGIFMETRIC | SIOCGIFMTU | SIOCGIFHWADDR | SIOCGIFINDEX
        | SIOCGIFTXQLEN | SIOCGIFMAP | SIOCGIFSLAVE | SIOCETHTOOL => true,
        SIOCGIFMEM | SIOCGIFENCAP | SIOCGIFPFLAGS | SIOCGIFCOUNT | SIOCGIFBR => false,
        // Whatever changes something: the network is the service's.
        _ => return Err(Errno::EPERM),
    };
    if !supported {
        return Err(Errno::ENOTTY);
    }
    let list = List::ask()?;
    if request == SIOCGIFNAME {
        let index = int_at(bytes, VALUE);
        let interface = list.at(index).ok_or(Errno::ENODEV)?;
        put(bytes, 0, &interface.name);
        return Ok(());
    }
    let name = bytes.get(..VALUE - 1).unwrap_or(&[]);
    let name = name.split(|&byte| byte == 0).next().unwrap_or(&[]);
    // dev_ioctl() (net/core/dev_ioctl.c): what follows a colon is an alias.
    let device = name.split(|&byte| byte == b':').next().unwrap_or(&[]);
    let interface = *list.named(device).ok_or(Errno::ENODEV)?;
    let is_alias = device.len() != name.len();
    value(request, &interface, is_alias, bytes)
}

fn value(
    request: u32,
    interface: &Interface,
    is_alias: bool,
    bytes: &mut [u8; REQUEST],
) -> Result<(), Errno> {
    let number = match request {
        SIOCGIFFLAGS => {
            // A short: the kernel's further flags are cut off.
            let [low, high, ..] = interface.flags.to_ne_bytes();
            put(bytes, VALUE, &[low, high]);
            return Ok(());
        }
        SIOCGIFHWADDR => {
            put(bytes, VALUE, &interface.hardware.to_ne_bytes());
            put(bytes, VALUE + 2, &interface.mac);
            return Ok(());
        }
        SIOCGIFMAP => {
            // `struct ifmap` without its padding.
            put(bytes, VALUE, &[0; 21]);
            return Ok(());
        }
        SIOCGIFMETRIC => 0,
        SIOCGIFMTU => interface.mtu,
        SIOCGIFINDEX => interface.index,
        SIOCGIFTXQLEN => interface.queue,
        // No bonding, and no driver that ethtool(8) could ask.
        SIOCGIFSLAVE => return Err(Errno::EINVAL),
        SIOCETHTOOL => return Err(Errno::EOPNOTSUPP),
        _ => return address(request, interface, is_alias, bytes),
    };
    put(bytes, VALUE, &number.to_ne_bytes());
    Ok(())
}

/// devinet_ioctl() (net/ipv4/devinet.c): the address named beside the interface, else its first.
fn address(
    request: u32,
    interface: &Interface,
    is_alias: bool,
    bytes: &mut [u8; REQUEST],
) -> Result<(), Errno> {
    let mut all = addresses_v4(interface);
    let first = all.next();
    let asked = is_inet(bytes).then(|| octets_at(bytes, VALUE + 4));
    let named = first
        .into_iter()
        .chain(all)
        .find(|(ip, _)| asked == Some(*ip));
    // Addresses have no labels of their own here.
    let (ip, prefix) = named
        .or(first)
        .filter(|_| !is_alias)
        .ok_or(Errno::EADDRNOTAVAIL)?;
    let shown = match request {
        SIOCGIFBRDADDR => broadcast(interface, ip, prefix).unwrap_or([0; 4]),
        SIOCGIFNETMASK => mask_v4(prefix),
        _ => ip,
    };
    put(bytes, VALUE, &sockaddr(shown));
    Ok(())
}

/// `SIOCGIFCONF`: the IPv4 addresses, as many as the buffer has room for; without one, the room they
/// need (inet_gifconf, net/ipv4/devinet.c).
unsafe fn list(conf: &[u8; CONF], arg: *mut c_void) -> Result<c_int, Errno> {
    let room = usize::try_from(int_at(conf, 0)).unwrap_or(0);
    let target = conf
        .last_chunk::<8>()
        .map_or(0, |p| usize::from_ne_bytes(*p));
    let interfaces = List::ask()?;
    let mut total = 0;
    for interface in interfaces.iter() {
        for (ip, _) in addresses_v4(interface) {
            if target != 0 {
                if room < total + REQUEST {
                    break;
                }
                let mut entry = [0; REQUEST];
                put(&mut entry, 0, &interface.name);
                put(&mut entry, VALUE, &sockaddr(ip));
                let slot = target.checked_add(total).ok_or(Errno::EFAULT)?;
                // SAFETY: the program's buffer, within the length it gave.
                unsafe { user::write(slot as *mut c_void, &entry) }?;
            }
            total += REQUEST;
        }
    }
    let total = c_int::try_from(total).unwrap_or(0);
    // SAFETY: the caller's contract.
    unsafe { user::write(arg, &total.to_ne_bytes()) }?;
    Ok(0)
}

/// The IPv4 addresses with their prefix lengths.
pub(super) fn addresses_v4(interface: &Interface) -> impl Iterator<Item = ([u8; 4], u8)> {
    interface
        .addresses()
        .iter()
        .filter_map(|address| match address.addr.ip {
            IpAddr::V4(ip) => Some((ip.octets(), address.prefix)),
            IpAddr::V6(_) => None,
        })
}

/// `struct sockaddr_in` without a port.
fn sockaddr(ip: [u8; 4]) -> [u8; 16] {
    let mut out = [0; 16];
    put(&mut out, 0, &Family::Inet.raw().to_ne_bytes());
    put(&mut out, 4, &ip);
    out
}

fn is_inet(bytes: &[u8]) -> bool {
    bytes.get(VALUE..VALUE + 2) == Some(&Family::Inet.raw().to_ne_bytes()[..])
}

fn octets_at(bytes: &[u8], at: usize) -> [u8; 4] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; 4])
}

fn int_at(bytes: &[u8], at: usize) -> c_int {
    c_int::from_ne_bytes(octets_at(bytes, at))
}

fn put(out: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in out.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}
