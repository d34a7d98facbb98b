//! Carrying options from one description to another: accept(2), and a description put in the place
//! of another.

use core::ffi::c_int;

use super::{ask, set_native, tell};
use crate::abi;
use crate::identity::{self, Socket};
use crate::{rpc, sys};

/// What accept(2) copies from a listening TCP socket and `AF_UNIX` does not (design.md 3).
const INHERITED: [c_int; 8] = [
    abi::SO_KEEPALIVE,
    abi::SO_LINGER,
    abi::SO_RCVTIMEO,
    abi::SO_SNDTIMEO,
    abi::SO_OOBINLINE,
    abi::SO_RCVLOWAT,
    abi::SO_RCVBUF,
    abi::SO_SNDBUF,
];

/// Copies the listener's options to an accepted socket, natively: the service knows them already.
pub(crate) fn inherit(listener: c_int, accepted: c_int) {
    for name in INHERITED {
        copy_native(listener, accepted, name);
    }
}

fn copy_native(from: c_int, to: c_int, name: c_int) {
    let Some((value, len)) = native_value(from, abi::SOL_SOCKET, name) else {
        return;
    };
    let value = value.get(..len).unwrap_or(&[]);
    let _ = match (name, value.first_chunk::<4>()) {
        // The kernel doubles what is set (socket(7)): set half of what it says.
        (abi::SO_RCVBUF | abi::SO_SNDBUF, Some(&doubled)) => {
            let half = c_int::from_ne_bytes(doubled) / 2;
            set_native(to, abi::SOL_SOCKET, name, &half.to_ne_bytes())
        }
        _ => set_native(to, abi::SOL_SOCKET, name, value),
    };
}

/// The longest of the values copied: struct timeval.
type Value = [u8; 16];

fn native_value(fd: c_int, level: c_int, name: c_int) -> Option<(Value, usize)> {
    let mut value = [0_u8; 16];
    let mut len = 16_u32;
    let args = [
        sys::int(fd),
        sys::int(level),
        sys::int(name),
        value.as_mut_ptr() as usize,
        &raw mut len as usize,
        0,
    ];
    // SAFETY: the kernel writes at most `len` bytes to `value`, and to `len`.
    unsafe { sys::call(sys::nr::GETSOCKOPT, args) }.ok()?;
    Some((value, len as usize))
}

/// Options that a description put under the same fd takes over from the one before.
const CARRIED: [(c_int, c_int); 3] = [
    (abi::SOL_SOCKET, abi::SO_REUSEPORT),
    (abi::IPPROTO_TCP, abi::TCP_NODELAY),
    (abi::IPPROTO_IPV6, abi::IPV6_V6ONLY),
];

/// Copies the kernel's half of the options to another description. Buffer sizes are left out: they
/// are a connect's gate meanwhile, and autotuned on a kernel TCP socket.
pub(crate) fn copy_native_all(from: c_int, to: c_int) {
    copy_native(from, to, abi::SO_REUSEADDR);
    for name in INHERITED {
        if !matches!(name, abi::SO_RCVBUF | abi::SO_SNDBUF) {
            copy_native(from, to, name);
        }
    }
}

/// Copies what was set on a socket of ours to its replacement, as far as it can be read.
pub(crate) fn copy_all(old: &Socket, new: c_int) {
    copy_native_all(old.fd, new);
    let is_ours = identity::mark(new).is_some();
    if is_ours {
        tell_native_all(new);
    }
    for (level, name) in CARRIED {
        let mut buf = rpc::buffer();
        let value = ask(old.fd, level, name, 4, &mut buf);
        let Some(value) = value.ok().and_then(|value| value.first_chunk::<4>()) else {
            continue;
        };
        let value = *value;
        if value == [0; 4] {
            continue;
        }
        let _ = if is_ours {
            tell(new, level, name, &value, true)
        } else {
            set_native(new, level, name, &value)
        };
    }
}

