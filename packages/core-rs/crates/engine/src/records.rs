//! What a restarted service must know of its programs and their sockets, in a file beside the names.
//!
//! The file has slots of a fixed size, each for one bound or listening socket or one process, written in place by one
//! pwrite(2): what a killed service wrote stays in the page cache, and nothing has to outlive a reboot, which ends
//! the programs as well. A record is a claim only; who believes it and why: docs/internals/restart.md.

use std::fs::{File, OpenOptions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use netcon_sys::process;
use netcon_wire::{Family, SockAddr};

/// The file's name; no name of a socket looks like it.
pub(crate) const FILE: &str = "records";
/// Bytes of a slot; the first one is the file's head. None is spread over two pages.
const SLOT: usize = 1024;
const HEAD: &[u8; 16] = b"netcon records 1";
/// Sum and length.
const PREFIX: usize = 10;

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// A bound or listening socket.
    Socket(SocketRecord),
    /// A process that was admitted.
    Member(Member),
}

/// A process, named for as long as the machine runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: u32,
    /// When it began, as [`process::start_time`] has it.
    pub(crate) started: u64,
}

/// What is written of a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SocketRecord {
    /// SO_COOKIE of the program's description: no other socket has it until the machine boots.
    pub(crate) cookie: u64,
    /// With `slot`, the native name of a listener.
    pub(crate) token: u64,
    pub(crate) slot: u32,
    /// The process that bound it; for people.
    pub(crate) pid: u32,
    pub(crate) backlog: i32,
    pub(crate) family: Family,
    pub(crate) bound: SockAddr,
    /// As setsockopt(2) takes them: level, name, value.
    pub(crate) options: Vec<(i32, i32, Vec<u8>)>,
}

/// The open file.
#[derive(Debug)]
pub(crate) struct Records {
    file: File,
    free: Vec<u32>,
    /// Slots below have been used.
    end: u32,
    /// Counts the services that had this file: in the top 16 bits of each token, so that a socket tells
    /// whether it is this one's.
    pub(crate) instance: u16,
}

impl Records {
    /// Opens the file in the directory of names, which is the caller's own, and reads at most `most` records.
    pub(crate) fn open(dir: &Path, most: usize) -> io::Result<(Records, Vec<(u32, Record)>)> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join(FILE))?;
        let boot = process::boot_id()?;
        let before = read_head(&file, &boot);
        let mut records = Records {
            file,
            free: Vec::new(),
            end: 1,
            instance: match before {
                Some(instance) => instance.wrapping_add(1),
                None => u16::try_from(process::random_u64()? >> 48).unwrap_or(0),
            },
        };
        let mut found = Vec::new();
        if before.is_some() {
            records.read_all(most, &mut found)?;
        } else {
            records.file.set_len(0)?;
        }
        let head = [HEAD, &records.instance.to_le_bytes()[..], boot.as_bytes()].concat();
        records.file.write_all_at(&head, 0)?;
        Ok((records, found))
    }

    fn read_all(&mut self, most: usize, found: &mut Vec<(u32, Record)>) -> io::Result<()> {
        let slots = self.file.metadata()?.len().div_ceil(SLOT as u64);
        self.end = u32::try_from(slots).unwrap_or(u32::MAX).max(1);
        for index in 1..self.end {
            let mut slot = [0; SLOT];
            // The last one ends with its content.
            let mut len = 0;
            while let Some(rest) = slot.get_mut(len..).filter(|rest| !rest.is_empty()) {
                match self.file.read_at(rest, offset(index) + len as u64)? {
                    0 => break,
                    n => len += n,
                }
            }
            match decode(&slot) {
                Some(record) if found.len() < most => found.push((index, record)),
                _ => self.free.push(index),
            }
        }
        Ok(())
    }

    /// Writes a record, over its former self if it had one; returns its slot.
    pub(crate) fn put(&mut self, index: Option<u32>, record: &Record) -> io::Result<u32> {
        let bytes = encode(record);
        let index = index.or_else(|| self.free.pop()).unwrap_or_else(|| {
            self.end += 1;
            self.end - 1
        });
        let written = self.file.write_all_at(&bytes, offset(index));
        if written.is_err() {
            self.clear(index);
        }
        written.map(|()| index)
    }

    /// Empties a slot.
    pub(crate) fn clear(&mut self, index: u32) {
        // A slot that cannot be emptied holds a cookie that no socket will have again.
        let _ = self.file.write_all_at(&[0; PREFIX], offset(index));
        self.free.push(index);
    }
}

fn offset(index: u32) -> u64 {
    u64::from(index) * SLOT as u64
}

