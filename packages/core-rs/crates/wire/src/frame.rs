//! The header every frame begins with.

use crate::cursor::{DecodeError, EncodeError, Reader, Writer};

/// "NC", the first two bytes of a frame.
pub const MAGIC: u16 = 0x434e;
/// A peer with another major version is refused.
pub const VERSION_MAJOR: u8 = 1;
/// Counts compatible additions. From 1 on a program knows direct names and marks.
pub const VERSION_MINOR: u8 = 1;
/// Bytes of the encoded header.
pub const HEADER_LEN: usize = 16;
/// The longest payload; a larger `len` is [`DecodeError::Truncated`].
pub const MAX_PAYLOAD: usize = 1008;
/// The longest frame, and so a buffer that always suffices.
pub const MAX_FRAME: usize = HEADER_LEN + MAX_PAYLOAD;

const FLAG_REPLY: u16 = 1;

/// What a frame is: magic u16, major u8, minor u8, op u16, flags u16, id u32, len u32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sender's minor version.
    pub minor: u8,
    /// An op number (see [`crate::Op`]).
    pub op: u16,
    /// Set in replies.
    pub is_reply: bool,
    /// Chosen by the requester, repeated in the reply.
    pub id: u32,
    /// Bytes of payload behind the header.
    pub len: u32,
}

impl Header {
    /// Splits a received record into header and payload.
    pub fn decode(frame: &[u8]) -> Result<(Header, &[u8]), DecodeError> {
        let mut r = Reader::new(frame);
        if r.u16()? != MAGIC {
            return Err(DecodeError::BadMagic);
        }
        let major = r.u8()?;
        let minor = r.u8()?;
        if major != VERSION_MAJOR {
            return Err(DecodeError::BadVersion(major));
        }
        let op = r.u16()?;
        let flags = r.u16()?;
        let id = r.u32()?;
        let len = r.u32()?;
        let n = usize::try_from(len).map_err(|_| DecodeError::Truncated)?;
        if n > MAX_PAYLOAD {
            return Err(DecodeError::Truncated);
        }
        let payload = r.take(n)?;
        let is_reply = flags & FLAG_REPLY != 0;
        Ok((
            Header {
                minor,
                op,
                is_reply,
                id,
                len,
            },
            payload,
        ))
    }

    /// Writes header and payload into `buf`; returns the frame's length.
    pub(crate) fn encode_with(
        op: u16,
        is_reply: bool,
        id: u32,
        buf: &mut [u8],
        payload: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError> {
        let (head, body) = buf
            .split_at_mut_checked(HEADER_LEN)
            .ok_or(EncodeError::NoSpace)?;
        let mut w = Writer::new(body);
        payload(&mut w)?;
        let len = w.written();
        if len > MAX_PAYLOAD {
            return Err(EncodeError::FieldTooLong);
        }
        let mut h = Writer::new(head);
        h.u16(MAGIC)?;
        h.u8(VERSION_MAJOR)?;
        h.u8(VERSION_MINOR)?;
        h.u16(op)?;
        h.u16(if is_reply { FLAG_REPLY } else { 0 })?;
        h.u32(id)?;
        h.u32(u32::try_from(len).map_err(|_| EncodeError::FieldTooLong)?)?;
        Ok(HEADER_LEN + len)
    }
}
