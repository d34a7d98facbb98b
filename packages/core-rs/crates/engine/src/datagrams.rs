//! Datagram sockets: real kernel sockets out of a network namespace of the service's own, whose
//! packets go through the stack's link. How and why: docs/internals/udp.md.
//!
//! The namespace holds `lo` and one TUN device with the stack's addresses. What the kernel routes to
//! the device is handed to the stack as a packet to send; what the stack finds on the link to be for
//! these sockets is written to the device. Nothing here knows what a datagram says.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use netcon_link::{Checksum, Link, TapLink, TxOffload};
use netcon_stack::Datagram;
use netcon_sys::census::Census;
use netcon_sys::netlink::ConfigureError;
use netcon_sys::netns::{InetKind, PrivateNet, Sysctl};
use netcon_sys::proc_net::InetSocket;
use netcon_sys::tap::Tap;
use netcon_sys::{diag, process, sockopt};
use netcon_wire::{Family, Mark, SocketKind};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::config::Config;
use crate::engine::Engine;
use crate::interfaces::{link_addresses, link_name};
use crate::rpc::errno::{EIO, ENOBUFS, EPROTONOSUPPORT};
use crate::rpc::{Answer, Failure};
use crate::sessions::SessionId;
use crate::show::SocketRow;

/// Packets taken from the device in one turn, as from the link.
const PACKETS: usize = 64;
/// The longest IP packet, and a byte: a full buffer means that something was cut off.
const PACKET_LEN: usize = 65_536;
/// With the default of 500, 100,000 datagrams a second drop some; with this, 400,000 do not
/// (measured by the prototype).
pub(crate) const QUEUE_LEN: u32 = 10_000;
/// Owners remembered for `show`; the oldest are forgotten first.
const OWNERS: usize = 65_536;
/// Sockets that are not worth a look at which are closed.
const FEW: usize = 256;
/// Between two looks that find nothing, for each socket looked at. Measured: a look takes 1.8 us each.
const PAUSE_MICROS: i64 = 10;
/// The device's name where the link has none.
pub(crate) const DEVICE: &str = "netcon0";

/// What a new namespace must be told; a read-only /proc/sys costs what stands behind each.
const SYSCTLS: &[Sysctl<'static>] = &[
    // The network is the user's own, as for TCP (docs/limits.md).
    (c"/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"),
    // What the stack has let in is let in.
    (c"/proc/sys/net/ipv4/conf/all/rp_filter", "0"),
    (c"/proc/sys/net/ipv4/conf/default/rp_filter", "0"),
    // The stack says from the address of the sender that a neighbour does not answer. Packets of the
    // link with such a source it does not let in.
    (c"/proc/sys/net/ipv4/conf/all/accept_local", "1"),
    // Addresses and neighbours are the stack's business.
    (c"/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1"),
    (c"/proc/sys/net/ipv6/conf/default/accept_ra", "0"),
    (c"/proc/sys/net/ipv6/conf/default/router_solicitations", "0"),
    (c"/proc/sys/net/ipv6/conf/default/accept_dad", "0"),
];

/// Why there are no datagram sockets, for people.
#[derive(Clone, Debug)]
pub(crate) struct Problem(pub(crate) String);

/// The namespace and the device in it.
#[derive(Debug)]
pub(crate) struct Datagrams {
    net: PrivateNet,
    device: TapLink,
    name: String,
    packet: Box<[u8]>,
    owners: FxHashMap<u32, Owner>,
    /// The same, oldest first.
    order: VecDeque<u32>,
    census: Census,
    /// Sockets that were open at the last look, or came since, and whose they are.
    counted: FxHashMap<u64, SessionId>,
    /// When as many are counted, those that were closed are looked for.
    recount_threshold: usize,
    /// Not before, because the last look found nothing.
    recount_at: i64,
    created: u64,
    failed: u64,
}

/// Who asked for a socket.
#[derive(Clone, Copy, Debug)]
struct Owner {
    session: SessionId,
    pid: u32,
    created_micros: i64,
}

impl Datagrams {
    /// Makes namespace and device.
    pub(crate) fn open(config: &Config, mac: [u8; 6]) -> Result<Datagrams, Problem> {
        if !config.datagrams {
            return Err(Problem("datagram sockets are turned off".to_owned()));
        }
        let census = Census::new().map_err(|e| Problem(format!("no UDP: {e}")))?;
        let mut net = PrivateNet::create(SYSCTLS).map_err(|e| no_namespace(&e))?;
        let plan = Plan::of(config, mac);
        let device = plan
            .carry_out(&mut net)
            .map_err(|e| Problem(format!("no UDP: {e}")))?;
        Ok(Datagrams {
            net,
            device: TapLink::new(device),
            name: plan.name,
            packet: vec![0; PACKET_LEN].into_boxed_slice(),
            owners: FxHashMap::default(),
            order: VecDeque::new(),
            census,
            counted: FxHashMap::default(),
            recount_threshold: FEW,
            recount_at: 0,
            created: 0,
            failed: 0,
        })
    }

