//! Decoding is total: any bytes give a value or an error; what was encoded decodes to itself; what
//! decodes, encodes to a frame that decodes to the same.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::IpAddr;

use netcon_wire::{
    DecodeError, DirectMark, EncodeError, Family, Found, Header, HelloReply, INTERFACE_NAME_LEN,
    Interface, InterfaceAddress, MAX_ADDRESSES, MAX_FRAME, MAX_INTERFACE_ADDRESSES, MAX_OPTION_LEN,
    MAX_PROGRAM_LEN, MapReply, Mark, Op, Question, Reply, Request, SockAddr, SocketKind,
    SocketName, SocketState, Verdict, encode_address,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_decode_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..1100)) {
        decode_all(&bytes);
    }

    /// Random bytes seldom get past the header; these always do.
    #[test]
    fn arbitrary_payload_decodes_without_panic(
        op in 0u16..20,
        flags in 0u16..2,
        len in prop_oneof![0u32..1100, any::<u32>()],
        payload in prop::collection::vec(any::<u8>(), 0..1100),
    ) {
        let mut frame = vec![0x4e, 0x43, 1, 0];
        frame.extend(op.to_le_bytes());
        frame.extend(flags.to_le_bytes());
        frame.extend(7u32.to_le_bytes());
        frame.extend(len.to_le_bytes());
        frame.extend(&payload);
        decode_all(&frame);
    }

    #[test]
    fn request_decodes_to_itself(id: u32, parts in request_parts()) {
        let request = parts.request();
        let frame = encoded(|buf| request.encode(id, buf));
        prop_assert_eq!(Request::decode(&frame), Ok((id, request)));
    }

    #[test]
    fn reply_decodes_to_itself(id: u32, parts in reply_parts()) {
        let (op, status, reply) = parts.reply();
        let frame = encoded(|buf| reply.encode(op, id, status, buf));
        prop_assert_eq!(Reply::decode(&frame), Ok((op, id, status, reply)));
    }

    /// A record cut short is refused: no field is made up.
    #[test]
    fn truncated_request_is_refused(parts in request_parts(), cut in 1usize..1000) {
        let frame = encoded(|buf| parts.request().encode(1, buf));
        let short = &frame[..frame.len().saturating_sub(cut)];
        prop_assert_eq!(Request::decode(short), Err(DecodeError::Truncated));
    }

    /// A newer peer may append fields: they are ignored.
    #[test]
    fn longer_payload_is_accepted(parts in request_parts(), more in prop::collection::vec(any::<u8>(), 0..50)) {
        let request = parts.request();
        let mut frame = encoded(|buf| request.encode(1, buf));
        // What stands behind a SOCKET for a stream begins with the kind that it left out.
        let leaves_out = matches!(request, Request::Socket { kind: SocketKind::Stream, .. });
        if leaves_out && !more.is_empty() {
            frame.push(SocketKind::Stream as u8);
        }
        frame.extend(&more);
        let len = u32::try_from(frame.len() - 16).unwrap();
        frame[12..16].copy_from_slice(&len.to_le_bytes());
        prop_assert_eq!(Request::decode(&frame), Ok((1, request)));
    }

    #[test]
    fn short_buffer_is_an_error(parts in request_parts(), room in 0usize..1024) {
        let request = parts.request();
        let need = encoded(|buf| request.encode(1, buf)).len();
        let mut buf = vec![0; room];
        let want = if room < need { Err(EncodeError::NoSpace) } else { Ok(need) };
        prop_assert_eq!(request.encode(1, &mut buf), want);
    }

    #[test]
    fn name_decodes_to_itself(id: u32, token: u64, local in addr(), peer in addr(), direct: bool) {
        let name = SocketName { id, token, local, peer, direct };
        let path = name.encode().unwrap();
        prop_assert_eq!(SocketName::decode(&path), Ok(name));
    }

    #[test]
    fn mark_unpacks_to_itself(id: u32, v6: bool, bits in 0u8..16, state in 0u8..5) {
        let family = if v6 { Family::Inet6 } else { Family::Inet };
        let state = SocketState::from_raw(state).unwrap();
        let bit = |n: u8| bits & n != 0;
        let direct = bit(1).then_some(DirectMark { shut: bit(2), parted: bit(4) });
        let mark = Mark::Socket { family, state, inherits: bit(8), direct, id };
        prop_assert_eq!(Mark::unpack(mark.pack()), Some(mark));
        let channel = Mark::Channel { pid: id };
        prop_assert_eq!(Mark::unpack(channel.pack()), Some(channel));
        prop_assert_eq!(Mark::unpack(Mark::Datagram.pack()), Some(Mark::Datagram));
    }

    #[test]
    fn arbitrary_mark_unpacks_without_panic(raw: u64) {
        let _ = Mark::unpack(raw);
        let _ = Mark::unpack(raw & 0x0000_ffff_ffff_ffff | 0x4e63 << 48);
    }
}

