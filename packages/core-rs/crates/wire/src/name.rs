//! The abstract unix name that carries a connection's identity.
//!
//! The service binds it to the program's end of a connect, and to its own end of an accept, so
//! getsockname and getpeername are answered from the kernel's own getsockname/getpeername without
//! an RPC, in any process that holds the socket. The token is random: a name is believed only
//! together with the table entry that has the same token.

use crate::addr::SockAddr;
use crate::cursor::{DecodeError, EncodeError, Reader, Writer};

/// Bytes of `sun_path` used: a NUL, the tag, id 4, token 8, local 24, peer 24.
pub const NAME_LEN: usize = 1 + TAG.len() + 4 + 8 + 2 * SockAddr::LEN;

const TAG: &[u8; 8] = b"netcon/1";
/// Of the connecting program's end of a direct connection: the accepted one reads it, too.
const TAG_DIRECT: &[u8; 8] = b"netcon/d";

/// See the module's text. `local` and `peer` are the program's view, in the socket's family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketName {
    /// Index in the service's table.
    pub id: u32,
    /// Random, from the service.
    pub token: u64,
    /// getsockname(2) of the program's socket.
    pub local: SockAddr,
    /// getpeername(2) of the program's socket.
    pub peer: SockAddr,
    /// The two programs hold the two ends of one unix connection. `local` and `peer` are the connecting one's view;
    /// `id` and `token` are the accepted one's entry.
    pub direct: bool,
}

impl SocketName {
    /// `sun_path` of the name, the leading NUL included.
    pub fn encode(&self) -> Result<[u8; NAME_LEN], EncodeError> {
        let mut path = [0; NAME_LEN];
        let mut w = Writer::new(&mut path);
        w.u8(0)?;
        w.put(if self.direct { TAG_DIRECT } else { TAG })?;
        w.u32(self.id)?;
        w.u64(self.token)?;
        self.local.write(&mut w)?;
        self.peer.write(&mut w)?;
        Ok(path)
    }

    /// Reads `sun_path` as the kernel returned it (its length is the address's less 2).
    pub fn decode(path: &[u8]) -> Result<SocketName, DecodeError> {
        if path.len() != NAME_LEN {
            return Err(DecodeError::Truncated);
        }
        let mut r = Reader::new(path);
        if r.u8()? != 0 {
            return Err(DecodeError::BadMagic);
        }
        let tag = r.array()?;
        let direct = tag == *TAG_DIRECT;
        if !direct && tag != *TAG {
            return Err(DecodeError::BadMagic);
        }
        Ok(SocketName {
            id: r.u32()?,
            token: r.u64()?,
            local: SockAddr::read(&mut r)?,
            peer: SockAddr::read(&mut r)?,
            direct,
        })
    }

    /// What the name says of the socket whose *peer* has it: an accepted one.
    #[must_use]
    pub const fn of_accepted(self) -> SocketName {
        if self.direct {
            SocketName {
                local: self.peer,
                peer: self.local,
                ..self
            }
        } else {
            self
        }
    }
}