    /// The device: readable when a socket has sent something.
    pub(crate) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.device.as_fd()
    }

    /// Hands a packet from the link to the kernel, which finds the socket, or says that there is none.
    pub(crate) fn deliver(&mut self, datagram: &Datagram<'_>) {
        let offload = TxOffload {
            checksum: datagram.csum.map(|csum| Checksum {
                start: csum.start,
                offset: csum.offset,
            }),
            segment: None,
        };
        if self.device.send(&offload, datagram.packet).is_err() {
            self.failed += 1;
        }
    }

    fn socket(&self, kind: InetKind) -> io::Result<OwnedFd> {
        let fd = self.net.socket(kind)?;
        sockopt::set_mark(fd.as_fd(), Mark::Datagram.pack())?;
        Ok(fd)
    }

    fn remember(&mut self, fd: BorrowedFd<'_>, owner: Owner) -> io::Result<()> {
        let inode = diag::socket_inode(fd)?;
        self.census.add(fd, self.created)?;
        self.counted.insert(self.created, owner.session);
        self.created += 1;
        self.owners.insert(inode, owner);
        self.order.push_back(inode);
        if self.order.len() > OWNERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.owners.remove(&oldest);
        }
        Ok(())
    }

    /// Sockets that count.
    pub(crate) fn counted(&self) -> usize {
        self.counted.len()
    }

    /// Forgets the sockets that nobody holds any more; gives whose they were.
    fn recount(&mut self) -> Vec<SessionId> {
        // Where it cannot be told (no /proc), none counts.
        let open: FxHashSet<u64> = self.census.open().unwrap_or_default().into_iter().collect();
        let closed = self.counted.extract_if(|name, _| !open.contains(name));
        let owners = closed.map(|(_, session)| session).collect();
        self.recount_threshold = (self.counted.len() * 2).max(FEW);
        owners
    }

    /// The device's index, as the sockets tell it.
    pub(crate) fn index(&self) -> Option<u32> {
        self.net.index(&self.name).ok()
    }

    /// Name and value.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 4] {
        let dropped = self.net.dropped_packets(&self.name);
        [
            ("datagram_sockets_made", self.created),
            ("datagrams_read", self.net.datagrams_read()),
            ("datagrams_not_delivered", self.failed),
            ("datagrams_dropped", dropped.unwrap_or(0)),
        ]
    }
}

/// What the device shall be.
struct Plan {
    name: String,
    addresses: Vec<(IpAddr, u8)>,
    mtu: u32,
    gateways: [bool; 2],
}

impl Plan {
    fn of(config: &Config, mac: [u8; 6]) -> Plan {
        let tap = config.tap.as_ref();
        Plan {
            name: link_name(config).to_owned(),
            addresses: link_addresses(config, mac),
            mtu: tap.map_or(1500, |t| t.mtu).into(),
            gateways: [
                tap.is_some() && config.gateway_v4.is_some(),
                tap.is_some() && config.gateway_v6.is_some(),
            ],
        }
    }

    fn carry_out(&self, net: &mut PrivateNet) -> Result<Tap, String> {
        let text = |e: ConfigureError| e.to_string();
        let name = &self.name;
        let device = net.tun(name).map_err(|e| format!("TUN device: {e}"))?;
        net.configure("lo", &[], None, None).map_err(text)?;
        net.configure(name, &self.addresses, Some(self.mtu), Some(QUEUE_LEN))
            .map_err(text)?;
        for (v6, wanted) in [(false, self.gateways[0]), (true, self.gateways[1])] {
            if wanted {
                net.default_route(name, v6).map_err(text)?;
            }
        }
        Ok(device)
    }
}

fn no_namespace(e: &io::Error) -> Problem {
    let remedy =
        "run the service as root, or where users may make user namespaces and open /dev/net/tun";
    Problem(format!(
        "no UDP: a network namespace cannot be made ({e}); {remedy}"
    ))
}

fn protocol(family: Family, kind: SocketKind) -> i32 {
    match (kind, family) {
        // Streams do not come here.
        (SocketKind::Stream | SocketKind::Udp, _) => 17,
        (SocketKind::UdpLite, _) => 136,
        (SocketKind::Ping, Family::Inet) => 1,
        (SocketKind::Ping, Family::Inet6) => 58,
    }
}

