//! The engine through its RPC, as the preloaded library uses it: no library, no link.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a test"
)]

mod support;

use std::os::fd::AsFd;

use netcon_sys::{sockopt, unix};
use netcon_wire::{CONNECT_DETACH, CONNECT_WAIT, Family, Mark, Request, SocketName, SocketState};
use support::{Got, Service, accept, read_exact, read_to_end, v4};

const ECONNREFUSED: u32 = 111;
const EINPROGRESS: u32 = 115;
const EALREADY: u32 = 114;
const EINVAL: u32 = 22;
const EADDRINUSE: u32 = 98;
const ENOTSOCK: u32 = 88;
const ESTALE: u32 = 116;

#[test]
fn blocking_connect_exchanges_bytes_both_ways() {
    for (ip, want) in [
        ("127.0.0.1", "127.0.0.1"),
        ("10.77.0.2", "10.77.0.2"),
        ("::1", "::1"),
    ] {
        let service = Service::start();
        let program = service.program();
        let (listener, at) = program.listener(v4(ip, 0), 8);
        let client = program.socket(at.family(), 0);
        let (local, peer) = program.connect(&client, at).unwrap();
        assert_eq!((peer, local.ip.to_string().as_str()), (at, want));
        let server = accept(&listener);
        unix::send(client.as_fd(), b"question").unwrap();
        assert_eq!(read_exact(&server, 8), b"question");
        unix::send(server.as_fd(), b"answer").unwrap();
        assert_eq!(read_exact(&client, 6), b"answer");
        // The name of the connecting end carries the addresses, for both.
        let near = SocketName::decode(&unix::local_name(client.as_fd()).unwrap()).unwrap();
        let far = SocketName::decode(&unix::peer_name(server.as_fd()).unwrap()).unwrap();
        let far = far.of_accepted();
        assert_eq!((near.local, near.peer), (local, peer));
        assert_eq!((far.local, far.peer), (peer, local));
    }
}

#[test]
fn a_megabyte_arrives_in_order_and_half_close_ends_it() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let client = program.socket(Family::Inet, 0);
    program.connect(&client, at).unwrap();
    let server = accept(&listener);
    let data: Vec<u8> = (0..4_000_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
    let expected = data.clone();
    let writer = std::thread::spawn(move || {
        let mut rest = &data[..];
        while !rest.is_empty() {
            match unix::send(client.as_fd(), rest) {
                Ok(n) => rest = &rest[n..],
                Err(_) => std::thread::yield_now(),
            }
        }
        unix::shutdown_write(client.as_fd()).unwrap();
        client
    });
    let (got, end) = read_to_end(&server);
    assert!(end.is_ok() && got == expected, "{} bytes", got.len());
    let client = writer.join().unwrap();
    unix::send(server.as_fd(), b"after").unwrap();
    assert_eq!(read_exact(&client, 5), b"after");
    drop(server);
    assert_eq!(read_to_end(&client).0, b"");
}

#[test]
fn refused_blocking_connect_leaves_the_socket_usable() {
    let service = Service::start();
    let program = service.program();
    let client = program.socket(Family::Inet, 0);
    assert_eq!(
        program.connect(&client, v4("127.0.0.1", 9)),
        Err(ECONNREFUSED)
    );
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    program.connect(&client, at).unwrap();
    drop(accept(&listener));
}

#[test]
fn nonblocking_connect_is_writable_only_when_connected() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let client = program.socket(Family::Inet, 1);
    assert_eq!(program.connect_nonblocking(&client, at).0, EINPROGRESS);
    let server = accept(&listener);
    // Writable at the latest when the server has it; what is written is the first byte there.
    let mut sent = unix::send(client.as_fd(), b"first");
    while sent.is_err() {
        sent = unix::send(client.as_fd(), b"first");
    }
    assert_eq!(read_exact(&server, 5), b"first");
    let mark = Mark::unpack(sockopt::mark(client.as_fd()).unwrap());
    assert!(matches!(
        mark,
        Some(Mark::Socket {
            state: SocketState::Connected,
            ..
        })
    ));
    assert!(sockopt::send_buffer(client.as_fd()).unwrap() > 100_000);
}

