//! Socket options that AF_UNIX does not have or does not mean: stored, with Linux's defaults,
//! ranges and errnos, and handed to the stack where they have an effect.
//!
//! Sources: socket(7), tcp(7), ip(7), ipv6(7) and, for ranges, net/ipv4/tcp.c and ip_sockglue.c.

use netcon_stack::{Algorithm, Duration, KeepAlive, PcbOptions};
use netcon_wire::Family;

use crate::options::level::{IP, IPV6, SOCKET, TCP};

/// Levels, from include/linux/socket.h.
pub(crate) mod level {
    pub(crate) const IP: i32 = 0;
    pub(crate) const SOCKET: i32 = 1;
    pub(crate) const TCP: i32 = 6;
    pub(crate) const IPV6: i32 = 41;
}

pub(crate) const SO_REUSEADDR: i32 = 2;
pub(crate) const SO_ERROR: i32 = 4;
const SO_SNDBUF: i32 = 7;
const SO_RCVBUF: i32 = 8;
const SO_KEEPALIVE: i32 = 9;
const SO_OOBINLINE: i32 = 10;
const SO_LINGER: i32 = 13;
const SO_REUSEPORT: i32 = 15;
const SO_RCVLOWAT: i32 = 18;
const SO_RCVTIMEO: i32 = 20;
const SO_SNDTIMEO: i32 = 21;
const SO_BINDTODEVICE: i32 = 25;
const SO_RCVTIMEO_NEW: i32 = 66;
const SO_SNDTIMEO_NEW: i32 = 67;
const TCP_NODELAY: i32 = 1;
const TCP_MAXSEG: i32 = 2;
const TCP_CORK: i32 = 3;
const TCP_KEEPIDLE: i32 = 4;
const TCP_KEEPINTVL: i32 = 5;
const TCP_KEEPCNT: i32 = 6;
pub(crate) const TCP_INFO: i32 = 11;
const TCP_CONGESTION: i32 = 13;
const TCP_USER_TIMEOUT: i32 = 18;
const IP_TTL: i32 = 2;
const IP_OPTIONS: i32 = 4;
const IP_MTU: i32 = 14;
const IPV6_V6ONLY: i32 = 26;

const ENOPROTOOPT: u32 = 92;
const EOPNOTSUPP: u32 = 95;
const EINVAL: u32 = 22;
const EPERM: u32 = 1;
const ENOTCONN: u32 = 107;
const ENOENT: u32 = 2;

/// An int option: where, its default, its range, and how a value outside the range is met.
struct Int {
    level: i32,
    name: i32,
    default: i32,
    min: i32,
    max: i32,
    bad: Bad,
}

enum Bad {
    /// Any value; stored as 0 or 1.
    Bool,
    Refuse,
    Clamp,
}

const fn flag(level: i32, name: i32, default: i32) -> Int {
    Int {
        level,
        name,
        default,
        min: 0,
        max: 1,
        bad: Bad::Bool,
    }
}

const fn int(level: i32, name: i32, default: i32, min: i32, max: i32) -> Int {
    Int {
        level,
        name,
        default,
        min,
        max,
        bad: Bad::Refuse,
    }
}

