//! Socket options that AF_UNIX does not have or does not mean: stored, with Linux's defaults,
//! ranges and errnos, and handed to the stack where they have an effect.
//!
//! Sources: socket(7), tcp(7), ip(7), ipv6(7) and, for ranges, net/ipv4/tcp.c and ip_sockglue.c.

mod number;
mod table;

use netcon_stack::{Algorithm, Duration, KeepAlive, PcbOptions};
use netcon_wire::{Family, SEND_BUFFER, SocketState};

use crate::options::level::{IP, IPV6, SOCKET, TCP};
use crate::options::number::*;
use crate::options::table::{FIXED, INTS, Nothing, Row};

/// Levels, from include/linux/socket.h.
pub(crate) mod level {
    pub(crate) const IP: i32 = 0;
    pub(crate) const SOCKET: i32 = 1;
    pub(crate) const TCP: i32 = 6;
    pub(crate) const IPV6: i32 = 41;
}

pub(crate) use number::{SO_ERROR, TCP_INFO, TCP_NODELAY};

const ENOPROTOOPT: u32 = 92;
const EOPNOTSUPP: u32 = 95;
const EINVAL: u32 = 22;
const EPERM: u32 = 1;
const ENOTCONN: u32 = 107;
const ENOENT: u32 = 2;
const ENODEV: u32 = 19;
const EADDRNOTAVAIL: u32 = 99;

/// Facts about a socket that some options report or depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) state: SocketState,
    pub(crate) bound: bool,
    pub(crate) mss: u16,
    pub(crate) mtu: u16,
    /// Bytes the caller has room for.
    pub(crate) room: usize,
    /// The names of the interfaces.
    pub(crate) interfaces: [&'a [u8]; 2],
    /// The algorithm at work, or the stack's.
    pub(crate) congestion: Algorithm,
}

impl Facts<'_> {
    fn connected(&self) -> bool {
        self.state == SocketState::Connected
    }
}

/// The options of one socket: those that differ from the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    ints: Vec<(u8, i32)>,
    linger: Option<(i32, i32)>,
    device: Option<Vec<u8>>,
    send_buffer: Option<i32>,
    receive_buffer: Option<i32>,
    pacing: Option<u64>,
    timeouts: bool,
    maxseg: i32,
    preferences: i32,
    congestion: Option<Algorithm>,
}

