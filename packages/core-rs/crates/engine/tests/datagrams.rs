//! Datagram sockets as programs get them: the kernel's own, in the service's namespace.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

mod support;

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use netcon_sys::sockopt;
use netcon_wire::{Family, Mark, SOCKET_NONBLOCK, SocketKind};
use support::Service;

const EPROTONOSUPPORT: u32 = 93;
const ENOBUFS: u32 = 105;
/// What the test service lets one program have, and all.
const EACH: usize = 500;
const ALL: usize = 1000;
const KINDS: [SocketKind; 3] = [SocketKind::Udp, SocketKind::UdpLite, SocketKind::Ping];

#[test]
fn two_programs_talk_at_the_services_addresses() {
    let service = Service::with_datagrams();
    let (server, client) = (service.program(), service.program());
    for (family, address) in [
        (Family::Inet, "10.77.0.2:9"),
        (Family::Inet6, "[fd77::2]:9"),
    ] {
        let server = bound(
            server.datagram(family, 0, SocketKind::Udp).unwrap(),
            address,
        );
        let client = UdpSocket::from(client.datagram(family, 0, SocketKind::Udp).unwrap());
        server
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let to = SocketAddr::new(
            address.parse::<SocketAddr>().unwrap().ip(),
            server.local_addr().unwrap().port(),
        );
        client.send_to(b"hello", to).unwrap();
        let mut buf = [0; 9];
        let (n, from) = server.recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.ip()), (&b"hello"[..], to.ip()));
        assert_eq!(from.port(), client.local_addr().unwrap().port());
    }
}

#[test]
fn a_datagram_socket_is_marked_and_has_the_flags_asked_for() {
    let service = Service::with_datagrams();
    let program = service.program();
    let fd = program
        .datagram(Family::Inet, SOCKET_NONBLOCK, SocketKind::Udp)
        .unwrap();
    let mark = Mark::unpack(sockopt::mark(fd.as_fd()).unwrap());
    assert_eq!(mark, Some(Mark::Datagram));
    let socket: UdpSocket = fd.into();
    let error = socket.recv(&mut [0; 9]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn bound_sockets_are_shown_with_their_owner() {
    let service = Service::with_datagrams();
    let program = service.program();
    let socket = program.datagram(Family::Inet, 0, SocketKind::Udp).unwrap();
    assert!(service.sockets().is_empty(), "not bound yet");
    let socket = bound(socket, "10.77.0.2:9");
    let local = socket.local_addr().unwrap().to_string();
    let rows = service.sockets();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.protocol, row.local.as_str()), ("udp", local.as_str()));
    assert_eq!(
        (row.pid, row.state.as_str()),
        (std::process::id(), "UNCONN")
    );
    drop(socket);
    assert!(service.sockets().is_empty());
}

#[test]
fn without_a_namespace_datagram_sockets_are_refused_and_streams_are_not() {
    let service = Service::start();
    let program = service.program();
    for kind in KINDS {
        let refused = program.datagram(Family::Inet, 0, kind);
        assert_eq!(refused.unwrap_err(), EPROTONOSUPPORT);
    }
    program.socket(Family::Inet, 0);
}

#[test]
fn datagram_sockets_of_every_kind_count_until_their_last_descriptor_is_closed() {
    let service = Service::with_datagrams();
    let program = service.program();
    let mut held: Vec<OwnedFd> = (0..EACH)
        .map(|i| {
            let kind = KINDS[i % KINDS.len()];
            program.datagram(Family::Inet, 0, kind).unwrap()
        })
        .collect();
    for kind in [SocketKind::Stream, SocketKind::Udp] {
        let refused = program.datagram(Family::Inet, 0, kind);
        assert_eq!(refused.unwrap_err(), ENOBUFS, "{kind:?}");
    }
    // Other programs are not concerned.
    drop(service.program().datagram(Family::Inet, 0, SocketKind::Udp));
    let copy = held[0].try_clone().unwrap();
    drop(held.remove(0));
    let refused = program.datagram(Family::Inet, 0, SocketKind::Udp);
    assert_eq!(refused.unwrap_err(), ENOBUFS, "a copy is open");
    drop(copy);
    let again = eventually(|| program.datagram(Family::Inet, 0, SocketKind::Udp).ok());
    let refused = program.datagram(Family::Inet, 0, SocketKind::Udp);
    assert_eq!(refused.unwrap_err(), ENOBUFS, "one was closed, one opened");
    drop((held, again));
    eventually(|| program.datagram(Family::Inet, 0, SocketKind::Stream).ok());
}

#[test]
fn datagram_sockets_count_together_also_when_their_programs_have_ended() {
    let service = Service::with_datagrams();
    let held: Vec<OwnedFd> = (0..ALL / EACH)
        .flat_map(|_| {
            let program = service.program();
            let one = |_| program.datagram(Family::Inet, 0, SocketKind::Udp).unwrap();
            (0..EACH).map(one).collect::<Vec<_>>()
        })
        .collect();
    let program = service.program();
    for kind in [SocketKind::Stream, SocketKind::Udp] {
        let refused = program.datagram(Family::Inet, 0, kind);
        assert_eq!(refused.unwrap_err(), ENOBUFS, "{kind:?}");
    }
    drop(held);
    eventually(|| program.datagram(Family::Inet, 0, SocketKind::Udp).ok());
}

/// Asks again until there is something, or too much time has passed.
fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < end, "in vain");
        std::thread::yield_now();
    }
}

/// A socket is bound by its first datagram, and std has no bind(2) for one that is there already.
fn bound(fd: OwnedFd, somewhere: &str) -> UdpSocket {
    let socket = UdpSocket::from(fd);
    socket.send_to(b"", somewhere).unwrap();
    socket
}
