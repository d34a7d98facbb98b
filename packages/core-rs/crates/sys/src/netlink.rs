//! Interfaces and their addresses, by rtnetlink(7).
//!
//! Only what a tap needs: bring it up, give it addresses, ask what it has.

mod message;
mod route;
mod socket;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use message::{Request, attributes, u32_at};
pub(crate) use route::{default_route, dropped_packets};
pub(crate) use socket::NetlinkSocket;

/// What was being done when [`configure`] failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Opening the netlink socket.
    Open,
    /// Looking the interface up.
    Find,
    /// Setting MTU and queue length, and bringing it up.
    SetLink,
    /// Reading the addresses it has.
    ListAddresses,
    /// Giving it this address.
    AddAddress(IpAddr),
    /// Making it the way to everywhere else.
    AddRoute,
}

/// Why an interface is not as asked.
#[derive(Debug)]
pub struct ConfigureError {
    /// What was being done.
    pub step: Step,
    /// What the kernel answered. `EPERM`: only root of the network namespace may.
    pub cause: io::Error,
}

impl ConfigureError {
    /// The caller lacks the right; somebody who has it can do it beforehand.
    #[must_use]
    pub fn denied(&self) -> bool {
        matches!(self.cause.raw_os_error(), Some(libc::EPERM | libc::EACCES))
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::Open => write!(f, "open a netlink socket: {}", self.cause),
            Step::Find => write!(f, "find the interface: {}", self.cause),
            Step::SetLink => write!(f, "bring the interface up: {}", self.cause),
            Step::ListAddresses => write!(f, "list the addresses: {}", self.cause),
            Step::AddAddress(ip) => write!(f, "add the address {ip}: {}", self.cause),
            Step::AddRoute => write!(f, "add the default route: {}", self.cause),
        }
    }
}

impl std::error::Error for ConfigureError {}

/// Gives `name` the addresses (with prefix lengths) it lacks, sets MTU and queue length, brings it up.
///
/// What is already as asked is not touched, so that an ordinary user can use a persistent tap that
/// root has configured. The queue length is a wish: to be refused it alone is no error.
///
/// # Errors
///
/// See [`ConfigureError`].
pub fn configure(
    name: &str,
    addresses: &[(IpAddr, u8)],
    mtu: Option<u32>,
    txqueuelen: Option<u32>,
) -> Result<(), ConfigureError> {
    let open = |cause| ConfigureError {
        step: Step::Open,
        cause,
    };
    let mut socket = NetlinkSocket::open(libc::NETLINK_ROUTE).map_err(open)?;
    configure_by(&mut socket, name, addresses, mtu, txqueuelen)
}

/// [`configure`] by a socket that may be of another network namespace.
pub(crate) fn configure_by(
    socket: &mut NetlinkSocket,
    name: &str,
    addresses: &[(IpAddr, u8)],
    mtu: Option<u32>,
    txqueuelen: Option<u32>,
) -> Result<(), ConfigureError> {
    let at = |step| move |cause| ConfigureError { step, cause };
    let link = find(socket, name).map_err(at(Step::Find))?;
    let good = link.up && mtu.is_none_or(|m| m == link.mtu);
    if (!good || txqueuelen.is_some_and(|n| n != link.txqueuelen))
        && let Err(cause) = set_link(socket, link.index, mtu, txqueuelen)
        && !(good && cause.raw_os_error() == Some(libc::EPERM))
    {
        return Err(at(Step::SetLink)(cause));
    }
    let present = addresses_of(socket, link.index).map_err(at(Step::ListAddresses))?;
    for &(ip, prefix) in addresses {
        if present.contains(&(ip, prefix)) {
            continue;
        }
        match add_address(socket, link.index, ip, prefix) {
            // Lost a race against somebody who added the same.
            Err(e) if e.raw_os_error() == Some(libc::EEXIST) => {}
            result => result.map_err(at(Step::AddAddress(ip)))?,
        }
    }
    Ok(())
}

/// Whether the interface `name` has the address `ip`, whatever its prefix length.
///
/// # Errors
///
/// `ENODEV` if there is no such interface; whatever socket(2) gives.
pub fn address_present(name: &str, ip: IpAddr) -> io::Result<bool> {
    let mut socket = NetlinkSocket::open(libc::NETLINK_ROUTE)?;
    let link = find(&mut socket, name)?;
    let all = addresses_of(&mut socket, link.index)?;
    Ok(all.iter().any(|&(have, _)| have == ip))
}

/// The hardware address of the interface `name`.
///
/// # Errors
///
/// `ENODEV` if there is no such interface; `EADDRNOTAVAIL` if it has no Ethernet address.
pub fn link_mac(name: &str) -> io::Result<[u8; 6]> {
    let mut socket = NetlinkSocket::open(libc::NETLINK_ROUTE)?;
    let link = find(&mut socket, name)?;
    link.mac
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EADDRNOTAVAIL))
}

