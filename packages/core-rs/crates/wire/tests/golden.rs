//! Golden frames: bytes that may not move. packages/service reads the same file with its own codec.
//!
//! `UPDATE_GOLDEN=1 cargo test -p netcon-wire --test golden` writes the file anew, after a change of
//! the format that was meant (and with it, of the version).

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use netcon_wire::{
    CONNECT_NONBLOCKING, CONNECT_WAIT, Family, HelloReply, Interface, InterfaceAddress,
    MAX_ADDRESSES, MAX_FRAME, MAX_INTERFACE_ADDRESSES, MapReply, Op, Question, Reply, Request,
    SOCKET_CLOEXEC, SOCKET_NONBLOCK, SockAddr, SocketKind, SocketName, SocketState,
};

#[test]
fn frames_match_the_golden_file() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/frames.txt");
    let mut text = String::new();
    for (name, frame) in frames() {
        let hex = frame.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        writeln!(text, "{name} {hex}").unwrap();
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap();
    for (line, want) in text.lines().zip(golden.lines()) {
        assert_eq!(line, want, "bytes have moved");
    }
    assert_eq!(
        text.lines().count(),
        golden.lines().count(),
        "frames are missing"
    );
}

#[test]
fn golden_frames_decode_to_what_was_encoded() {
    for (id, (name, request)) in (1..).zip(requests()) {
        let frame = encoded(|buf| request.encode(id, buf));
        assert_eq!(Request::decode(&frame), Ok((id, request)), "{name}");
    }
    for (id, (name, op, status, reply)) in (1..).zip(replies()) {
        let frame = encoded(|buf| reply.encode(op, id, status, buf));
        assert_eq!(Reply::decode(&frame), Ok((op, id, status, reply)), "{name}");
    }
    for name in [name(), direct_name()] {
        assert_eq!(SocketName::decode(&name.encode().unwrap()), Ok(name));
    }
}

fn frames() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (id, (name, request)) in (1..).zip(requests()) {
        let frame = encoded(|buf| request.encode(id, buf));
        all.push((format!("request.{name}"), frame));
    }
    for (id, (name, op, status, reply)) in (1..).zip(replies()) {
        let frame = encoded(|buf| reply.encode(op, id, status, buf));
        all.push((format!("reply.{name}"), frame));
    }
    all.push((
        "name.connected".to_owned(),
        name().encode().unwrap().to_vec(),
    ));
    all.push((
        "name.direct".to_owned(),
        direct_name().encode().unwrap().to_vec(),
    ));
    all
}

fn requests() -> Vec<(&'static str, Request<'static>)> {
    vec![
        (
            "hello",
            Request::Hello {
                pid: 4711,
                program: b"curl",
            },
        ),
        (
            "attach",
            Request::Attach {
                pid: 4712,
                program: b"nginx",
            },
        ),
        (
            "socket.inet",
            Request::Socket {
                family: Family::Inet,
                flags: SOCKET_NONBLOCK | SOCKET_CLOEXEC,
                kind: SocketKind::Stream,
            },
        ),
        (
            "socket.inet6",
            Request::Socket {
                family: Family::Inet6,
                flags: 0,
                kind: SocketKind::Stream,
            },
        ),
        ("bind.v4", Request::Bind { addr: v4() }),
        ("bind.v6", Request::Bind { addr: v6() }),
        ("listen", Request::Listen { backlog: -1 }),
        (
            "connect.wait",
            Request::Connect {
                addr: v6(),
                flags: CONNECT_WAIT,
            },
        ),
        (
            "connect.nonblocking",
            Request::Connect {
                addr: v4(),
                flags: CONNECT_NONBLOCKING,
            },
        ),
        ("map", Request::Map),
        ("getsockname", Request::GetSockName),
        ("getpeername", Request::GetPeerName),
        (
            "getsockopt",
            Request::GetSockOpt {
                level: 6,
                name: 11,
                len: 104,
            },
        ),
        (
            "setsockopt",
            Request::SetSockOpt {
                level: 1,
                name: 13,
                value: &[1, 0, 0, 0, 0, 0, 0, 0],
            },
        ),
        ("shutdown", Request::Shutdown { how: 2 }),
        ("accepted", Request::Accepted),
        (
            "socket.udp",
            Request::Socket {
                family: Family::Inet,
                flags: SOCKET_CLOEXEC,
                kind: SocketKind::Udp,
            },
        ),
        (
            "socket.ping",
            Request::Socket {
                family: Family::Inet6,
                flags: 0,
                kind: SocketKind::Ping,
            },
        ),
        ("interface", Request::Interface { position: 1 }),
        (
            "resolve.addresses",
            Request::Resolve(Question::Addresses {
                family: Some(Family::Inet6),
                name: b"www.example",
            }),
        ),
        (
            "resolve.names",
            Request::Resolve(Question::Names {
                ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
            }),
        ),
        (
            "resolve.message",
            Request::Resolve(Question::Message(&[0, 1, 1, 0])),
        ),
        (
            "resolve.search",
            Request::Resolve(Question::Search {
                class: 1,
                kind: 15,
                name: b"example",
            }),
        ),
        ("resolve.families", Request::Resolve(Question::Families)),
        (
            "resolve.order",
            Request::Resolve(Question::Order(&[
                4, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            ])),
        ),
        (
            "ready",
            Request::Ready {
                family: Family::Inet6,
                more: 8,
                channel: 1000,
            },
        ),
        ("dial", Request::Dial { addr: v4(), fd: 5 }),
        (
            "nodelay",
            Request::NoDelay {
                id: 9,
                token: 0x0102_0304_0506_0708,
                on: true,
            },
        ),
    ]
}

