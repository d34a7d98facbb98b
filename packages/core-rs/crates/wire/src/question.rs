//! Questions about names, and what the answers hold.
//!
//! RESOLVE carries one [`Question`]; its answer is a string of bytes that comes in as many
//! [`crate::Reply::Part`]s as it needs, on the socket sent along. What the bytes mean follows from the
//! question: [`Found`] for addresses and names, a [`Verdict`] and a DNS message (RFC 1035 4) for
//! messages and searches, [`FAMILY_INET`] | [`FAMILY_INET6`] for families, and for an order the
//! places of the addresses, best first, one byte each.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::Family;
use crate::cursor::{DecodeError, EncodeError, Reader, Writer};

/// Longest name in a question, bytes: RFC 1035 2.3.4 has 255 on the wire; a text may escape octets.
pub const MAX_NAME_LEN: usize = 512;
/// Longest message to send, bytes.
pub const MAX_QUERY_LEN: usize = 900;
/// Most addresses that are put into order at once.
pub const MAX_ORDER: usize = 48;
/// Bytes that an answer has at most: a DNS message and a verdict.
pub const MAX_ANSWER: usize = 65_536;
/// The stack has an IPv4 address besides loopback.
pub const FAMILY_INET: u8 = 1;
/// The stack has an IPv6 address besides loopback and link-local ones.
pub const FAMILY_INET6: u8 = 2;

/// What RESOLVE asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// The addresses of a name, by the search list of the service.
    Addresses {
        /// `None` asks for both.
        family: Option<Family>,
        /// As the program wrote it.
        name: &'a [u8],
    },
    /// The names of an address.
    Names {
        /// The address.
        ip: IpAddr,
    },
    /// A DNS message to send as it is (`res_send`).
    Message(&'a [u8]),
    /// `res_search`: a question tried along the search list.
    Search {
        /// The class of the question, `C_IN` as a rule.
        class: u16,
        /// The type of the question.
        kind: u16,
        /// As the program wrote it.
        name: &'a [u8],
    },
    /// Which families the stack has addresses of (`AI_ADDRCONFIG`).
    Families,
    /// Which of these is to be tried first (RFC 6724): 17 bytes each, see [`Addresses`].
    Order(&'a [u8]),
}

/// How a look-up ended: the values of `h_errno` (netdb.h), 0 for success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Verdict {
    /// There is an answer.
    Found = 0,
    /// `HOST_NOT_FOUND`: no such name.
    NotFound = 1,
    /// `TRY_AGAIN`: no server gave an answer.
    TryAgain = 2,
    /// `NO_RECOVERY`: a server refused.
    NoRecovery = 3,
    /// `NO_DATA`: the name exists, without what was asked for.
    NoData = 4,
}

impl Verdict {
    /// The verdict with that number.
    pub const fn from_raw(raw: u8) -> Option<Verdict> {
        Some(match raw {
            0 => Verdict::Found,
            1 => Verdict::NotFound,
            2 => Verdict::TryAgain,
            3 => Verdict::NoRecovery,
            4 => Verdict::NoData,
            _ => return None,
        })
    }
}

impl<'a> Question<'a> {
    pub(crate) fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        match *self {
            Question::Addresses { family, name } => {
                w.u8(1)?;
                w.u16(family.map_or(0, Family::raw))?;
                w.bytes(name, MAX_NAME_LEN)
            }
            Question::Names { ip } => {
                w.u8(2)?;
                write_ip(w, ip)
            }
            Question::Message(message) => {
                w.u8(3)?;
                w.bytes(message, MAX_QUERY_LEN)
            }
            Question::Search { class, kind, name } => {
                w.u8(4)?;
                w.u16(class)?;
                w.u16(kind)?;
                w.bytes(name, MAX_NAME_LEN)
            }
            Question::Families => w.u8(5),
            Question::Order(addresses) => {
                w.u8(6)?;
                w.bytes(addresses, MAX_ORDER * ADDRESS_LEN)
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match r.u8()? {
            1 => Question::Addresses {
                family: match r.u16()? {
                    0 => None,
                    raw => Some(Family::from_raw(raw).ok_or(DecodeError::BadField)?),
                },
                name: bounded(r, MAX_NAME_LEN)?,
            },
            2 => Question::Names { ip: read_ip(r)? },
            3 => Question::Message(bounded(r, MAX_QUERY_LEN)?),
            4 => Question::Search {
                class: r.u16()?,
                kind: r.u16()?,
                name: bounded(r, MAX_NAME_LEN)?,
            },
            5 => Question::Families,
            6 => {
                let addresses = bounded(r, MAX_ORDER * ADDRESS_LEN)?;
                if Addresses(addresses).count() * ADDRESS_LEN != addresses.len() {
                    return Err(DecodeError::BadField);
                }
                Question::Order(addresses)
            }
            _ => return Err(DecodeError::BadField),
        })
    }
}

