//! The int options: defaults, what setsockopt(2) takes, and what getsockopt(2) answers then. Each row is
//! what Linux was seen to do (docs/options.md).

use netcon_wire::SocketState;

use super::level::{IP, IPV6, SOCKET, TCP};
use super::number::*;
use super::{EADDRNOTAVAIL, EINVAL, ENOENT, ENOPROTOOPT, EPERM};

/// Where and what an option is.
pub(super) struct Row {
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) default: i32,
    pub(super) rule: Rule,
    pub(super) short: Short,
    pub(super) when: When,
}

/// What becomes of a value.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Anything; stored as 0 or 1.
    Flag,
    /// 0 or 1.
    Bit,
    Range(i32, i32),
    Clamp(i32, i32),
    /// A range, and -1 for the default.
    OrDefault(i32, i32),
    /// The lower bits are ECN's, which TCP sets (ip_sock_set_tos): IPv4 cuts off, IPv6 refuses.
    Tos,
    TrafficClass,
    /// 0 is the default, negative is -1, 120 s is the most (TCP_FIN_TIMEOUT_MAX).
    Linger2,
    /// Kept as a number of SYN-ACKs.
    DeferAccept,
    /// 0, and anything else needs a capability.
    Privileged,
    /// 0, and anything else is an interface that is not there.
    NoInterface,
    /// Nothing, with this errno.
    Refuse(u32),
}

/// What a value shorter than an int means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Short {
    /// EINVAL.
    Refuse,
    /// A byte; no byte at all is 0.
    Byte,
    /// A byte; at least one.
    ByteAtLeast,
    /// 0.
    Zero,
}

/// In which states it may be set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// Neither bound nor connected.
    Unbound,
    /// TCP_CLOSE.
    Closed,
    /// TCP_CLOSE and TCP_LISTEN.
    ClosedOrListening,
}

const fn row(level: i32, name: i32, default: i32, rule: Rule) -> Row {
    let short = if level == IP {
        Short::Byte
    } else {
        Short::Refuse
    };
    let when = When::Always;
    Row {
        level,
        name,
        default,
        rule,
        short,
        when,
    }
}

const fn flag(level: i32, name: i32) -> Row {
    row(level, name, 0, Rule::Flag)
}

const fn short(short: Short, row: Row) -> Row {
    Row { short, ..row }
}

const fn only(when: When, row: Row) -> Row {
    Row { when, ..row }
}

const fn refused(level: i32, name: i32, errno: u32) -> Row {
    row(level, name, 0, Rule::Refuse(errno))
}

const MAX: i32 = i32::MAX;