#[test]
fn fields_over_their_bounds_are_not_encoded() {
    let mut buf = [0; MAX_FRAME];
    let long = [0; MAX_OPTION_LEN + 1];
    let program = Request::Hello {
        pid: 1,
        program: &long[..=MAX_PROGRAM_LEN],
    };
    assert_eq!(program.encode(1, &mut buf), Err(EncodeError::FieldTooLong));
    let value = Request::SetSockOpt {
        level: 1,
        name: 1,
        value: &long,
    };
    assert_eq!(value.encode(1, &mut buf), Err(EncodeError::FieldTooLong));
    let value = Reply::Value(&long).encode(Op::GetSockOpt, 1, 0, &mut buf);
    assert_eq!(value, Err(EncodeError::FieldTooLong));
}

#[test]
fn foreign_frames_are_named_in_the_error() {
    let good = encoded(|buf| Request::Map.encode(1, buf));
    let with = |at: usize, byte: u8| {
        let mut frame = good.clone();
        frame[at] = byte;
        Request::decode(&frame).unwrap_err()
    };
    let table = [
        (0, 0, DecodeError::BadMagic, "not ours"),
        (2, 2, DecodeError::BadVersion(2), "another major version"),
        (
            4,
            0xee,
            DecodeError::UnknownOp(0xee),
            "an op of a newer version",
        ),
        (
            6,
            1,
            DecodeError::BadField,
            "a reply where a request is due",
        ),
        (12, 1, DecodeError::Truncated, "a length beyond the record"),
    ];
    for (at, byte, want, why) in table {
        assert_eq!(with(at, byte), want, "{why}");
    }
}

#[test]
fn socket_kind_is_a_trailing_byte_that_older_senders_lack() {
    let stream = Request::Socket {
        family: Family::Inet,
        flags: 0,
        kind: SocketKind::Stream,
    };
    let mut long = encoded(|buf| stream.encode(1, buf));
    long.pop();
    let mut short = long.clone();
    short[12] -= 1;
    assert_eq!(Request::decode(&short), Ok((1, stream)), "as before");
    for (byte, want) in [
        (0, Some(SocketKind::Stream)),
        (1, Some(SocketKind::Udp)),
        (3, Some(SocketKind::Ping)),
        (4, None),
    ] {
        let frame = [long.as_slice(), &[byte]].concat();
        let kind = match Request::decode(&frame) {
            Ok((_, Request::Socket { kind, .. })) => Some(kind),
            _ => None,
        };
        assert_eq!(kind, want, "kind {byte}");
    }
}