/// The answer about addresses or names: verdict u8, seconds it may be kept u32, count and names
/// (u8 length each; the canonical one first, then its aliases), count u16 and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    /// How it ended.
    pub verdict: Verdict,
    /// Seconds the answer may be kept.
    pub ttl: u32,
    names: &'a [u8],
    addresses: &'a [u8],
}

impl<'a> Found<'a> {
    /// Reads a whole answer.
    pub fn decode(bytes: &'a [u8]) -> Result<Found<'a>, DecodeError> {
        let mut r = Reader::new(bytes);
        let verdict = Verdict::from_raw(r.u8()?).ok_or(DecodeError::BadField)?;
        let ttl = r.u32()?;
        let names = r.bytes()?;
        let addresses = r.bytes()?;
        let found = Found {
            verdict,
            ttl,
            names,
            addresses,
        };
        let named: usize = found.names().map(|name| name.len() + 1).sum();
        if named != names.len() || found.addresses().count() * ADDRESS_LEN != addresses.len() {
            return Err(DecodeError::BadField);
        }
        Ok(found)
    }

    /// The canonical name, then aliases.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let mut rest = self.names;
        core::iter::from_fn(move || {
            let (&len, tail) = rest.split_first()?;
            let (name, tail) = tail.split_at_checked(usize::from(len))?;
            rest = tail;
            Some(name)
        })
    }

    /// The addresses, in the order of the answer.
    pub fn addresses(&self) -> Addresses<'a> {
        Addresses(self.addresses)
    }
}

/// Bytes of an address in a list: 4 or 6, then 16, an IPv4 address in the first four.
pub const ADDRESS_LEN: usize = 17;

/// A list of addresses as it stands in questions and answers.
#[derive(Clone, Debug)]
pub struct Addresses<'a>(pub &'a [u8]);

impl Iterator for Addresses<'_> {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let mut r = Reader::new(self.0);
        let ip = read_ip(&mut r).ok()?;
        self.0 = self.0.get(ADDRESS_LEN..)?;
        Some(ip)
    }
}

/// An address as it stands in a list.
pub fn encode_address(ip: IpAddr) -> [u8; ADDRESS_LEN] {
    let mut out = [0; ADDRESS_LEN];
    // As long as the array.
    let _ = write_ip(&mut Writer::new(&mut out), ip);
    out
}

fn write_ip(w: &mut Writer<'_>, ip: IpAddr) -> Result<(), EncodeError> {
    match ip {
        IpAddr::V4(ip) => {
            w.u8(4)?;
            w.put(&ip.octets())?;
            w.put(&[0; 12])
        }
        IpAddr::V6(ip) => {
            w.u8(6)?;
            w.put(&ip.octets())
        }
    }
}

fn read_ip(r: &mut Reader<'_>) -> Result<IpAddr, DecodeError> {
    let version = r.u8()?;
    let octets: [u8; 16] = r.array()?;
    match version {
        4 => {
            let [a, b, c, d, ..] = octets;
            Ok(IpAddr::V4(Ipv4Addr::new(a, b, c, d)))
        }
        6 => Ok(IpAddr::V6(Ipv6Addr::from(octets))),
        _ => Err(DecodeError::BadField),
    }
}

fn bounded<'a>(r: &mut Reader<'a>, most: usize) -> Result<&'a [u8], DecodeError> {
    let bytes = r.bytes()?;
    if bytes.len() > most {
        return Err(DecodeError::BadField);
    }
    Ok(bytes)
}