pub(super) const INTS: &[Row] = &[
    flag(SOCKET, SO_REUSEADDR),
    flag(SOCKET, SO_DONTROUTE),
    flag(SOCKET, SO_BROADCAST),
    flag(SOCKET, SO_KEEPALIVE),
    flag(SOCKET, SO_OOBINLINE),
    flag(SOCKET, SO_REUSEPORT),
    row(SOCKET, SO_RCVLOWAT, 1, Rule::Clamp(1, MAX)),
    row(SOCKET, SO_BUF_LOCK, 0, Rule::Range(0, 3)),
    flag(TCP, TCP_NODELAY),
    flag(TCP, TCP_CORK),
    row(TCP, TCP_KEEPIDLE, 7200, Rule::Range(1, 32767)),
    row(TCP, TCP_KEEPINTVL, 75, Rule::Range(1, 32767)),
    row(TCP, TCP_KEEPCNT, 9, Rule::Range(1, 127)),
    row(TCP, TCP_SYNCNT, 6, Rule::Range(1, 127)),
    row(TCP, TCP_LINGER2, 60, Rule::Linger2),
    row(TCP, TCP_DEFER_ACCEPT, 0, Rule::DeferAccept),
    row(TCP, TCP_WINDOW_CLAMP, 0, Rule::Clamp(0, MAX)),
    row(TCP, TCP_QUICKACK, 1, Rule::Flag),
    row(TCP, TCP_THIN_LINEAR_TIMEOUTS, 0, Rule::Bit),
    row(TCP, TCP_THIN_DUPACK, 0, Rule::Bit),
    row(TCP, TCP_USER_TIMEOUT, 0, Rule::Range(0, MAX)),
    refused(TCP, TCP_REPAIR, EPERM),
    only(
        When::ClosedOrListening,
        // net.core.somaxconn caps it.
        row(TCP, TCP_FASTOPEN, 0, Rule::Range(0, MAX)),
    ),
    only(When::Closed, row(TCP, TCP_FASTOPEN_CONNECT, 0, Rule::Bit)),
    only(
        When::ClosedOrListening,
        row(TCP, TCP_FASTOPEN_NO_COOKIE, 0, Rule::Bit),
    ),
    refused(TCP, TCP_TIMESTAMP, EPERM),
    row(TCP, TCP_NOTSENT_LOWAT, 0, Rule::Range(i32::MIN, MAX)),
    row(IP, IP_TOS, 0, Rule::Tos),
    short(
        Short::ByteAtLeast,
        row(IP, IP_TTL, 64, Rule::OrDefault(1, 255)),
    ),
    refused(IP, IP_HDRINCL, ENOPROTOOPT),
    refused(IP, IP_ROUTER_ALERT, EINVAL),
    flag(IP, IP_RECVOPTS),
    flag(IP, IP_RETOPTS),
    flag(IP, IP_PKTINFO),
    row(IP, IP_MTU_DISCOVER, 1, Rule::Range(0, 5)),
    flag(IP, IP_RECVERR),
    flag(IP, IP_RECVTTL),
    flag(IP, IP_RECVTOS),
    short(Short::ByteAtLeast, flag(IP, IP_FREEBIND)),
    flag(IP, IP_PASSSEC),
    short(
        Short::ByteAtLeast,
        row(IP, IP_TRANSPARENT, 0, Rule::Privileged),
    ),
    flag(IP, IP_ORIGDSTADDR),
    short(
        Short::ByteAtLeast,
        row(IP, IP_MINTTL, 0, Rule::Range(0, 255)),
    ),
    refused(IP, IP_NODEFRAG, ENOPROTOOPT),
    flag(IP, IP_CHECKSUM),
    flag(IP, IP_BIND_ADDRESS_NO_PORT),
    refused(IP, IP_RECVFRAGSIZE, EINVAL),
    row(IP, IP_RECVERR_RFC4884, 0, Rule::Bit),
    flag(IPV6, IPV6_2292PKTINFO),
    flag(IPV6, IPV6_2292HOPOPTS),
    flag(IPV6, IPV6_2292DSTOPTS),
    flag(IPV6, IPV6_2292RTHDR),
    flag(IPV6, IPV6_2292HOPLIMIT),
    flag(IPV6, IPV6_FLOWINFO),
    row(IPV6, IPV6_UNICAST_HOPS, 64, Rule::OrDefault(0, 255)),
    refused(IPV6, IPV6_ROUTER_ALERT, ENOPROTOOPT),
    row(IPV6, IPV6_MTU_DISCOVER, 1, Rule::Range(0, 5)),
    flag(IPV6, IPV6_RECVERR),
    only(When::Unbound, flag(IPV6, IPV6_V6ONLY)),
    flag(IPV6, IPV6_FLOWINFO_SEND),
    flag(IPV6, IPV6_RECVPKTINFO),
    flag(IPV6, IPV6_RECVHOPLIMIT),
    flag(IPV6, IPV6_RECVHOPOPTS),
    flag(IPV6, IPV6_RECVRTHDR),
    flag(IPV6, IPV6_RECVDSTOPTS),
    flag(IPV6, IPV6_RECVPATHMTU),
    short(Short::Zero, flag(IPV6, IPV6_DONTFRAG)),
    flag(IPV6, IPV6_RECVTCLASS),
    row(IPV6, IPV6_TCLASS, 0, Rule::TrafficClass),
    short(Short::Zero, row(IPV6, IPV6_AUTOFLOWLABEL, 1, Rule::Flag)),
    row(IPV6, IPV6_MINHOPCOUNT, 0, Rule::Range(0, 255)),
    flag(IPV6, IPV6_ORIGDSTADDR),
    row(IPV6, IPV6_TRANSPARENT, 0, Rule::Privileged),
    row(IPV6, IPV6_UNICAST_IF, 0, Rule::NoInterface),
    short(Short::Zero, flag(IPV6, IPV6_RECVFRAGSIZE)),
    flag(IPV6, IPV6_FREEBIND),
];

/// What getsockopt(2) answers of an option that holds nothing here.
#[derive(Clone, Copy)]
pub(super) enum Nothing {
    /// A value of no bytes.
    Empty,
    Fails(u32),
}

