//! A network namespace of the service's own, in which it makes sockets for its programs
//! (network_namespaces(7), user_namespaces(7)).
//!
//! A socket belongs to the namespace of the task that makes it. With CAP_SYS_ADMIN that task is a
//! thread of ours; without, it is a child process, since only a process with one thread may enter a
//! new user namespace. Either lives there and makes sockets on request; the rest is done from outside
//! by what it has opened at its start.

mod child;
mod thread;

use std::cell::RefCell;
use std::ffi::CStr;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::call::check;
use crate::netlink::{self, ConfigureError, NetlinkSocket};
use crate::proc_net::{self, InetSocket};
use crate::tap::{Tap, TapError};
use child::Child;
use thread::Thread;

/// A variable under /proc/sys and its value.
pub type Sysctl<'a> = (&'a CStr, &'a str);

/// A network namespace. It ends with this and the sockets made in it.
#[derive(Debug)]
pub struct PrivateNet {
    maker: Maker,
    route: RefCell<NetlinkSocket>,
    device: Option<OwnedFd>,
    /// The directory in /proc of the task inside.
    task: String,
}

#[derive(Debug)]
enum Maker {
    Thread(Thread),
    Child(Child),
}

/// What the task inside opens before anything else.
#[derive(Debug)]
struct Opened {
    /// `/dev/net/tun`: an interface is made where this was opened (tun_chr_open).
    device: OwnedFd,
    /// A route netlink socket.
    route: OwnedFd,
}

/// What kind of Internet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetKind {
    /// `AF_INET6` rather than `AF_INET`.
    pub v6: bool,
    /// `IPPROTO_*` of a `SOCK_DGRAM` socket.
    pub protocol: i32,
    /// Created with `O_NONBLOCK`.
    pub nonblocking: bool,
    /// Whose it shall be, where we have the right: SO_REUSEPORT lets only sockets of one user share
    /// a port.
    pub uid: u32,
}

impl PrivateNet {
    /// Makes one: by CAP_SYS_ADMIN, else inside a user namespace. Variables that cannot be set
    /// (read-only in many containers) keep the kernel's default.
    ///
    /// # Errors
    ///
    /// `EPERM` or `ENOSPC` where neither is allowed; `ENOENT` or `EACCES` for `/dev/net/tun`.
    pub fn create(sysctls: &[Sysctl<'_>]) -> io::Result<PrivateNet> {
        let (maker, opened, task) = match Thread::start(sysctls) {
            Ok((thread, opened, task)) => (Maker::Thread(thread), opened, task),
            Err(e) if e.raw_os_error() == Some(libc::EPERM) => {
                let (child, opened, task) = Child::start(sysctls)?;
                (Maker::Child(child), opened, task)
            }
            Err(e) => return Err(e),
        };
        Ok(PrivateNet {
            maker,
            route: RefCell::new(NetlinkSocket::over(opened.route)?),
            device: Some(opened.device),
            task,
        })
    }

    /// Makes the one TUN device, without offload.
    ///
    /// # Errors
    ///
    /// See [`TapError`]; `Busy` for a second one.
    pub fn tun(&mut self, name: &str) -> Result<Tap, TapError> {
        Tap::over_tun(self.device.take().ok_or(TapError::Busy)?, name)
    }

    /// [`netlink::configure`] inside. The addresses can be used when it returns.
    ///
    /// # Errors
    ///
    /// See [`ConfigureError`].
    pub fn configure(
        &self,
        name: &str,
        addresses: &[(IpAddr, u8)],
        mtu: Option<u32>,
        txqueuelen: Option<u32>,
    ) -> Result<(), ConfigureError> {
        let route = &mut self.route.borrow_mut();
        netlink::configure_by(route, name, addresses, mtu, txqueuelen)?;
        self.await_addresses(addresses);
        Ok(())
    }

    /// The kernel makes an IPv6 address its own by a work queue (addrconf_dad_work), also without
    /// duplicate address detection. Until then a packet to it leaves by the device and is lost. An
    /// address that does not come is not worth more than a moment.
    fn await_addresses(&self, addresses: &[(IpAddr, u8)]) {
        const MOMENT: Duration = Duration::from_secs(5);
        let end = Instant::now() + MOMENT;
        let is_there = |own: &[Ipv6Addr], ip: &IpAddr| match ip {
            IpAddr::V4(_) => true,
            IpAddr::V6(ip) => own.contains(ip),
        };
        loop {
            let own = proc_net::own_addresses(&self.task);
            if addresses.iter().all(|(ip, _)| is_there(&own, ip)) || Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Makes the interface the way to all addresses of a family that no other route knows.
    ///
    /// # Errors
    ///
    /// See [`ConfigureError`].
    pub fn default_route(&self, name: &str, v6: bool) -> Result<(), ConfigureError> {
        netlink::default_route(&mut self.route.borrow_mut(), name, v6)
    }

    /// The interface's index inside.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no such interface.
    pub fn index(&self, name: &str) -> io::Result<u32> {
        netlink::index(&mut self.route.borrow_mut(), name)
    }

    /// Packets that the interface's queue had no room for.
    ///
    /// # Errors
    ///
    /// `ENODEV` if there is no such interface.
    pub fn dropped_packets(&self, name: &str) -> io::Result<u64> {
        netlink::dropped_packets(&mut self.route.borrow_mut(), name)
    }

    /// The datagram sockets inside that are bound.
    #[must_use]
    pub fn sockets(&self) -> Vec<InetSocket> {
        proc_net::datagram_sockets(&self.task)
    }

    /// UDP datagrams that programs have read from sockets inside.
    #[must_use]
    pub fn datagrams_read(&self) -> u64 {
        proc_net::datagrams_read(&self.task)
    }

    /// socket(2) inside: a datagram socket, close-on-exec.
    ///
    /// # Errors
    ///
    /// As socket(2): `EPROTONOSUPPORT`, `EAFNOSUPPORT`, `EMFILE`, `ENOBUFS`.
    pub fn socket(&self, kind: InetKind) -> io::Result<OwnedFd> {
        match &self.maker {
            Maker::Thread(thread) => thread.socket(kind),
            Maker::Child(child) => child.socket(kind),
        }
    }
}

/// The arguments of socket(2).
fn arguments(kind: InetKind) -> (i32, i32, i32) {
    let family = if kind.v6 {
        libc::AF_INET6
    } else {
        libc::AF_INET
    };
    let nonblock = if kind.nonblocking {
        libc::SOCK_NONBLOCK
    } else {
        0
    };
    let flags = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | nonblock;
    (family, flags, kind.protocol)
}

// Both allocate nothing, so that the child may call them.

fn open(path: &CStr) -> io::Result<OwnedFd> {
    let flags = libc::O_RDWR | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: open(2) with a NUL-terminated path.
    let fd = check(unsafe { libc::open(path.as_ptr(), flags) })?;
    // SAFETY: open(2) returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn make(family: i32, flags: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: socket(2) takes no pointer.
    let fd = check(unsafe { libc::socket(family, flags | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: socket(2) returned a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

const PING_GROUPS: &CStr = c"/proc/sys/net/ipv4/ping_group_range";

#[cfg(test)]
mod tests;