/// The index of the interface `name`.
pub(crate) fn index(socket: &mut NetlinkSocket, name: &str) -> io::Result<u32> {
    find(socket, name).map(|link| link.index)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct LinkState {
    index: u32,
    up: bool,
    mtu: u32,
    txqueuelen: u32,
    mac: Option<[u8; 6]>,
}

fn find(socket: &mut NetlinkSocket, name: &str) -> io::Result<LinkState> {
    let mut request = Request::new(libc::RTM_GETLINK, 0, &link_header(0, 0, 0));
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    request.attribute(libc::IFLA_IFNAME, &text);
    let mut found = None;
    socket.ask(request, &mut |kind, body| {
        if kind == libc::RTM_NEWLINK {
            found = link_state(body);
        }
    })?;
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
}

fn set_link(
    socket: &mut NetlinkSocket,
    index: u32,
    mtu: Option<u32>,
    txqueuelen: Option<u32>,
) -> io::Result<()> {
    let up = libc::IFF_UP.cast_unsigned();
    let mut request = Request::new(libc::RTM_NEWLINK, 0, &link_header(index, up, up));
    if let Some(mtu) = mtu {
        request.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
    }
    if let Some(len) = txqueuelen {
        request.attribute(libc::IFLA_TXQLEN, &len.to_ne_bytes());
    }
    socket.ask(request, &mut |_, _| {})
}

fn addresses_of(socket: &mut NetlinkSocket, index: u32) -> io::Result<Vec<(IpAddr, u8)>> {
    // AF_UNSPEC: of every family. The index in a dump request is no filter: filter here.
    let request = Request::dump(libc::RTM_GETADDR, &address_header(0, 0, 0, 0));
    let mut all = Vec::new();
    socket.ask(request, &mut |kind, body| {
        if kind == libc::RTM_NEWADDR
            && u32_at(body, 4) == Some(index)
            && let Some(address) = interface_address(body)
        {
            all.push(address);
        }
    })?;
    Ok(all)
}

fn add_address(socket: &mut NetlinkSocket, index: u32, ip: IpAddr, prefix: u8) -> io::Result<()> {
    let create = u16_of(libc::NLM_F_CREATE | libc::NLM_F_EXCL);
    let request = match ip {
        IpAddr::V4(ip) => {
            let header = address_header(libc::AF_INET, prefix, 0, index);
            let mut request = Request::new(libc::RTM_NEWADDR, create, &header);
            request.attribute(libc::IFA_LOCAL, &ip.octets());
            request.attribute(libc::IFA_ADDRESS, &ip.octets());
            if prefix < 31 {
                let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                let broadcast = ip.to_bits() | hosts;
                request.attribute(libc::IFA_BROADCAST, &broadcast.to_be_bytes());
            }
            request
        }
        IpAddr::V6(ip) => {
            // No duplicate address detection: the only neighbour is the stack, and for a second
            // the address could not be bound.
            let nodad = libc::IFA_F_NODAD;
            let byte = u8::try_from(nodad).unwrap_or_default();
            let header = address_header(libc::AF_INET6, prefix, byte, index);
            let mut request = Request::new(libc::RTM_NEWADDR, create, &header);
            request.attribute(libc::IFA_LOCAL, &ip.octets());
            request.attribute(libc::IFA_ADDRESS, &ip.octets());
            request
        }
    };
    socket.ask(request, &mut |_, _| {})
}

/// `struct ifinfomsg` (rtnetlink(7)).
fn link_header(index: u32, flags: u32, change: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&change.to_ne_bytes());
    header
}

/// `struct ifaddrmsg` (rtnetlink(7)), with scope universe.
fn address_header(family: libc::c_int, prefix: u8, flags: u8, index: u32) -> [u8; 8] {
    let mut header = [0; 8];
    header[0] = u8::try_from(family).unwrap_or_default();
    header[1] = prefix;
    header[2] = flags;
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header
}

fn link_state(body: &[u8]) -> Option<LinkState> {
    let flags = u32_at(body, 8)?;
    let mut state = LinkState {
        index: u32_at(body, 4)?,
        up: flags & libc::IFF_UP.cast_unsigned() != 0,
        ..LinkState::default()
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            libc::IFLA_MTU => state.mtu = u32_at(value, 0)?,
            libc::IFLA_TXQLEN => state.txqueuelen = u32_at(value, 0)?,
            libc::IFLA_ADDRESS => state.mac = value.try_into().ok(),
            _ => {}
        }
    }
    Some(state)
}

fn interface_address(body: &[u8]) -> Option<(IpAddr, u8)> {
    let prefix = *body.get(1)?;
    let mut peer = None;
    let mut local = None;
    for (kind, value) in attributes(body.get(8..)?) {
        match kind {
            libc::IFA_LOCAL => local = ip_of(value),
            libc::IFA_ADDRESS => peer = ip_of(value),
            _ => {}
        }
    }
    // On a point-to-point interface IFA_ADDRESS is the other side; IPv6 often has no IFA_LOCAL.
    Some((local.or(peer)?, prefix))
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    let sixteen = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(sixteen).into())
}

pub(crate) fn u16_of(flags: libc::c_int) -> u16 {
    // Netlink's flags are 16 bits wide; libc types the constants as int.
    u16::try_from(flags).unwrap_or_default()
}

#[cfg(test)]
mod tests;