#[test]
fn refused_nonblocking_connect_gives_its_error_once_and_a_fresh_description() {
    let service = Service::start();
    let program = service.program();
    let client = program.socket(Family::Inet, 1);
    assert_eq!(
        program.connect_nonblocking(&client, v4("127.0.0.1", 9)).0,
        EINPROGRESS
    );
    let mut error = 0;
    while error == 0 {
        error = program.error(&client);
    }
    assert_eq!(error, ECONNREFUSED);
    assert_eq!(program.error(&client), 0);
    // Without an error left Linux says ECONNABORTED, then connects anew.
    assert_eq!(
        program.connect_nonblocking(&client, v4("127.0.0.1", 9)).0,
        103
    );
    let (status, fds) = program.connect_nonblocking(&client, v4("127.0.0.1", 9));
    assert_eq!((status, fds.len()), (ESTALE, 1));
    assert_eq!(
        program.connect_nonblocking(&fds[0], v4("127.0.0.1", 9)).0,
        EINPROGRESS
    );
}

#[test]
fn a_port_is_free_again_when_its_holder_has_closed() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let second = program.socket(Family::Inet, 0);
    assert_eq!(program.bind(&second, at), Err(EADDRINUSE));
    drop(listener);
    assert_eq!(program.bind(&second, at), Ok(at));
}

#[test]
fn syn_to_a_dead_listener_is_refused() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    drop(listener);
    let client = program.socket(Family::Inet, 0);
    assert_eq!(program.connect(&client, at), Err(ECONNREFUSED));
}

#[test]
fn last_words_before_a_close_that_resets_arrive() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    // Written and closed within one turn of the engine, as a rule.
    for _ in 0..50 {
        let client = program.socket(Family::Inet, 0);
        program.connect(&client, at).unwrap();
        let server = accept(&listener);
        unix::send(server.as_fd(), b"unread").unwrap();
        while unix::peek(client.as_fd()).is_err() {}
        unix::send(client.as_fd(), b"last words").unwrap();
        drop(client);
        let (got, end) = read_to_end(&server);
        assert_eq!(got, b"last words");
        let native = end.err().and_then(|e| e.raw_os_error()) == Some(104);
        assert!(native || program.error(&server) == 104, "no reset");
    }
}

#[test]
fn close_with_unread_data_resets_the_peer_after_its_data() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let client = program.socket(Family::Inet, 0);
    program.connect(&client, at).unwrap();
    let server = accept(&listener);
    unix::send(client.as_fd(), b"never read").unwrap();
    unix::send(server.as_fd(), b"last words").unwrap();
    assert_eq!(read_exact(&client, 10), b"last words");
    while unix::peek(server.as_fd()).is_err() {}
    drop(server);
    let (data, end) = read_to_end(&client);
    assert_eq!(data, b"");
    let native = end.err().and_then(|e| e.raw_os_error()) == Some(104);
    assert!(
        native || program.error(&client) == 104,
        "neither the kernel nor the service says so"
    );
}

#[test]
fn full_backlog_keeps_connections_until_accepted() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 2);
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let client = program.socket(Family::Inet, 0);
            program.connect(&client, at).unwrap();
            client
        })
        .collect();
    for (i, client) in clients.iter().enumerate() {
        unix::send(client.as_fd(), &[i as u8]).unwrap();
    }
    let mut seen: Vec<u8> = (0..3)
        .map(|_| read_exact(&accept(&listener), 1)[0])
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn map_tells_ours_from_others() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 2);
    match program.ask(&Request::Map, &[&listener]) {
        (0, Got::Map(map), _) => {
            assert_eq!((map.state, map.local), (SocketState::Listening, at));
        }
        other => panic!("{other:?}"),
    }
    let (stranger, _other) = unix::pair(unix::Kind::Stream).unwrap();
    assert_eq!(program.ask(&Request::Map, &[&stranger]).0, ENOTSOCK);
}

#[test]
fn sockets_of_a_program_that_ends_are_forgotten() {
    let service = Service::start();
    let program = service.program();
    let (listener, _) = program.listener(v4("127.0.0.1", 0), 2);
    let idle = program.socket(Family::Inet6, 0);
    service.eventually(|rows| rows.len() == 2);
    drop((program, listener, idle));
    service.eventually(|rows| rows.is_empty());
}

#[test]
fn garbage_on_a_channel_harms_nobody_else() {
    let service = Service::start();
    let program = service.program();
    let noise = netcon_engine::client::connect(&service.socket_path).unwrap();
    unix::send_record(noise.as_fd(), &[0xff; 900], None).unwrap();
    unix::send_record(program.channel.as_fd(), &[0x4e; 900], None).unwrap();
    let (listener, _) = program.listener(v4("127.0.0.1", 0), 2);
    drop(listener);
}

#[test]
fn both_directions_at_once_lose_nothing_when_both_half_close_and_exit() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let expected: Vec<u8> = (0..2_000_000u32).map(|i| ((i * 37) >> 4) as u8).collect();
    for round in 0..20 {
        let client = program.socket(Family::Inet, 0);
        program.connect(&client, at).unwrap();
        let server = accept(&listener);
        let ends = [client, server].map(|end| {
            let data = expected.clone();
            std::thread::spawn(move || duplex(&end, &data))
        });
        for end in ends {
            let got = end.join().unwrap();
            assert!(got == expected, "round {round}: {} bytes", got.len());
        }
    }
}