impl Options {
    /// setsockopt(2); the errno if it is refused.
    pub(crate) fn set(
        &mut self,
        family: Family,
        level: i32,
        name: i32,
        value: &[u8],
        facts: Facts<'_>,
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
            (SOCKET, SO_BINDTODEVICE) => self.set_device(value, facts.interfaces),
            (SOCKET, SO_MAX_PACING_RATE) => {
                self.pacing = Some(pacing(value)?);
                Ok(())
            }
            (SOCKET, SO_MARK) => Err(EPERM),
            (TCP, TCP_MAXSEG) => {
                let mss = first_int(value).ok_or(EINVAL)?;
                if mss != 0 && !(88..=32767).contains(&mss) {
                    return Err(EINVAL);
                }
                self.maxseg = mss;
                Ok(())
            }
            (TCP, TCP_CONGESTION | TCP_ULP) if value.is_empty() => Err(EINVAL),
            (TCP, TCP_CONGESTION) => {
                let name = value.split(|&b| b == 0).next().unwrap_or_default();
                let name = std::str::from_utf8(name).unwrap_or_default();
                // tcp(7): an algorithm that is not there.
                self.congestion = Some(Algorithm::from_name(name).ok_or(ENOENT)?);
                Ok(())
            }
            // do_tcp_setsockopt() looks at the length first.
            (TCP, _) if value.len() < 4 && name != TCP_ULP => Err(EINVAL),
            (TCP, TCP_QUEUE_SEQ) if facts.state == SocketState::Fresh => Err(EINVAL),
            (TCP, TCP_QUEUE_SEQ) => Err(EPERM),
            (IP, IP_OPTIONS) | (IPV6, IPV6_RTHDR) if value.is_empty() => Ok(()),
            (IPV6, _) => self.set_v6(name, value, facts),
            _ => self.set_int(level, name, value, facts),
        }
    }

    /// `IPPROTO_IPV6`: what is no int (do_ipv6_setsockopt, net/ipv6/ipv6_sockglue.c).
    fn set_v6(&mut self, name: i32, value: &[u8], facts: Facts<'_>) -> Result<(), u32> {
        let int = first_int(value);
        match (name, int) {
            (IPV6_ADDRFORM | IPV6_ADDR_PREFERENCES | IPV6_MTU, None) => Err(EINVAL),
            // AF_INET, for a connection whose addresses are mapped: not here (docs/limits.md).
            (IPV6_ADDRFORM, Some(2)) if facts.connected() => Err(EADDRNOTAVAIL),
            (IPV6_ADDRFORM, Some(2)) => Err(ENOTCONN),
            (IPV6_ADDRFORM, _) => Err(EINVAL),
            (IPV6_MTU, Some(1..1280)) => Err(EINVAL),
            (IPV6_MTU, Some(mtu)) if mtu < 0 => Err(EINVAL),
            (IPV6_MTU, _) => Ok(()),
            (IPV6_ADDR_PREFERENCES, Some(wanted)) => {
                self.preferences = preferences(wanted).ok_or(EINVAL)?;
                Ok(())
            }
            // Control messages, of which there are none for TCP.
            (IPV6_2292PKTOPTIONS, _) if value.len() < CMSGHDR => Ok(()),
            (IPV6_2292PKTOPTIONS, _) => Err(EINVAL),
            (IPV6_PKTINFO, _) if value.len() < IN6_PKTINFO => Err(EINVAL),
            (IPV6_UNICAST_IF, _) if value.len() != 4 => Err(EINVAL),
            _ => self.set_int(IPV6, name, value, facts),
        }
    }

    /// `SO_BINDTODEVICE`: kept, and without effect, since there is one link.
    fn set_device(&mut self, value: &[u8], interfaces: [&[u8]; 2]) -> Result<(), u32> {
        let name = value.split(|&byte| byte == 0).next().unwrap_or(&[]);
        let name = name.get(..15).unwrap_or(name);
        if !name.is_empty() && !interfaces.contains(&name) {
            return Err(ENODEV);
        }
        self.device = (!name.is_empty()).then(|| name.to_vec());
        Ok(())
    }

    fn set_int(
        &mut self,
        level: i32,
        name: i32,
        value: &[u8],
        facts: Facts<'_>,
    ) -> Result<(), u32> {
        if let Some((.., errno)) = fixed(level, name) {
            return Err(*errno);
        }
        let (index, row) = find(level, name).ok_or(ENOPROTOOPT)?;
        let mut stored = row.accept(value, facts.state, facts.bound)?;
        if (level, name) == (TCP, TCP_THIN_DUPACK) {
            // Kept for compatibility, and nothing since Linux 4.16.
            stored = 0;
        } else if (level, name) == (TCP, TCP_FASTOPEN) {
            stored = stored.min(SOMAXCONN);
        }
        self.keep(index, row, stored);
        Ok(())
    }

    fn keep(&mut self, index: u8, row: &Row, value: i32) {
        self.ints.retain(|(i, _)| *i != index);
        if value != row.default {
            self.ints.push((index, value));
        }
    }

    /// getsockopt(2): the value, or the errno.
    pub(crate) fn get(
        &self,
        family: Family,
        level: i32,
        name: i32,
        facts: Facts<'_>,
    ) -> Result<Vec<u8>, u32> {
        // net/ipv4/ip_sockglue.c: reading what it does not know is EOPNOTSUPP, setting ENOPROTOOPT.
        let unknown = if level == IP { EOPNOTSUPP } else { ENOPROTOOPT };
        check_level(family, level).map_err(|errno| match family {
            Family::Inet => EOPNOTSUPP,
            Family::Inet6 => errno,
        })?;
        let bytes = |v: i32| v.to_ne_bytes().to_vec();
        let mtu = i32::from(facts.mtu);
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
            (SOCKET, SO_MAX_PACING_RATE) => {
                Ok(self.pacing.unwrap_or(u64::MAX).to_ne_bytes().to_vec())
            }
            (SOCKET, SO_MARK | SO_INCOMING_NAPI_ID) => Ok(bytes(0)),
            (TCP, TCP_MAXSEG) if facts.connected() => Ok(bytes(i32::from(facts.mss))),
            (TCP, TCP_MAXSEG) => Ok(bytes(if self.maxseg == 0 { 536 } else { self.maxseg })),
            (TCP, TCP_CONGESTION) => {
                Ok(congestion_name(self.congestion.unwrap_or(facts.congestion)))
            }
            (TCP, TCP_QUEUE_SEQ) => Err(EINVAL),
            (IP, IP_OPTIONS) | (IPV6, IPV6_2292PKTOPTIONS) => Ok(Vec::new()),
            (IP, IP_MTU) | (IPV6, IPV6_MTU) if facts.connected() => Ok(bytes(mtu)),
            (IPV6, IPV6_FLOWLABEL_MGR) if facts.room < FLOWLABEL_REQUEST => Err(EINVAL),
            (IPV6, IPV6_PATHMTU) if facts.room < MTUINFO => Err(EINVAL),
            (IPV6, IPV6_PATHMTU) if facts.connected() => Ok(mtuinfo(mtu)),
            (IPV6, IPV6_ADDRFORM) if facts.connected() => Ok(bytes(AF_INET6)),
            (IP, IP_MTU) | (IPV6, IPV6_MTU | IPV6_PATHMTU | IPV6_ADDRFORM) => Err(ENOTCONN),
            (IPV6, IPV6_ADDR_PREFERENCES) => Ok(bytes(shown_preferences(self.preferences))),
            _ => {
                if let Some((_, _, nothing, _)) = fixed(level, name) {
                    return match *nothing {
                        Nothing::Empty => Ok(Vec::new()),
                        Nothing::Fails(errno) => Err(errno),
                    };
                }
                let (index, row) = find(level, name).ok_or(unknown)?;
                let value = self.int(index, row);
                Ok(match u8::try_from(value) {
                    // ip_getsockopt(): a byte for who has no room for an int.
                    Ok(byte) if level == IP && (1..4).contains(&facts.room) => vec![byte],
                    _ => bytes(value),
                })
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
            .chain(
                self.pacing
                    .map(|v| (SOCKET, SO_MAX_PACING_RATE, v.to_ne_bytes().to_vec())),
            )
            .chain((self.preferences != 0).then(|| {
                let shown = shown_preferences(self.preferences);
                (IPV6, IPV6_ADDR_PREFERENCES, bytes(shown))
            }))
            .chain((self.maxseg != 0).then(|| (TCP, TCP_MAXSEG, bytes(self.maxseg))))
            .collect()
    }

    fn int(&self, index: u8, row: &Row) -> i32 {
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
        if let Some((index, row)) = find(IPV6, IPV6_V6ONLY) {
            self.keep(index, row, 1);
        }
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

    /// `IPV6_UNICAST_HOPS` if it was set: an `AF_INET` socket cannot.
    fn hop_limit(&self) -> i32 {
        match self.value(IPV6, IPV6_UNICAST_HOPS) {
            64 => self.value(IP, IP_TTL),
            hops => hops,
        }
    }

    /// The send buffer of the program's description, as the kernel counts it.
    pub(crate) fn send_buffer(&self) -> i32 {
        /// SOCK_MIN_SNDBUF, include/net/sock.h.
        const LEAST: i32 = 4608;
        self.send_buffer
            .map_or(2 * SEND_BUFFER, |bytes| doubled(bytes, LEAST))
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
            hop_limit: u8::try_from(self.hop_limit()).ok(),
            defer_accept: Some(seconds(TCP_DEFER_ACCEPT)).filter(|wait| *wait != Duration::ZERO),
            congestion: self.congestion,
        }
    }

    /// What an accepted socket has of its listener: all but what is about accepting (inet_csk_clone_lock()).
    pub(crate) fn for_child(&self) -> Options {
        let mut child = self.clone();
        if let Some((index, row)) = find(TCP, TCP_DEFER_ACCEPT) {
            child.keep(index, row, row.default);
        }
        child
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

fn find(level: i32, name: i32) -> Option<(u8, &'static Row)> {
    let index = INTS
        .iter()
        .position(|row| row.level == level && row.name == name)?;
    Some((u8::try_from(index).ok()?, INTS.get(index)?))
}

fn fixed(level: i32, name: i32) -> Option<&'static (i32, i32, Nothing, u32)> {
    FIXED.iter().find(|row| (row.0, row.1) == (level, name))
}

/// A u64, or an unsigned int of which the largest is "no limit" (sk_setsockopt, net/core/sock.c).
fn pacing(value: &[u8]) -> Result<u64, u32> {
    if let Some(whole) = value.first_chunk::<8>().filter(|_| value.len() == 8) {
        return Ok(u64::from_ne_bytes(*whole));
    }
    let rate = first_int(value).ok_or(EINVAL)?.cast_unsigned();
    Ok(if rate == u32::MAX {
        u64::MAX
    } else {
        rate.into()
    })
}

/// `IPV6_PREFER_SRC_*` of linux/in6.h.
const PREFER_TMP: i32 = 1;
const PREFER_PUBLIC: i32 = 2;
const PREFER_COA: i32 = 4;
const PREFER_CGA: i32 = 8;
const PREFER_EITHER: i32 = 0x100;
const PREFER_HOME: i32 = 0x400;
const PREFER_NONCGA: i32 = 0x800;

/// RFC 5014: at most one of each group (ip6_sock_set_addr_preferences, net/ipv6.h).
fn preferences(wanted: i32) -> Option<i32> {
    let lone = |group: i32| (wanted & group).count_ones() <= 1;
    let good = lone(PREFER_TMP | PREFER_PUBLIC | PREFER_EITHER)
        && lone(PREFER_COA | PREFER_HOME)
        && lone(PREFER_CGA | PREFER_NONCGA);
    good.then_some(wanted & (PREFER_TMP | PREFER_PUBLIC | PREFER_COA))
}

fn shown_preferences(kept: i32) -> i32 {
    let temporary = match kept & (PREFER_TMP | PREFER_PUBLIC) {
        0 => PREFER_EITHER,
        chosen => chosen,
    };
    let home = if kept & PREFER_COA == 0 {
        PREFER_HOME
    } else {
        PREFER_COA
    };
    temporary | home
}

/// `struct ip6_mtuinfo`, RFC 3542: an address, here of nobody, and the MTU.
fn mtuinfo(mtu: i32) -> Vec<u8> {
    let mut bytes = vec![0; MTUINFO - 4];
    bytes.extend(mtu.to_ne_bytes());
    bytes
}

/// Sizes of `struct in6_flowlabel_req`, `ip6_mtuinfo`, `in6_pktinfo` and `cmsghdr`.
const FLOWLABEL_REQUEST: usize = 32;
const MTUINFO: usize = 32;
const IN6_PKTINFO: usize = 20;
const CMSGHDR: usize = 16;
const AF_INET6: i32 = 10;
/// net.core.somaxconn's default.
const SOMAXCONN: i32 = 4096;

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