const INTS: &[Int] = &[
    flag(SOCKET, SO_REUSEADDR, 0),
    flag(SOCKET, 5, 0), // SO_DONTROUTE
    flag(SOCKET, 6, 0), // SO_BROADCAST
    flag(SOCKET, SO_KEEPALIVE, 0),
    flag(SOCKET, SO_OOBINLINE, 0),
    int(SOCKET, 12, 0, 0, 6), // SO_PRIORITY
    flag(SOCKET, SO_REUSEPORT, 0),
    Int {
        level: SOCKET,
        name: SO_RCVLOWAT,
        default: 1,
        min: 1,
        max: i32::MAX,
        bad: Bad::Clamp,
    },
    flag(SOCKET, 29, 0),             // SO_TIMESTAMP
    int(SOCKET, 46, 0, 0, i32::MAX), // SO_BUSY_POLL
    flag(TCP, TCP_NODELAY, 0),
    flag(TCP, TCP_CORK, 0),
    int(TCP, TCP_KEEPIDLE, 7200, 1, 32767),
    int(TCP, TCP_KEEPINTVL, 75, 1, 32767),
    int(TCP, TCP_KEEPCNT, 9, 1, 127),
    int(TCP, 7, 6, 1, 127), // TCP_SYNCNT
    Int {
        level: TCP,
        name: 8,
        default: 60,
        min: -1,
        max: 120,
        bad: Bad::Clamp,
    }, // TCP_LINGER2
    Int {
        level: TCP,
        name: 9,
        default: 0,
        min: 0,
        max: i32::MAX,
        bad: Bad::Clamp,
    }, // TCP_DEFER_ACCEPT
    Int {
        level: TCP,
        name: 10,
        default: 0,
        min: 0,
        max: i32::MAX,
        bad: Bad::Clamp,
    }, // TCP_WINDOW_CLAMP
    flag(TCP, 12, 1),       // TCP_QUICKACK
    flag(TCP, 16, 0),       // TCP_THIN_LINEAR_TIMEOUTS
    int(TCP, TCP_USER_TIMEOUT, 0, 0, i32::MAX),
    int(TCP, 23, 0, 0, i32::MAX), // TCP_FASTOPEN
    Int {
        level: TCP,
        name: 25,
        default: 0,
        min: i32::MIN,
        max: i32::MAX,
        bad: Bad::Refuse,
    }, // TCP_NOTSENT_LOWAT
    flag(TCP, 30, 0),             // TCP_FASTOPEN_CONNECT
    Int {
        level: IP,
        name: 1,
        default: 0,
        min: 0,
        max: 255,
        bad: Bad::Clamp,
    }, // IP_TOS
    int(IP, IP_TTL, 64, 1, 255),
    flag(IP, 6, 0),             // IP_RECVOPTS
    flag(IP, 8, 0),             // IP_PKTINFO
    int(IP, 10, 1, 0, 5),       // IP_MTU_DISCOVER
    flag(IP, 11, 0),            // IP_RECVERR
    flag(IP, 12, 0),            // IP_RECVTTL
    flag(IP, 13, 0),            // IP_RECVTOS
    flag(IP, 15, 0),            // IP_FREEBIND
    int(IP, 21, 0, 0, 255),     // IP_MINTTL
    flag(IP, 24, 0),            // IP_BIND_ADDRESS_NO_PORT
    int(IPV6, 16, 64, -1, 255), // IPV6_UNICAST_HOPS
    int(IPV6, 23, 1, 0, 5),     // IPV6_MTU_DISCOVER
    flag(IPV6, 25, 0),          // IPV6_RECVERR
    flag(IPV6, IPV6_V6ONLY, 0),
    flag(IPV6, 49, 0),         // IPV6_RECVPKTINFO
    flag(IPV6, 51, 0),         // IPV6_RECVHOPLIMIT
    flag(IPV6, 66, 0),         // IPV6_RECVTCLASS
    int(IPV6, 67, 0, -1, 255), // IPV6_TCLASS
    flag(IPV6, 70, 1),         // IPV6_AUTOFLOWLABEL
    flag(IPV6, 78, 0),         // IPV6_FREEBIND
];

/// Facts about a socket that some options report.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) connected: bool,
    pub(crate) mss: u16,
    pub(crate) mtu: u16,
    /// The algorithm at work, or the stack's.
    pub(crate) congestion: Algorithm,
}

/// The options of one socket: those that differ from the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    ints: Vec<(u8, i32)>,
    linger: Option<(i32, i32)>,
    device: Option<Vec<u8>>,
    send_buffer: Option<i32>,
    receive_buffer: Option<i32>,
    timeouts: bool,
    maxseg: i32,
    congestion: Option<Algorithm>,
}

impl Options {
    /// setsockopt(2); the errno if it is refused. `fresh`: neither bound nor connected.
    pub(crate) fn set(
        &mut self,
        family: Family,
        level: i32,
        name: i32,
        value: &[u8],
        fresh: bool,
    ) -> Result<(), u32> {
        check_level(family, level)?;
        match (level, name) {
            (SOCKET, SO_LINGER) => {
                let on = first_int(value).ok_or(EINVAL)?;
                let seconds = value.get(4..).and_then(first_int).ok_or(EINVAL)?;
                self.linger = Some((i32::from(on != 0), seconds));
                Ok(())
            }
            (SOCKET, SO_SNDBUF) => store(&mut self.send_buffer, value),
            (SOCKET, SO_RCVBUF) => store(&mut self.receive_buffer, value),
            (SOCKET, SO_RCVTIMEO | SO_SNDTIMEO | SO_RCVTIMEO_NEW | SO_SNDTIMEO_NEW) => {
                self.timeouts = true;
                Ok(())
            }
            (SOCKET, SO_BINDTODEVICE) => {
                self.device = Some(value.iter().copied().take_while(|&b| b != 0).collect());
                Ok(())
            }
            (SOCKET, 36) | (IP, 19) | (IPV6, 75) => Err(EPERM), // SO_MARK, *_TRANSPARENT
            (TCP, TCP_MAXSEG) => {
                let mss = first_int(value).ok_or(EINVAL)?;
                if mss != 0 && !(88..=32767).contains(&mss) {
                    return Err(EINVAL);
                }
                self.maxseg = mss;
                Ok(())
            }
            (TCP, TCP_CONGESTION) => {
                let name = value.split(|&b| b == 0).next().unwrap_or_default();
                let name = std::str::from_utf8(name).unwrap_or_default();
                // tcp(7): an algorithm that is not there.
                self.congestion = Some(Algorithm::from_name(name).ok_or(ENOENT)?);
                Ok(())
            }
            (IP, IP_OPTIONS) if value.is_empty() => Ok(()),
            (IPV6, IPV6_V6ONLY) if !fresh => Err(EINVAL),
            _ => self.set_int(level, name, value),
        }
    }