/// Before listen(2): the service says in the mark that accept(2) has something to copy.
pub(crate) fn tell_timeouts(fd: c_int) {
    let is_set = |name| {
        let value = native_value(fd, abi::SOL_SOCKET, name);
        value.is_some_and(|(value, _)| value != [0; 16])
    };
    if let Some(name) = [abi::SO_RCVTIMEO, abi::SO_SNDTIMEO]
        .into_iter()
        .find(|name| is_set(*name))
    {
        // Only that there is one is of interest.
        let _ = tell(fd, abi::SOL_SOCKET, name, &[0; 16], false);
    }
}

/// Tells the service what is set natively on a new description, as [`super::set`] would have.
fn tell_native_all(fd: c_int) {
    let names = INHERITED.into_iter().chain([abi::SO_REUSEADDR]);
    for name in names.filter(|name| !matches!(*name, abi::SO_RCVBUF | abi::SO_SNDBUF)) {
        let Some((value, len)) = native_value(fd, abi::SOL_SOCKET, name) else {
            continue;
        };
        let default: &[u8] = match name {
            abi::SO_RCVLOWAT => &1_i32.to_ne_bytes(),
            _ => &[0; 16],
        };
        let value = value.get(..len).unwrap_or(&[]);
        if !default.starts_with(value) {
            let _ = tell(fd, abi::SOL_SOCKET, name, value, true);
        }
    }
}

/// `SO_LINGER {1, 0}`: the next close sends a reset (RFC 9293 3.10.5, ABORT).
pub(crate) fn reset_on_close(fd: c_int) {
    let _ = tell(
        fd,
        abi::SOL_SOCKET,
        abi::SO_LINGER,
        &[1, 0, 0, 0, 0, 0, 0, 0],
        true,
    );
}

/// What a datagram socket takes over that is put in the place of another. Memberships, filters and
/// what names an interface are not: the other network has other interfaces.
const DATAGRAM: [(c_int, &[c_int]); 5] = [
    // SO_REUSEADDR, BROADCAST, SNDBUF, RCVBUF, KEEPALIVE, OOBINLINE, NO_CHECK, LINGER, REUSEPORT, RCVLOWAT,
    // RCVTIMEO, SNDTIMEO, TIMESTAMP, TIMESTAMPNS, MARK, TIMESTAMPING, RXQ_OVFL, PEEK_OFF,
    // SELECT_ERR_QUEUE, ZEROCOPY.
    (
        abi::SOL_SOCKET,
        &[
            2, 6, 7, 8, 9, 10, 11, 13, 15, 18, 20, 21, 29, 35, 36, 37, 40, 42, 45, 60,
        ],
    ),
    // linux/in.h, from IP_TOS to IP_LOCAL_PORT_RANGE.
    (
        abi::IPPROTO_IP,
        &[
            1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 19, 20, 21, 22, 23, 24, 25, 26, 33, 34, 49, 51,
        ],
    ),
    // linux/in6.h, from IPV6_UNICAST_HOPS to IPV6_FREEBIND.
    (
        abi::IPPROTO_IPV6,
        &[
            16, 18, 19, 23, 25, 26, 29, 31, 33, 49, 51, 53, 56, 58, 60, 62, 66, 67, 70, 72, 73, 74,
            75, 77, 78,
        ],
    ),
    // UDP_CORK, NO_CHECK6_TX, NO_CHECK6_RX, SEGMENT, GRO.
    (abi::IPPROTO_UDP, &[1, 101, 102, 103, 104]),
    // UDPLITE_SEND_CSCOV, RECV_CSCOV.
    (abi::IPPROTO_UDPLITE, &[10, 11]),
];
/// IP_TOS sets it too.
const SO_PRIORITY: c_int = 12;

/// Copies what differs of the options of a kernel datagram socket to another.
pub(crate) fn copy_datagram(from: c_int, to: c_int) {
    let all = DATAGRAM.iter().flat_map(|(level, names)| {
        let names = names.iter();
        names.map(|name| (*level, *name))
    });
    for (level, name) in all.chain([(abi::SOL_SOCKET, SO_PRIORITY)]) {
        let value = native_value(from, level, name);
        let Some((bytes, len)) =
            value.filter(|value| native_value(to, level, name) != Some(*value))
        else {
            continue;
        };
        if level == abi::SOL_SOCKET {
            copy_native(from, to, name);
        } else {
            let _ = set_native(to, level, name, bytes.get(..len).unwrap_or(&[]));
        }
    }
}