impl Engine {
    /// SOCKET for a datagram socket: the kernel's own, which the program uses without us from here on.
    pub(crate) fn open_datagram(
        &mut self,
        session: SessionId,
        family: Family,
        kind: SocketKind,
        nonblocking: bool,
    ) -> Result<Answer, Failure> {
        if self.datagrams.is_err() {
            self.counters.refused += 1;
            return Err(Failure(EPROTONOSUPPORT));
        }
        self.admit_socket(session)?;
        let credentials = self.sessions.get(session).ok_or(Failure(EIO))?.credentials;
        let Ok(datagrams) = &mut self.datagrams else {
            return Err(Failure(EPROTONOSUPPORT));
        };
        let fd = datagrams
            .socket(InetKind {
                v6: family == Family::Inet6,
                protocol: protocol(family, kind),
                nonblocking,
                uid: credentials.uid,
            })
            .map_err(|e| Failure(e.raw_os_error().map_or(EIO, i32::cast_unsigned)))?;
        let owner = Owner {
            session,
            pid: credentials.pid,
            created_micros: self.now_micros,
        };
        datagrams
            .remember(fd.as_fd(), owner)
            .map_err(|_| Failure(ENOBUFS))?;
        let is_many = datagrams.counted.len() >= datagrams.recount_threshold;
        if let Some(session) = self.sessions.get_mut(session) {
            session.sockets += 1;
        }
        if is_many {
            self.recount_datagrams();
        }
        Ok(Answer::Datagram(fd))
    }

    /// Datagram sockets are closed without a word to the service: takes those off the count.
    pub(crate) fn recount_datagrams(&mut self) {
        let Ok(datagrams) = &mut self.datagrams else {
            return;
        };
        if self.now_micros < datagrams.recount_at || datagrams.counted.is_empty() {
            return;
        }
        let closed = datagrams.recount();
        if closed.is_empty() {
            // A program at its limit may ask for ever.
            let count = i64::try_from(datagrams.counted.len()).unwrap_or(i64::MAX);
            let pause = count.saturating_mul(PAUSE_MICROS);
            datagrams.recount_at = self.now_micros.saturating_add(pause);
        }
        for session in closed {
            if let Some(session) = self.sessions.get_mut(session) {
                session.sockets = session.sockets.saturating_sub(1);
            }
        }
    }

    /// What sockets have sent goes to the stack. What is left makes the device ready again.
    pub(crate) fn take_datagrams(&mut self) {
        let Ok(datagrams) = &mut self.datagrams else {
            return;
        };
        for _ in 0..PACKETS {
            match datagrams.device.recv(&mut datagrams.packet) {
                Ok(Some((_, len))) => {
                    if let Some(packet) = datagrams.packet.get(..len) {
                        self.stack.send_datagram(packet);
                    }
                }
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// What the stack has to say of packets that it could not send.
    pub(crate) fn deliver_refusals(&mut self) {
        while let Some(packet) = self.stack.poll_datagram() {
            if let Ok(datagrams) = &mut self.datagrams {
                datagrams.deliver(&Datagram {
                    packet: &packet,
                    csum: None,
                });
            }
        }
    }

    pub(crate) fn datagram_rows(&self) -> Vec<SocketRow> {
        let Ok(datagrams) = &self.datagrams else {
            return Vec::new();
        };
        let row = |socket: InetSocket| {
            let owner = datagrams.owners.get(&socket.inode);
            let session = owner.and_then(|o| self.sessions.get(o.session));
            let pid = owner.map_or(0, |o| o.pid);
            SocketRow {
                shortcut: false,
                id: u32::MAX,
                protocol: socket.protocol,
                family: if socket.local.is_ipv4() { 4 } else { 6 },
                state: if socket.connected {
                    "ESTABLISHED"
                } else {
                    "UNCONN"
                }
                .to_owned(),
                local: socket.local.to_string(),
                peer: if socket.connected {
                    socket.peer.to_string()
                } else {
                    String::new()
                },
                recv_queue: socket.recv_queue,
                send_queue: socket.send_queue,
                session: owner.map_or(0, |o| o.session.0),
                pid,
                program: process::program(pid)
                    .or_else(|| session.map(|s| s.program.clone()))
                    .unwrap_or_default(),
                uid: socket.uid,
                age_micros: owner.map_or(0, |o| self.now_micros - o.created_micros),
                sender: None,
                rx_bytes: 0,
                tx_bytes: 0,
            }
        };
        datagrams.net.sockets().into_iter().map(row).collect()
    }
}