    fn set_int(&mut self, level: i32, name: i32, value: &[u8]) -> Result<(), u32> {
        let (index, row) = find(level, name).ok_or(ENOPROTOOPT)?;
        // ip(7): IPPROTO_IP options take a byte as well as an int.
        let given = match (first_int(value), level, value.first()) {
            (Some(v), _, _) => v,
            (None, IP, Some(&byte)) => i32::from(byte),
            _ => return Err(EINVAL),
        };
        let stored = match row.bad {
            Bad::Bool => i32::from(given != 0),
            Bad::Clamp => given.clamp(row.min, row.max),
            Bad::Refuse if (row.min..=row.max).contains(&given) => given,
            Bad::Refuse if level == SOCKET && name == 12 => return Err(EPERM),
            Bad::Refuse => return Err(EINVAL),
        };
        self.ints.retain(|(i, _)| *i != index);
        if stored != row.default {
            self.ints.push((index, stored));
        }
        Ok(())
    }

    /// getsockopt(2): the value, or the errno.
    pub(crate) fn get(
        &self,
        family: Family,
        level: i32,
        name: i32,
        facts: Facts,
    ) -> Result<Vec<u8>, u32> {
        // net/ipv4/ip_sockglue.c: reading what it does not know is EOPNOTSUPP, setting ENOPROTOOPT.
        let unknown = if level == IP { EOPNOTSUPP } else { ENOPROTOOPT };
        check_level(family, level).map_err(|errno| match family {
            Family::Inet => EOPNOTSUPP,
            Family::Inet6 => errno,
        })?;
        let bytes = |v: i32| v.to_ne_bytes().to_vec();
        match (level, name) {
            (SOCKET, SO_LINGER) => {
                let (on, seconds) = self.linger.unwrap_or((0, 0));
                Ok([on.to_ne_bytes(), seconds.to_ne_bytes()].concat())
            }
            // Linux's defaults of tcp_wmem and tcp_rmem; the kernel doubles what is set.
            (SOCKET, SO_SNDBUF) => Ok(bytes(self.send_buffer.map_or(16384, |v| doubled(v, 4608)))),
            (SOCKET, SO_RCVBUF) => Ok(bytes(
                self.receive_buffer.map_or(131_072, |v| doubled(v, 2304)),
            )),
            (SOCKET, SO_BINDTODEVICE) => Ok(self
                .device
                .as_ref()
                .map_or(Vec::new(), |d| d.iter().copied().chain([0]).collect())),
            (SOCKET, 36 | 56) | (IP, 19) | (IPV6, 75) => Ok(bytes(0)), // SO_MARK, NAPI_ID
            (TCP, TCP_MAXSEG) if facts.connected => Ok(bytes(i32::from(facts.mss))),
            (TCP, TCP_MAXSEG) => Ok(bytes(if self.maxseg == 0 { 536 } else { self.maxseg })),
            (TCP, TCP_CONGESTION) => {
                Ok(congestion_name(self.congestion.unwrap_or(facts.congestion)))
            }
            (IP, IP_OPTIONS) => Ok(Vec::new()),
            (IP, IP_MTU) if facts.connected => Ok(bytes(i32::from(facts.mtu))),
            (IP, IP_MTU) => Err(ENOTCONN),
            _ => {
                let (index, row) = find(level, name).ok_or(unknown)?;
                Ok(bytes(self.int(index, row)))
            }
        }
    }

    /// What [`Options::set`] makes these of again: level, name, value.
    pub(crate) fn saved(&self) -> Vec<(i32, i32, Vec<u8>)> {
        let bytes = |v: i32| v.to_ne_bytes().to_vec();
        let ints = self.ints.iter().filter_map(|(index, value)| {
            let row = INTS.get(usize::from(*index))?;
            Some((row.level, row.name, bytes(*value)))
        });
        let linger = self
            .linger
            .map(|(on, seconds)| (SOCKET, SO_LINGER, [bytes(on), bytes(seconds)].concat()));
        let device = self.device.clone();
        ints.chain(linger)
            .chain(device.map(|name| (SOCKET, SO_BINDTODEVICE, name)))
            .chain(
                self.congestion
                    .map(|algorithm| (TCP, TCP_CONGESTION, congestion_name(algorithm))),
            )
            .chain(self.send_buffer.map(|v| (SOCKET, SO_SNDBUF, bytes(v))))
            .chain(self.receive_buffer.map(|v| (SOCKET, SO_RCVBUF, bytes(v))))
            .chain(self.timeouts.then(|| (SOCKET, SO_RCVTIMEO, Vec::new())))
            .chain((self.maxseg != 0).then(|| (TCP, TCP_MAXSEG, bytes(self.maxseg))))
            .collect()
    }

