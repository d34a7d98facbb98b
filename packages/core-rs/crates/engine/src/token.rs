//! What an epoll event is about, packed into its 64 bits.

use crate::sessions::SessionId;
use crate::table::SocketKey;

const WAKER: u64 = 0;
const RPC: u64 = 1;
const LINK: u64 = 2;
const CHANNEL: u64 = 3;
const STREAM: u64 = 4;
const WAIT: u64 = 5;
const DATAGRAMS: u64 = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Commands from other threads.
    Waker,
    /// The RPC listener.
    Rpc,
    /// The link's fd.
    Link,
    /// The device behind datagram sockets.
    Datagrams,
    /// A program's channel.
    Channel(SessionId),
    /// Our end of a connected socket.
    Stream(SocketKey),
    /// The socket that a blocking connect(2) waits on.
    Wait(SocketKey),
}

impl Token {
    pub(crate) fn pack(self) -> u64 {
        let key = |kind: u64, key: SocketKey| {
            (kind << 61) | (u64::from(key.serial) << 32) | u64::from(key.slot)
        };
        match self {
            Token::Waker => WAKER << 61,
            Token::Rpc => RPC << 61,
            Token::Link => LINK << 61,
            Token::Datagrams => DATAGRAMS << 61,
            Token::Channel(id) => (CHANNEL << 61) | u64::from(id.0),
            Token::Stream(k) => key(STREAM, k),
            Token::Wait(k) => key(WAIT, k),
        }
    }

    pub(crate) fn unpack(raw: u64) -> Option<Token> {
        let low = u32::try_from(raw & 0xffff_ffff).ok()?;
        let serial = u32::try_from((raw >> 32) & u64::from(SocketKey::SERIAL_MASK)).ok()?;
        let key = SocketKey { slot: low, serial };
        Some(match raw >> 61 {
            WAKER => Token::Waker,
            RPC => Token::Rpc,
            LINK => Token::Link,
            DATAGRAMS => Token::Datagrams,
            CHANNEL => Token::Channel(SessionId(low)),
            STREAM => Token::Stream(key),
            WAIT => Token::Wait(key),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
