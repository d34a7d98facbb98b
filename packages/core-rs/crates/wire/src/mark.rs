//! The scratch pad that tells the library what a description is.
//!
//! A socket of ours carries 64 bits in `SO_MAX_PACING_RATE`, which AF_UNIX ignores, which needs no
//! privilege and which belongs to the open file description: it survives dup, fork, exec and
//! `SCM_RIGHTS`. One getsockopt answers "ours? which family, in which state?". The mark is a hint
//! for the library; the service trusts only the socket's cookie.
//!
//! The service writes marks on descriptions passed to it; the library writes one only on a socket
//! it has just accepted (an accepted socket inherits none).

use crate::addr::Family;

/// `SO_MAX_PACING_RATE` of a socket that nobody marked.
pub const MARK_UNSET: u64 = u64::MAX;

/// `SO_SNDBUF` of every unix socket that stands for a TCP socket, at both ends: the kernel doubles
/// it, or gives what net.core.wmem_max allows. A TCP socket's grows to several times the default of
/// a unix socket; measured: twice the default gains a third in bulk, more loses it to the caches.
pub const SEND_BUFFER: i32 = 262_144;

const MAGIC: u64 = 0x4e63; // "Nc"; the top 16 bits
const KIND_SOCKET: u64 = 1;
const KIND_CHANNEL: u64 = 2;
const KIND_DATAGRAM: u64 = 3;
/// Flags, beside that of `inherits`.
const DIRECT: u64 = 2;
const SHUT: u64 = 4;
const PARTED: u64 = 8;

/// What a socket has become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SocketState {
    /// socket(2), perhaps bound.
    Fresh = 0,
    /// Listening.
    Listening = 1,
    /// A connect is under way, or has failed and its error has not been fetched.
    Connecting = 2,
    /// Connected once; data is the kernel's business.
    Connected = 3,
    /// A non-blocking connect has failed: the native socket is used up.
    Failed = 4,
}

impl SocketState {
    /// The state with that number.
    pub const fn from_raw(raw: u8) -> Option<SocketState> {
        Some(match raw {
            0 => SocketState::Fresh,
            1 => SocketState::Listening,
            2 => SocketState::Connecting,
            3 => SocketState::Connected,
            4 => SocketState::Failed,
            _ => return None,
        })
    }
}

/// What is noted of an end of a direct connection, beside its state: nobody else is there to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DirectMark {
    /// The program has shut its writing half down.
    pub shut: bool,
    /// The end of the peer was told: a write behind it was taken, as TCP takes one, or its reset was reported.
    pub parted: bool,
}

/// A decoded scratch pad. Layout from the top: magic 16, kind 4, state 4, flags 4, family 4,
/// id 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// A socket that stands for a PCB of the service.
    Socket {
        /// The family it was created with.
        family: Family,
        /// What it has become.
        state: SocketState,
        /// The listener has options that accept(2) copies (`AF_UNIX` inherits none).
        inherits: bool,
        /// One end of a direct connection: the service is not between.
        direct: Option<DirectMark>,
        /// Index in the service's table; a hint, never a proof.
        id: u32,
    },
    /// The RPC channel of the process with that pid (in its own pid namespace).
    Channel {
        /// getpid(2) of the owner.
        pid: u32,
    },
    /// A kernel datagram socket out of the service's namespace: it is used as it is.
    Datagram,
}

impl Mark {
    /// The value for setsockopt(`SO_MAX_PACING_RATE`).
    pub const fn pack(self) -> u64 {
        match self {
            Mark::Socket {
                family,
                state,
                inherits,
                direct,
                id,
            } => {
                let v6 = matches!(family, Family::Inet6) as u64;
                let direct = match direct {
                    None => 0,
                    Some(DirectMark { shut, parted }) => {
                        DIRECT | (shut as u64 * SHUT) | (parted as u64 * PARTED)
                    }
                };
                (MAGIC << 48)
                    | (KIND_SOCKET << 44)
                    | ((state as u64) << 40)
                    | ((inherits as u64) << 36)
                    | (direct << 36)
                    | (v6 << 32)
                    | id as u64
            }
            Mark::Channel { pid } => (MAGIC << 48) | (KIND_CHANNEL << 44) | pid as u64,
            Mark::Datagram => (MAGIC << 48) | (KIND_DATAGRAM << 44),
        }
    }

    /// What a value got by getsockopt means; `None` if it is no mark.
    pub const fn unpack(raw: u64) -> Option<Mark> {
        if raw >> 48 != MAGIC {
            return None;
        }
        // The low half, by definition of the layout.
        #[allow(clippy::cast_possible_truncation)]
        let low = raw as u32;
        match (raw >> 44) & 0xf {
            KIND_SOCKET => {
                let Some(state) = SocketState::from_raw(((raw >> 40) & 0xf) as u8) else {
                    return None;
                };
                let family = if (raw >> 32) & 1 == 1 {
                    Family::Inet6
                } else {
                    Family::Inet
                };
                let flags = raw >> 36;
                let inherits = flags & 1 == 1;
                let direct = if flags & DIRECT == 0 {
                    None
                } else {
                    Some(DirectMark {
                        shut: flags & SHUT != 0,
                        parted: flags & PARTED != 0,
                    })
                };
                Some(Mark::Socket {
                    family,
                    state,
                    inherits,
                    direct,
                    id: low,
                })
            }
            KIND_CHANNEL => Some(Mark::Channel { pid: low }),
            KIND_DATAGRAM => Some(Mark::Datagram),
            _ => None,
        }
    }
}