#[test]
fn found_gives_names_and_addresses_and_refuses_lists_that_do_not_add_up() {
    let v4 = IpAddr::from([192, 0, 2, 7]);
    let v6 = IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    let mut bytes = vec![0, 60, 0, 0, 0, 6, 0, 3, b'w', b'w', b'w', 1, b'a', 34, 0];
    bytes.extend(encode_address(v4));
    bytes.extend(encode_address(v6));
    let found = Found::decode(&bytes).unwrap();
    assert_eq!((found.verdict, found.ttl), (Verdict::Found, 60));
    assert_eq!(found.names().collect::<Vec<_>>(), [b"www".as_slice(), b"a"]);
    assert_eq!(found.addresses().collect::<Vec<_>>(), [v4, v6]);
    for (at, byte, why) in [
        (0, 5, "no verdict has that number"),
        (7, 9, "a name beyond the names"),
        (15, 5, "neither IPv4 nor IPv6"),
        (13, 33, "half an address"),
    ] {
        let mut bad = bytes.clone();
        bad[at] = byte;
        assert_eq!(Found::decode(&bad), Err(DecodeError::BadField), "{why}");
    }
}

fn decode_all(bytes: &[u8]) {
    let _ = Header::decode(bytes);
    let _ = SocketName::decode(bytes);
    if let Ok((id, request)) = Request::decode(bytes) {
        let frame = encoded(|buf| request.encode(id, buf));
        assert_eq!(Request::decode(&frame), Ok((id, request)));
    }
    let _ = Found::decode(bytes);
    if let Ok((op, id, status, reply)) = Reply::decode(bytes) {
        let frame = encoded(|buf| reply.encode(op, id, status, buf));
        assert_eq!(Reply::decode(&frame), Ok((op, id, status, reply)));
    }
}

/// Raw material for any message: the variants borrow from it.
#[derive(Debug)]
struct Parts {
    pick: usize,
    a: u32,
    b: i32,
    c: i32,
    flags: u8,
    v6: bool,
    bytes: Vec<u8>,
    /// Addresses as a list has them.
    list: Vec<u8>,
    local: SockAddr,
    peer: SockAddr,
}

impl Parts {
    fn family(&self) -> Family {
        if self.v6 { Family::Inet6 } else { Family::Inet }
    }

