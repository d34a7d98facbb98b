//! Which datagram sockets a network namespace has: /proc/net/udp and its like (proc(5)).
//!
//! Unlike sock_diag(7) they list ping sockets too, and need no kernel module. Sockets that are not
//! bound yet are in none of them. What its sockets have received is in /proc/net/snmp and snmp6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One bound socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InetSocket {
    /// udp, udplite or ping.
    pub protocol: &'static str,
    /// Where it is bound.
    pub local: SocketAddr,
    /// Where it is connected to, unspecified if it is not.
    pub peer: SocketAddr,
    /// Whether connect(2) has given it a peer.
    pub connected: bool,
    /// Bytes that wait to be sent, with the kernel's overhead.
    pub send_queue: usize,
    /// Bytes that wait to be received, with the kernel's overhead.
    pub recv_queue: usize,
    /// Whose it is.
    pub uid: u32,
    /// As fstat(2) of a descriptor of it says.
    pub inode: u32,
}

/// All of a task's namespace, `task` being its directory in /proc. A list that cannot be read is
/// empty: the kernel may lack the protocol.
#[must_use]
pub fn datagram_sockets(task: &str) -> Vec<InetSocket> {
    [
        ("udp", "udp"),
        ("udp6", "udp"),
        ("udplite", "udplite"),
        ("udplite6", "udplite"),
        ("icmp", "ping"),
        ("icmp6", "ping"),
    ]
    .into_iter()
    .flat_map(|(file, protocol)| {
        let path = format!("{task}/net/{file}");
        parse(protocol, &std::fs::read_to_string(path).unwrap_or_default())
    })
    .collect()
}

/// The IPv6 addresses to which packets stay inside a task's namespace: its local routes.
#[must_use]
pub fn own_addresses(task: &str) -> Vec<Ipv6Addr> {
    let text = std::fs::read_to_string(format!("{task}/net/ipv6_route")).unwrap_or_default();
    parse_own(&text)
}

/// Destination, its prefix length, source, its prefix length, next hop, metric, references, uses, flags,
/// interface; all hexadecimal.
fn parse_own(text: &str) -> Vec<Ipv6Addr> {
    /// linux/ipv6_route.h
    const RTF_LOCAL: u32 = 0x8000_0000;
    let own = |line: &str| {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let [destination, "80", _, _, _, _, _, _, flags, _] = words[..] else {
            return None;
        };
        let is_local = u32::from_str_radix(flags, 16).ok()? & RTF_LOCAL != 0;
        let bits = u128::from_str_radix(destination, 16).ok()?;
        is_local.then(|| Ipv6Addr::from_bits(bits))
    };
    text.lines().filter_map(own).collect()
}

/// UDP and UDP-Lite datagrams that programs have read from a task's namespace's sockets.
#[must_use]
pub fn datagrams_read(task: &str) -> u64 {
    let text = |file| std::fs::read_to_string(format!("{task}/net/{file}")).unwrap_or_default();
    parse_snmp(&text("snmp")) + parse_snmp6(&text("snmp6"))
}

/// Pairs of lines: "Udp: InDatagrams NoPorts ...", "Udp: 5 0 ...".
fn parse_snmp(text: &str) -> u64 {
    let rows = |protocol| {
        let mut lines = text
            .lines()
            .filter_map(move |line| line.strip_prefix(protocol));
        let (names, values) = (lines.next()?, lines.next()?);
        let mut pairs = names.split_whitespace().zip(values.split_whitespace());
        let (_, value) = pairs.find(|(name, _)| *name == "InDatagrams")?;
        value.parse::<u64>().ok()
    };
    ["Udp:", "UdpLite:"].into_iter().filter_map(rows).sum()
}

/// A line each: "Udp6InDatagrams   5".
fn parse_snmp6(text: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .filter(|(name, _)| ["Udp6InDatagrams", "UdpLite6InDatagrams"].contains(name))
        .filter_map(|(_, value)| value.trim().parse::<u64>().ok())
        .sum()
}

fn parse(protocol: &'static str, text: &str) -> Vec<InetSocket> {
    text.lines()
        .skip(1)
        .filter_map(|line| parse_line(protocol, line))
        .collect()
}

/// sl, local, remote, state, tx:rx, tr:when, retransmits, uid, timeout, inode, ...
fn parse_line(protocol: &'static str, line: &str) -> Option<InetSocket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (tx, rx) = fields.get(4)?.split_once(':')?;
    Some(InetSocket {
        protocol,
        local: address(fields.get(1)?)?,
        peer: address(fields.get(2)?)?,
        // TCP_ESTABLISHED; otherwise TCP_CLOSE.
        connected: *fields.get(3)? == "01",
        send_queue: usize::from_str_radix(tx, 16).ok()?,
        recv_queue: usize::from_str_radix(rx, 16).ok()?,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Words of the address in host order, then the port, all in hexadecimal.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<[u8; 4]> = (0..ip.len() / 8)
        .map(|i| u32::from_str_radix(ip.get(i * 8..i * 8 + 8)?, 16).ok())
        .map(|word| word.map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    let ip: IpAddr = match words.as_slice() {
        [v4] => Ipv4Addr::from(*v4).into(),
        [_, _, _, _] => {
            let octets: [u8; 16] = words.concat().try_into().ok()?;
            Ipv6Addr::from(octets).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests;
