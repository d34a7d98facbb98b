//! The local shortcut through the RPC: two programs hold the two ends of one unix connection.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod support;

use std::os::fd::{AsFd, OwnedFd};

use netcon_sys::{sockopt, unix};
use netcon_wire::{DirectMark, Family, Mark, Request, SocketName};
use support::{Program, Service, accept, read_exact, read_to_end, v4};

const ECONNREFUSED: u32 = 111;
const EINPROGRESS: u32 = 115;
const EISCONN: u32 = 106;
const SOL_SOCKET: i32 = 1;
const SO_LINGER: i32 = 13;
const EADDRINUSE: u32 = 98;
const MAX_SOCKETS: usize = 400;

fn pair(program: &Program, listener: &OwnedFd, at: netcon_wire::SockAddr) -> (OwnedFd, OwnedFd) {
    let client = program.socket(at.family(), 0);
    program.connect(&client, at).unwrap();
    (client, accept(listener))
}

fn direct(service: &Service) -> usize {
    service.sockets().iter().filter(|row| row.shortcut).count()
}

#[test]
fn both_ends_are_one_connection_that_shows_in_show() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    for ip in ["127.0.0.1", "10.77.0.2", "::1", "fd77::2"] {
        let (listener, at) = program.listener(v4(ip, 0), 8);
        let (client, server) = pair(&program, &listener, at);
        assert_eq!(direct(&service), 2);
        let own = SocketName::decode(&unix::local_name(client.as_fd()).unwrap()).unwrap();
        let far = SocketName::decode(&unix::peer_name(server.as_fd()).unwrap()).unwrap();
        assert!(own.direct && own == far);
        assert_eq!(far.of_accepted().local, at);
        let mark = Mark::unpack(sockopt::mark(client.as_fd()).unwrap());
        let expected = Some(DirectMark::default());
        assert!(matches!(mark, Some(Mark::Socket { direct, .. }) if direct == expected));
        unix::send(client.as_fd(), b"there").unwrap();
        assert_eq!(read_exact(&server, 5), b"there");
        drop(client);
        assert_eq!(read_to_end(&server).0, b"");
        // Known by its peer's name, whether its entry is still there or not.
        assert_eq!(program.error(&server), 0);
        assert_eq!(program.ask(&Request::GetPeerName, &[&server]).0, 0);
        drop(server);
        service.eventually(|rows| rows.iter().all(|row| !row.shortcut));
    }
}

#[test]
fn nonblocking_connect_is_in_progress_and_noticed_once() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    let (_listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let client = program.socket(Family::Inet, 1);
    assert_eq!(program.connect_nonblocking(&client, at).0, EINPROGRESS);
    assert_eq!(unix::send(client.as_fd(), b"x").unwrap(), 1);
    assert_eq!(program.connect_nonblocking(&client, at).0, 0);
    assert_eq!(program.connect_nonblocking(&client, at).0, EISCONN);
}

#[test]
fn dead_listener_refuses_and_the_socket_may_connect_again() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    drop(listener);
    let client = program.socket(Family::Inet, 0);
    assert_eq!(program.connect(&client, at), Err(ECONNREFUSED));
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    program.connect(&client, at).unwrap();
    assert_eq!(direct(&service), 2);
    drop(accept(&listener));
}

#[test]
fn full_queue_leaves_the_connection_to_the_stack_which_knows_it_is_full() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 1);
    let clients: Vec<_> = (0..3).map(|_| program.socket(Family::Inet, 1)).collect();
    for client in &clients {
        assert_eq!(program.connect_nonblocking(client, at).0, EINPROGRESS);
    }
    assert_eq!(direct(&service), 4);
    assert!(
        unix::send(clients[2].as_fd(), b"x").is_err(),
        "not connected"
    );
    let _first = accept(&listener);
    service.eventually(|rows| rows.iter().filter(|r| r.state == "ESTABLISHED").count() == 6);
    assert_eq!(direct(&service), 4);
}

#[test]
fn ends_that_were_never_asked_about_are_found_dead_and_limits_hold() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let mut most = 0;
    for _ in 0..MAX_SOCKETS * 4 {
        drop(pair(&program, &listener, at));
        most += 1;
    }
    assert_eq!(most, MAX_SOCKETS * 4);
    service.eventually(|rows| rows.len() == 1);
}

#[test]
fn port_of_a_bound_connector_is_free_when_it_has_closed() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let mut from = v4("127.0.0.1", 0);
    for _ in 0..3 {
        let client = program.socket(Family::Inet, 0);
        from = program.bind(&client, from).unwrap();
        program.connect(&client, at).unwrap();
        let server = accept(&listener);
        let other = program.socket(Family::Inet, 0);
        assert_eq!(program.bind(&other, from), Err(EADDRINUSE));
        drop((client, server));
    }
}

#[test]
fn port_of_an_accepted_end_is_free_when_both_are_closed_and_the_connector_resets() {
    let service = Service::with_shortcut(MAX_SOCKETS);
    let program = service.program();
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let (client, server) = pair(&program, &listener, at);
    let now = Request::SetSockOpt {
        level: SOL_SOCKET,
        name: SO_LINGER,
        value: &[1, 0, 0, 0, 0, 0, 0, 0],
    };
    assert_eq!(program.ask(&now, &[&client]).0, 0);
    drop((client, server, listener));
    let other = program.socket(Family::Inet, 0);
    assert_eq!(program.bind(&other, at), Ok(at));
}