/// Options that are neither ints nor kept: level, name, what get answers, and how set fails.
pub(super) const FIXED: &[(i32, i32, Nothing, u32)] = &[
    (TCP, TCP_REPAIR_QUEUE, Nothing::Fails(EINVAL), EPERM),
    (TCP, TCP_REPAIR_OPTIONS, Nothing::Fails(ENOPROTOOPT), EINVAL),
    (TCP, TCP_REPAIR_WINDOW, Nothing::Fails(EINVAL), EPERM),
    (TCP, TCP_CC_INFO, Nothing::Empty, ENOPROTOOPT),
    (TCP, TCP_ULP, Nothing::Empty, ENOENT),
    (TCP, TCP_FASTOPEN_KEY, Nothing::Empty, EINVAL),
    (TCP, TCP_SAVED_SYN, Nothing::Empty, ENOPROTOOPT),
    (IP, IP_PKTOPTIONS, Nothing::Empty, ENOPROTOOPT),
    (IP, IP_IPSEC_POLICY, Nothing::Fails(ENOPROTOOPT), EPERM),
    (IP, IP_XFRM_POLICY, Nothing::Fails(ENOPROTOOPT), EPERM),
    (IPV6, IPV6_FLOWLABEL_MGR, Nothing::Fails(ENOENT), EINVAL),
    (IPV6, IPV6_HOPOPTS, Nothing::Empty, EPERM),
    (IPV6, IPV6_RTHDRDSTOPTS, Nothing::Empty, EPERM),
    (IPV6, IPV6_DSTOPTS, Nothing::Empty, EPERM),
    (IPV6, IPV6_RTHDR, Nothing::Empty, EINVAL),
];

impl Row {
    /// The value that a given one stands for, or the errno.
    pub(super) fn accept(&self, bytes: &[u8], state: SocketState, bound: bool) -> Result<i32, u32> {
        let given = self.read(bytes)?;
        let closed = matches!(state, SocketState::Fresh | SocketState::Failed);
        let allowed = match self.when {
            When::Always => true,
            When::Unbound => closed && !bound,
            When::Closed => closed,
            When::ClosedOrListening => closed || state == SocketState::Listening,
        };
        let stored = self.store(given)?;
        if allowed { Ok(stored) } else { Err(EINVAL) }
    }

    fn read(&self, bytes: &[u8]) -> Result<i32, u32> {
        if let Some(whole) = bytes.first_chunk::<4>() {
            return Ok(i32::from_ne_bytes(*whole));
        }
        match (self.short, bytes.first()) {
            (Short::Byte | Short::ByteAtLeast, Some(&byte)) => Ok(byte.into()),
            (Short::Byte, None) | (Short::Zero, _) => Ok(0),
            (Short::ByteAtLeast, None) | (Short::Refuse, _) => Err(EINVAL),
        }
    }

    fn store(&self, given: i32) -> Result<i32, u32> {
        let within = |min, max| {
            let fits = (min..=max).contains(&given);
            if fits { Ok(given) } else { Err(EINVAL) }
        };
        match self.rule {
            Rule::Flag => Ok(i32::from(given != 0)),
            Rule::Bit => within(0, 1),
            Rule::Range(min, max) => within(min, max),
            Rule::Clamp(min, max) => Ok(given.clamp(min, max)),
            Rule::OrDefault(..) if given == -1 => Ok(self.default),
            Rule::OrDefault(min, max) => within(min, max),
            Rule::Tos => Ok(given & 0xfc),
            Rule::TrafficClass if given == -1 => Ok(0),
            Rule::TrafficClass => within(0, 255).map(|class| class & 0xfc),
            Rule::Linger2 => Ok(match given {
                ..0 => -1,
                0 => self.default,
                1.. => given.min(120),
            }),
            Rule::DeferAccept => Ok(seconds_of_retries(retries_within(given))),
            Rule::Privileged if given == 0 => Ok(0),
            Rule::Privileged => Err(EPERM),
            Rule::NoInterface if given == 0 => Ok(0),
            Rule::NoInterface => Err(EADDRNOTAVAIL),
            Rule::Refuse(errno) => Err(errno),
        }
    }
}

/// TCP_RTO_MAX, seconds.
const RTO_MAX: i32 = 120;

/// How many SYN-ACKs are sent in that many seconds (secs_to_retrans, net/ipv4/tcp.c).
fn retries_within(seconds: i32) -> u8 {
    if seconds <= 0 {
        return 0;
    }
    let (mut retries, mut timeout, mut period) = (1_u8, 1, 1);
    while seconds > period && retries < u8::MAX {
        retries += 1;
        timeout = RTO_MAX.min(timeout * 2);
        period += timeout;
    }
    retries
}

/// How long that many SYN-ACKs take (retrans_to_secs, net/ipv4/tcp.c).
fn seconds_of_retries(retries: u8) -> i32 {
    let timeouts = std::iter::successors(Some(1), |t: &i32| Some(RTO_MAX.min(t * 2)));
    timeouts.take(retries.into()).sum()
}