/// Sends everything, shuts down, reads to the end, closes: what nc -N does.
fn duplex(end: &std::os::fd::OwnedFd, data: &[u8]) -> Vec<u8> {
    let (mut sent, mut got, mut buf) = (0, Vec::new(), vec![0; 65536]);
    loop {
        let chunk = &data[sent..data.len().min(sent + 16384)];
        if !chunk.is_empty()
            && let Ok(n) = unix::send(end.as_fd(), chunk)
        {
            sent += n;
            if sent == data.len() {
                unix::shutdown_write(end.as_fd()).unwrap();
            }
        }
        match unix::recv(end.as_fd(), &mut buf) {
            Ok(0) if sent == data.len() => return got,
            Ok(n) => got.extend_from_slice(&buf[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(e) => panic!("{e} after {} bytes", got.len()),
        }
    }
}

#[test]
fn entry_answers_after_both_sides_have_half_closed() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let client = program.socket(Family::Inet, 0);
    program.connect(&client, at).unwrap();
    let server = accept(&listener);
    unix::shutdown_write(client.as_fd()).unwrap();
    unix::shutdown_write(server.as_fd()).unwrap();
    for end in [&client, &server] {
        assert!(read_to_end(end).1.is_ok());
        assert_eq!(program.error(end), 0);
    }
}

#[test]
fn backlog_of_one_holds_two_and_the_third_waits_until_accepted() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 1);
    let clients: Vec<_> = (0..3).map(|_| program.socket(Family::Inet, 1)).collect();
    for client in &clients {
        assert_eq!(program.connect_nonblocking(client, at).0, EINPROGRESS);
    }
    let connected = |rows: &[netcon_engine::SocketRow]| {
        rows.iter().filter(|r| r.state == "ESTABLISHED").count()
    };
    // Two connections, seen from both ends.
    service.eventually(|rows| connected(rows) == 4);
    assert!(
        unix::send(clients[2].as_fd(), b"x").is_err(),
        "the third is not connected"
    );
    let _first = accept(&listener);
    service.eventually(|rows| connected(rows) == 6);
}

#[test]
fn connect_to_the_wildcard_address_is_to_this_host() {
    let service = Service::start();
    let program = service.program();
    let (_listener, at) = program.listener(v4("127.0.0.1", 0), 1);
    let client = program.socket(Family::Inet, 0);
    let (_, peer) = program.connect(&client, v4("0.0.0.0", at.port)).unwrap();
    assert_eq!(peer, at);
}

#[test]
fn address_of_a_listener_is_free_at_once_after_everything_closed() {
    let service = Service::start();
    let program = service.program();
    let mut at = v4("127.0.0.1", 0);
    for _ in 0..50 {
        let (listener, bound) = program.listener(at, 8);
        at = bound;
        let client = program.socket(Family::Inet, 0);
        program.connect(&client, at).unwrap();
        let server = accept(&listener);
        drop((client, server, listener));
    }
}

#[test]
fn immediate_failure_of_a_blocking_connect_is_answered() {
    let service = Service::start();
    let program = service.program();
    let client = program.socket(Family::Inet, 0);
    assert_eq!(program.connect(&client, v4("224.0.0.1", 80)), Err(101));
}

#[test]
fn interrupted_connect_is_silent_until_it_is_done() {
    let service = Service::start();
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 0);
    let first = program.socket(Family::Inet, 0);
    program.connect(&first, at).unwrap();
    // The listener is full: this one waits, and is told to go on alone.
    let second = program.socket(Family::Inet, 0);
    let (wait, reply_to) = unix::pair(unix::Kind::SeqPacket).unwrap();
    program.send(
        &Request::Connect {
            addr: at,
            flags: CONNECT_WAIT,
        },
        &[&second, &reply_to],
    );
    let detach = Request::Connect {
        addr: at,
        flags: CONNECT_DETACH,
    };
    assert_eq!(program.ask(&detach, &[&second]).0, EALREADY);
    drop((wait, reply_to));
    assert!(
        unix::send(second.as_fd(), b"x").is_err(),
        "writable before it is connected"
    );
    let _server = accept(&listener);
    let server = accept(&listener);
    while unix::send(second.as_fd(), b"x").is_err() {}
    assert_eq!(read_exact(&server, 1), b"x");
    assert_eq!(program.ask(&detach, &[&second]).0, EINVAL);
}