    fn int(&self, index: u8, row: &Int) -> i32 {
        self.ints
            .iter()
            .find(|(i, _)| *i == index)
            .map_or(row.default, |(_, v)| *v)
    }

    fn value(&self, level: i32, name: i32) -> i32 {
        find(level, name).map_or(0, |(index, row)| self.int(index, row))
    }

    pub(crate) fn reuse_addr(&self) -> bool {
        self.value(SOCKET, SO_REUSEADDR) != 0
    }

    pub(crate) fn reuse_port(&self) -> bool {
        self.value(SOCKET, SO_REUSEPORT) != 0
    }

    pub(crate) fn v6only(&self) -> bool {
        self.value(IPV6, IPV6_V6ONLY) != 0
    }

    pub(crate) fn set_v6only(&mut self) {
        // A value that set_int takes.
        let _ = self.set_int(IPV6, IPV6_V6ONLY, &1i32.to_ne_bytes());
    }

    /// Whether accept(2) has something to copy by hand, since AF_UNIX inherits nothing.
    pub(crate) fn inherits(&self) -> bool {
        self.linger.is_some()
            || self.timeouts
            || self.send_buffer.is_some()
            || self.receive_buffer.is_some()
            || self.value(SOCKET, SO_KEEPALIVE) != 0
            || self.value(SOCKET, SO_OOBINLINE) != 0
            || self.value(SOCKET, SO_RCVLOWAT) != 1
    }

    /// What the stack must know.
    pub(crate) fn for_stack(&self) -> PcbOptions {
        let seconds = |name| Duration::from_secs(unsigned(self.value(TCP, name)).into());
        let user_timeout = unsigned(self.value(TCP, TCP_USER_TIMEOUT));
        PcbOptions {
            nodelay: self.value(TCP, TCP_NODELAY) != 0,
            keepalive: (self.value(SOCKET, SO_KEEPALIVE) != 0).then(|| KeepAlive {
                idle: seconds(TCP_KEEPIDLE),
                interval: seconds(TCP_KEEPINTVL),
                count: unsigned(self.value(TCP, TCP_KEEPCNT)),
            }),
            user_timeout: (user_timeout != 0).then(|| Duration::from_millis(user_timeout.into())),
            reset_on_close: self.linger == Some((1, 0)),
            max_segment: u16::try_from(self.maxseg).ok().filter(|&mss| mss != 0),
            hop_limit: u8::try_from(self.value(IP, IP_TTL)).ok(),
            congestion: self.congestion,
        }
    }
}

/// A name in `TCP_CA_NAME_MAX` bytes.
fn congestion_name(algorithm: Algorithm) -> Vec<u8> {
    let mut name = algorithm.name().as_bytes().to_vec();
    name.resize(16, 0);
    name
}

fn unsigned(v: i32) -> u32 {
    u32::try_from(v).unwrap_or(0)
}

/// An option of another protocol: Linux answers ENOPROTOOPT; IP options do work on `AF_INET6`.
fn check_level(family: Family, level: i32) -> Result<(), u32> {
    match (level, family) {
        (SOCKET | TCP | IP, _) | (IPV6, Family::Inet6) => Ok(()),
        _ => Err(ENOPROTOOPT),
    }
}

fn find(level: i32, name: i32) -> Option<(u8, &'static Int)> {
    let index = INTS
        .iter()
        .position(|row| row.level == level && row.name == name)?;
    Some((u8::try_from(index).ok()?, INTS.get(index)?))
}

fn first_int(value: &[u8]) -> Option<i32> {
    value.first_chunk::<4>().map(|b| i32::from_ne_bytes(*b))
}

fn store(slot: &mut Option<i32>, value: &[u8]) -> Result<(), u32> {
    *slot = Some(first_int(value).ok_or(EINVAL)?);
    Ok(())
}

/// socket(7): the kernel doubles the value; net.core.[rw]mem_max caps what is asked for.
fn doubled(value: i32, least: i32) -> i32 {
    const MAX: i32 = 212_992;
    value.clamp(0, MAX).saturating_mul(2).max(least)
}

#[cfg(test)]
mod tests;
