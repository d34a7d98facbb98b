//! netlink(7) messages: a header, a fixed body, attributes; everything padded to 4 bytes.
//!
//! Pure bytes, no system call. What the kernel sends is parsed as if it could be wrong: what does
//! not fit ends the walk.

const HEADER: usize = 16;
const ATTRIBUTE_HEADER: usize = 4;

/// A request under construction.
#[derive(Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
    dump: bool,
}

impl Request {
    /// A request that the kernel acknowledges. `body` is the fixed structure of this kind.
    pub(crate) fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let flags = flags | super::u16_of(libc::NLM_F_REQUEST | libc::NLM_F_ACK);
        Self::build(kind, flags, body, false)
    }

    /// A request that is answered by many messages and a final one.
    pub(crate) fn dump(kind: u16, body: &[u8]) -> Self {
        let flags = super::u16_of(libc::NLM_F_REQUEST | libc::NLM_F_DUMP);
        Self::build(kind, flags, body, true)
    }

    fn build(kind: u16, flags: u16, body: &[u8], dump: bool) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(body);
        Self { bytes, dump }
    }

    pub(crate) fn attribute(&mut self, kind: u16, value: &[u8]) {
        pad(&mut self.bytes);
        let len = u16::try_from(ATTRIBUTE_HEADER + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
    }

    pub(crate) fn is_dump(&self) -> bool {
        self.dump
    }

    pub(crate) fn finish(mut self, sequence: u32) -> Vec<u8> {
        pad(&mut self.bytes);
        let len = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// One message out of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram.
pub(crate) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let body = bytes.get(HEADER..len)?;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            sequence: u32_at(bytes, 8)?,
            body,
        };
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes that follow a fixed body.
pub(crate) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = usize::from(u16_at(bytes, 0)?);
        // The two top bits say "nested" and "network order" (netlink(7), NLA_TYPE_MASK).
        let kind = u16_at(bytes, 2)? & 0x3fff;
        let value = bytes.get(ATTRIBUTE_HEADER..len)?;
        bytes = bytes.get(aligned(len)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_ne_bytes(two.try_into().ok()?))
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(four.try_into().ok()?))
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(aligned(bytes.len()), 0);
}

fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

#[cfg(test)]
mod tests;