    fn request(&self) -> Request<'_> {
        let program = &self.bytes[..self.bytes.len().min(MAX_PROGRAM_LEN)];
        let (pid, addr, flags) = (self.a, self.local, self.flags);
        let (level, name) = (self.b, self.c);
        match self.pick % 23 {
            0 => Request::Hello { pid, program },
            1 => Request::Attach { pid, program },
            2 => Request::Socket {
                family: self.family(),
                flags,
                kind: SocketKind::from_raw(flags % 4).unwrap(),
            },
            3 => Request::Bind { addr },
            4 => Request::Listen { backlog: self.b },
            5 => Request::Connect { addr, flags },
            6 => Request::Map,
            7 => Request::GetSockName,
            8 => Request::GetPeerName,
            9 => Request::GetSockOpt {
                level,
                name,
                len: u16::from(flags),
            },
            10 => Request::SetSockOpt {
                level,
                name,
                value: &self.bytes,
            },
            11 => Request::Shutdown { how: flags % 3 },
            12 => Request::Interface { position: flags },
            13 => Request::Accepted,
            14 => Request::Ready {
                family: self.family(),
                more: flags,
                channel: self.b,
            },
            16 => Request::Dial { addr, fd: self.b },
            15 => Request::NoDelay {
                id: self.a,
                token: u64::from(self.a) << 20,
                on: self.v6,
            },
            _ => Request::Resolve(self.question()),
        }
    }

    fn question(&self) -> Question<'_> {
        let name = self.bytes.as_slice();
        match self.pick % 6 {
            0 => Question::Addresses {
                family: self.v6.then(|| self.family()),
                name,
            },
            1 => Question::Names { ip: self.peer.ip },
            2 => Question::Message(name),
            3 => Question::Search {
                class: u16::from(self.flags),
                kind: self.peer.port,
                name,
            },
            4 => Question::Families,
            _ => Question::Order(&self.list),
        }
    }

    fn reply(&self) -> (Op, u32, Reply<'_>) {
        let (local, peer) = (self.local, self.peer);
        match self.pick % 11 {
            0 => (Op::Bind, self.a.max(1), Reply::Failed(self.a.max(1))),
            1 => (Op::Hello, self.a, Reply::Hello(self.hello())),
            2 => (Op::Attach, self.a, Reply::Hello(self.hello())),
            3 => (Op::Socket, 0, Reply::Socket { id: self.a }),
            4 => (Op::Listen, 0, Reply::Addr(local)),
            5 => (Op::Connect, 0, Reply::Connect { local, peer }),
            6 => {
                let map = MapReply {
                    id: self.a,
                    family: self.family(),
                    state: SocketState::from_raw(self.flags % 5).unwrap(),
                    local,
                    peer,
                };
                (Op::Map, 0, Reply::Map(map))
            }
            7 => (Op::GetSockOpt, 0, Reply::Value(&self.bytes)),
            8 => (Op::Interface, 0, Reply::Interface(self.interface())),
            9 => (Op::Shutdown, 0, Reply::Done),
            _ => {
                let (more, bytes) = (self.v6, self.bytes.as_slice());
                (Op::Resolve, 0, Reply::Part { more, bytes })
            }
        }
    }

    fn interface(&self) -> Interface {
        let count = self.flags % (u8::try_from(MAX_INTERFACE_ADDRESSES).unwrap() + 1);
        let mut addresses = [Interface::NO_ADDRESS; MAX_INTERFACE_ADDRESSES];
        for slot in &mut addresses[..usize::from(count)] {
            *slot = InterfaceAddress {
                addr: self.local,
                prefix: self.flags,
            };
        }
        let mut name = [0; INTERFACE_NAME_LEN];
        for (to, from) in name[..INTERFACE_NAME_LEN - 1].iter_mut().zip(&self.bytes) {
            *to = *from;
        }
        Interface {
            name,
            index: self.a,
            flags: self.b.cast_unsigned(),
            hardware: self.flags.into(),
            mtu: self.a,
            queue: self.c.cast_unsigned(),
            mac: [self.flags; 6],
            addresses,
            count,
        }
    }

    fn hello(&self) -> HelloReply<'_> {
        let count = self.flags % (u8::try_from(MAX_ADDRESSES).unwrap() + 1);
        let mut addresses = [SockAddr::unspecified(Family::Inet); MAX_ADDRESSES];
        for slot in &mut addresses[..usize::from(count)] {
            *slot = self.peer;
        }
        HelloReply {
            session: self.a,
            message: &self.bytes,
            addresses,
            count,
        }
    }
}

fn request_parts() -> impl Strategy<Value = Parts> {
    let bytes = prop::collection::vec(any::<u8>(), 0..=MAX_OPTION_LEN);
    let numbers = (any::<usize>(), any::<u32>(), any::<i32>(), any::<i32>());
    (numbers, any::<u8>(), any::<bool>(), bytes, addr(), addr()).prop_map(
        |((pick, a, b, c), flags, v6, bytes, local, peer)| Parts {
            pick,
            a,
            b,
            c,
            flags,
            v6,
            bytes,
            list: [local, peer]
                .iter()
                .flat_map(|addr| encode_address(addr.ip))
                .collect(),
            local,
            peer,
        },
    )
}

fn reply_parts() -> impl Strategy<Value = Parts> {
    request_parts()
}

fn addr() -> impl Strategy<Value = SockAddr> {
    let ip = prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
    ];
    (ip, any::<u16>(), any::<u32>()).prop_map(|(ip, port, scope)| SockAddr { ip, port, scope })
}

fn encoded<E: std::fmt::Debug>(encode: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Vec<u8> {
    let mut buf = [0; MAX_FRAME];
    let len = encode(&mut buf).unwrap();
    buf[..len].to_vec()
}