/// The instance of the service before, if the file is of this boot.
fn read_head(file: &File, boot: &str) -> Option<u16> {
    let mut head = vec![0; HEAD.len() + 2 + boot.len()];
    file.read_exact_at(&mut head, 0).ok()?;
    let rest = head.strip_prefix(HEAD)?;
    let (instance, rest) = rest.split_first_chunk()?;
    (rest == boot.as_bytes()).then_some(u16::from_le_bytes(*instance))
}

const SOCKET: u8 = 0;
const MEMBER: u8 = 1;

fn encode(record: &Record) -> Vec<u8> {
    let mut out = vec![0; PREFIX];
    match record {
        Record::Socket(socket) => {
            out.push(SOCKET);
            encode_socket(socket, &mut out);
        }
        Record::Member(member) => {
            out.push(MEMBER);
            out.extend(member.pid.to_le_bytes());
            out.extend(member.started.to_le_bytes());
        }
    }
    let len = u16::try_from(out.len()).unwrap_or(0).to_le_bytes();
    let sum = sum(out.get(PREFIX..).unwrap_or(&[])).to_le_bytes();
    for (to, from) in out.iter_mut().zip(sum.into_iter().chain(len)) {
        *to = from;
    }
    out
}

fn encode_socket(record: &SocketRecord, out: &mut Vec<u8>) {
    let (ip, v6) = match record.bound.ip {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped(), 0),
        IpAddr::V6(ip) => (ip, 1),
    };
    out.extend(record.cookie.to_le_bytes());
    out.extend(record.token.to_le_bytes());
    out.extend(record.slot.to_le_bytes());
    out.extend(record.pid.to_le_bytes());
    out.extend(record.backlog.to_le_bytes());
    out.extend(record.family.raw().to_le_bytes());
    out.extend(record.bound.port.to_le_bytes());
    out.extend(record.bound.scope.to_le_bytes());
    out.push(v6);
    out.extend(ip.octets());
    for (level, name, value) in &record.options {
        let Ok(len) = u8::try_from(value.len()) else {
            continue;
        };
        // What has no room is lost: 47 options of four bytes have.
        if out.len() + 9 + value.len() > SLOT {
            break;
        }
        out.extend(level.to_le_bytes());
        out.extend(name.to_le_bytes());
        out.push(len);
        out.extend(value);
    }
}

/// `None` for an empty slot, and for one that was only half written.
fn decode(slot: &[u8]) -> Option<Record> {
    let (expected, rest) = slot.split_first_chunk()?;
    let (len, _) = rest.split_first_chunk()?;
    let body = slot.get(PREFIX..usize::from(u16::from_le_bytes(*len)))?;
    if sum(body) != u64::from_le_bytes(*expected) {
        return None;
    }
    let mut body = Body(body);
    match body.take()? {
        [SOCKET] => decode_socket(body).map(Record::Socket),
        [MEMBER] => Some(Record::Member(Member {
            pid: u32::from_le_bytes(body.take()?),
            started: u64::from_le_bytes(body.take()?),
        })),
        _ => None,
    }
}

fn decode_socket(mut body: Body<'_>) -> Option<SocketRecord> {
    let mut record = SocketRecord {
        cookie: u64::from_le_bytes(body.take()?),
        token: u64::from_le_bytes(body.take()?),
        slot: u32::from_le_bytes(body.take()?),
        pid: u32::from_le_bytes(body.take()?),
        backlog: i32::from_le_bytes(body.take()?),
        family: Family::from_raw(u16::from_le_bytes(body.take()?))?,
        bound: SockAddr::unspecified(Family::Inet),
        options: Vec::new(),
    };
    record.bound.port = u16::from_le_bytes(body.take()?);
    record.bound.scope = u32::from_le_bytes(body.take()?);
    let [v6] = body.take()?;
    let ip = std::net::Ipv6Addr::from(body.take::<16>()?);
    record.bound.ip = if v6 == 0 {
        ip.to_ipv4_mapped()?.into()
    } else {
        ip.into()
    };
    while !body.0.is_empty() {
        let level = i32::from_le_bytes(body.take()?);
        let name = i32::from_le_bytes(body.take()?);
        let [len] = body.take()?;
        let (value, rest) = body.0.split_at_checked(usize::from(len))?;
        record.options.push((level, name, value.to_vec()));
        body.0 = rest;
    }
    Some(record)
}

struct Body<'a>(&'a [u8]);

impl Body<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }
}

/// FNV-1a: against halves, not against people; those are kept out by the directory's mode. That of
/// nothing is not 0, so an empty slot has no valid one.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