fn replies() -> Vec<(&'static str, Op, u32, Reply<'static>)> {
    const EACCES: u32 = 13;
    const EADDRINUSE: u32 = 98;
    vec![
        ("hello", Op::Hello, 0, Reply::Hello(hello(b"", 7, 2))),
        (
            "hello.refused",
            Op::Hello,
            EACCES,
            Reply::Hello(hello(b"user bob may not join", 0, 0)),
        ),
        ("attach", Op::Attach, 0, Reply::Hello(hello(b"", 8, 1))),
        ("socket", Op::Socket, 0, Reply::Socket { id: 0x0102_0304 }),
        ("bind", Op::Bind, 0, Reply::Addr(v4())),
        (
            "bind.failed",
            Op::Bind,
            EADDRINUSE,
            Reply::Failed(EADDRINUSE),
        ),
        ("listen", Op::Listen, 0, Reply::Addr(v6())),
        (
            "connect",
            Op::Connect,
            0,
            Reply::Connect {
                local: v4(),
                peer: SockAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), 80),
            },
        ),
        (
            "map",
            Op::Map,
            0,
            Reply::Map(MapReply {
                id: 9,
                family: Family::Inet6,
                state: SocketState::Connected,
                local: v6(),
                peer: mapped(),
            }),
        ),
        ("getsockname", Op::GetSockName, 0, Reply::Addr(mapped())),
        ("getpeername", Op::GetPeerName, 0, Reply::Addr(v6())),
        (
            "getsockopt",
            Op::GetSockOpt,
            0,
            Reply::Value(&[0x6f, 0, 0, 0]),
        ),
        ("setsockopt", Op::SetSockOpt, 0, Reply::Done),
        ("shutdown", Op::Shutdown, 0, Reply::Done),
        ("accepted", Op::Accepted, 0, Reply::Done),
        ("interface", Op::Interface, 0, Reply::Interface(interface())),
        (
            "resolve",
            Op::Resolve,
            0,
            Reply::Part {
                more: true,
                bytes: &[1, 2, 3],
            },
        ),
        ("ready", Op::Ready, 0, Reply::Value(&[0, 9, 0, 0, 1])),
    ]
}

fn interface() -> Interface {
    let mut addresses = [Interface::NO_ADDRESS; MAX_INTERFACE_ADDRESSES];
    for (slot, (addr, prefix)) in addresses.iter_mut().zip([(v4(), 24), (v6(), 64)]) {
        *slot = InterfaceAddress { addr, prefix };
    }
    Interface {
        name: *b"netcon0\0\0\0\0\0\0\0\0\0",
        index: 2,
        flags: 0x1_1043,
        hardware: 1,
        mtu: 1500,
        queue: 1000,
        mac: [2, 0x6e, 0x63, 0, 0, 1],
        addresses,
        count: 2,
    }
}

fn hello(message: &'static [u8], session: u32, count: u8) -> HelloReply<'static> {
    let mut addresses = [SockAddr::unspecified(Family::Inet); MAX_ADDRESSES];
    let own = [
        SockAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), 0),
        SockAddr::new(IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2)), 0),
    ];
    for (slot, addr) in addresses.iter_mut().zip(own).take(usize::from(count)) {
        *slot = addr;
    }
    HelloReply {
        session,
        message,
        addresses,
        count,
    }
}

fn name() -> SocketName {
    SocketName {
        id: 9,
        token: 0x0102_0304_0506_0708,
        local: v4(),
        peer: v6(),
        direct: false,
    }
}

fn direct_name() -> SocketName {
    SocketName {
        direct: true,
        ..name()
    }
}

fn v4() -> SockAddr {
    SockAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), 0xabcd)
}

fn v6() -> SockAddr {
    SockAddr {
        ip: IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0x1234, 0, 0, 1)),
        port: 443,
        scope: 3,
    }
}

fn mapped() -> SockAddr {
    v4().as_family(Family::Inet6)
}

fn encoded<E: std::fmt::Debug>(encode: impl FnOnce(&mut [u8]) -> Result<usize, E>) -> Vec<u8> {
    let mut buf = [0; MAX_FRAME];
    let len = encode(&mut buf).unwrap();
    buf[..len].to_vec()
}
