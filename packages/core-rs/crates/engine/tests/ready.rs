//! What lies ready for a program, through the RPC, as the preloaded library uses it.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test")]

mod support;

use std::io::ErrorKind::WouldBlock;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use netcon_sys::sockopt;
use netcon_sys::unix::{self, Name};
use netcon_wire::{
    CONNECT_FILLED, CONNECT_NONBLOCKING, CONNECT_RELEASE, Family, MAX_READY, Request, SockAddr,
    SocketName,
};
use support::{Got, Program, Service, accept, read_exact, v4};

const ECONNREFUSED: u32 = 111;
const EALREADY: u32 = 114;
const SOL_TCP: i32 = 6;
const TCP_NODELAY: i32 = 1;

/// What READY gives, and how many octets fill a send buffer.
struct Ready {
    queue: OwnedFd,
    listener: OwnedFd,
    fill: usize,
    fetches: bool,
}

impl Ready {
    fn new(program: &Program) -> Ready {
        let request = Request::Ready {
            family: Family::Inet,
            more: 0,
            channel: program.channel.as_raw_fd(),
        };
        let (status, got, mut fds) = program.ask(&request, &[]);
        assert_eq!((status, fds.len()), (0, 2));
        let Got::Value(value) = got else {
            panic!("{got:?}")
        };
        let listener = fds.pop().unwrap();
        Ready {
            queue: fds.pop().unwrap(),
            listener,
            fill: u32::from_le_bytes(*value.first_chunk().unwrap()) as usize,
            fetches: value[4] == 1,
        }
    }

    fn more(&self, program: &Program, count: u8) -> Vec<OwnedFd> {
        let request = Request::Ready {
            family: Family::Inet,
            more: count,
            channel: -1,
        };
        program.send(&request, &[]);
        let end = Instant::now() + Duration::from_secs(10);
        let (mut ids, mut fds) = ([0; 4 * MAX_READY], Vec::new());
        while unix::recv_record(self.queue.as_fd(), &mut ids, &mut fds).is_err() {
            assert!(Instant::now() < end, "nothing comes");
            std::thread::yield_now();
        }
        fds
    }

    /// What the library does of a connect(2) before it tells the service.
    fn prepare(&self, fd: &OwnedFd) {
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.listener.as_raw_fd()));
        unix::connect(fd.as_fd(), Name::Path(&path)).unwrap();
        sockopt::set_send_buffer(fd.as_fd(), 1).unwrap();
        unix::send(fd.as_fd(), &vec![0; self.fill]).unwrap();
        assert_eq!(unix::send(fd.as_fd(), b"x").unwrap_err().kind(), WouldBlock);
    }

    fn dial(&self, program: &Program, fd: &OwnedFd, addr: SockAddr) {
        self.prepare(fd);
        let dial = Request::Dial {
            addr,
            fd: fd.as_raw_fd(),
        };
        program.send(&dial, &[]);
    }
}

/// Sends as soon as that is possible.
fn send(fd: &OwnedFd, data: &[u8]) -> std::io::Result<()> {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match unix::send(fd.as_fd(), data) {
            Err(e) if e.kind() == WouldBlock => assert!(Instant::now() < end, "never writable"),
            other => return other.map(|sent| assert_eq!(sent, data.len())),
        }
        std::thread::yield_now();
    }
}

fn no_delay(program: &Program, fd: &OwnedFd) -> bool {
    let request = Request::GetSockOpt {
        level: SOL_TCP,
        name: TCP_NODELAY,
        len: 4,
    };
    program.ask(&request, &[fd]).1 == Got::Value(vec![1, 0, 0, 0])
}

#[test]
fn ready_sockets_are_as_good_as_those_asked_for() {
    let service = Service::start();
    let program = service.program();
    let ready = Ready::new(&program);
    let mut fds = ready.more(&program, 4);
    assert_eq!(fds.len(), 4);
    // They are nobody's until they are named.
    assert!(service.sockets().is_empty());
    let listener = fds.pop().unwrap();
    let at = program.bind(&listener, v4("127.0.0.1", 0)).unwrap();
    assert_eq!(
        program.ask(&Request::Listen { backlog: 8 }, &[&listener]).0,
        0
    );
    let client = fds.pop().unwrap();
    program.connect(&client, at).unwrap();
    let server = accept(&listener);
    unix::send(client.as_fd(), b"question").unwrap();
    assert_eq!(read_exact(&server, 8), b"question");
    assert_eq!(service.sockets().len(), 3);
}

#[test]
fn dial_is_writable_when_connected_with_the_buffer_it_had() {
    let service = Service::start();
    let program = service.program();
    let ready = Ready::new(&program);
    assert!(
        ready.fetches,
        "descriptors of the own process can be fetched"
    );
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    for by_number in [true, false] {
        let client = ready.more(&program, 1).pop().unwrap();
        let before = sockopt::send_buffer(client.as_fd()).unwrap();
        if by_number {
            ready.dial(&program, &client, at);
        } else {
            ready.prepare(&client);
            let flags = CONNECT_NONBLOCKING | CONNECT_FILLED;
            program.send(&Request::Connect { addr: at, flags }, &[&client]);
        }
        send(&client, b"question").unwrap();
        assert_eq!(sockopt::send_buffer(client.as_fd()).unwrap(), before);
        let server = accept(&listener);
        // Nothing of what kept it unwritable is in the stream.
        assert_eq!(read_exact(&server, 8), b"question");
        let near = SocketName::decode(&unix::local_name(client.as_fd()).unwrap()).unwrap();
        assert_eq!(near.peer, at);
    }
}

#[test]
fn dial_refused_is_the_error_of_the_socket() {
    let service = Service::start();
    let program = service.program();
    let ready = Ready::new(&program);
    let client = ready.more(&program, 1).pop().unwrap();
    ready.dial(&program, &client, v4("127.0.0.1", 9));
    // EPIPE or ECONNRESET: our end is closed.
    assert!(send(&client, b"x").is_err());
    assert_eq!(program.error(&client), ECONNREFUSED);
}

#[test]
fn dial_without_a_route_is_the_error_of_the_socket() {
    let service = Service::start();
    let program = service.program();
    let ready = Ready::new(&program);
    let client = ready.more(&program, 1).pop().unwrap();
    ready.dial(&program, &client, v4("192.0.2.1", 9));
    assert!(send(&client, b"x").is_err());
    const ENETUNREACH: u32 = 101;
    assert_eq!(program.error(&client), ENETUNREACH);
}

#[test]
fn dial_of_a_number_that_is_another_by_now_hangs_up() {
    let service = Service::start();
    let program = service.program();
    let ready = Ready::new(&program);
    let client = ready.more(&program, 1).pop().unwrap();
    ready.prepare(&client);
    let dial = Request::Dial {
        addr: v4("127.0.0.1", 9),
        fd: ready.queue.as_raw_fd(),
    };
    program.send(&dial, &[]);
    assert!(send(&client, b"x").is_err());
}

#[test]
fn a_socket_released_while_it_connects_ends_with_its_last_holder() {
    let service = Service::start();
    let program = service.program();
    let ready = Ready::new(&program);
    let (_listener, at) = program.listener(v4("127.0.0.1", 0), 0);
    // The queue is full: the next handshake does not end.
    let queued = program.socket(Family::Inet, 0);
    program.connect(&queued, at).unwrap();
    let client = ready.more(&program, 1).pop().unwrap();
    ready.dial(&program, &client, at);
    let connecting = |rows: &[netcon_engine::SocketRow]| {
        rows.iter().filter(|row| row.state == "SYN-SENT").count()
    };
    service.eventually(|rows| connecting(rows) == 1);
    let release = Request::Connect {
        addr: at,
        flags: CONNECT_RELEASE,
    };
    assert_eq!(program.ask(&release, &[&client]).0, EALREADY);
    assert_eq!(connecting(&service.sockets()), 1);
    drop(client);
    service.eventually(|rows| connecting(rows) == 0);
}

#[test]
fn no_delay_is_set_by_name_and_by_cookie_of_the_own_session_only() {
    let service = Service::start();
    let (program, stranger) = (service.program(), service.program());
    let (listener, at) = program.listener(v4("127.0.0.1", 0), 8);
    let client = program.socket(Family::Inet, 0);
    let by_cookie = Request::NoDelay {
        id: u32::MAX,
        token: sockopt::cookie(client.as_fd()).unwrap(),
        on: true,
    };
    stranger.send(&by_cookie, &[]);
    stranger.ask(&Request::Interface { position: 0 }, &[]);
    assert!(!no_delay(&program, &client));
    program.send(&by_cookie, &[]);
    assert!(no_delay(&program, &client));
    program.connect(&client, at).unwrap();
    let server = accept(&listener);
    assert!(!no_delay(&program, &server));
    let name = SocketName::decode(&unix::peer_name(server.as_fd()).unwrap()).unwrap();
    let by_name = |token| Request::NoDelay {
        id: name.id,
        token,
        on: true,
    };
    program.send(&by_name(name.token ^ 1), &[]);
    assert!(!no_delay(&program, &server));
    program.send(&by_name(name.token), &[]);
    assert!(no_delay(&program, &server));
}

#[test]
fn what_lies_ready_is_taken_back_with_the_session() {
    let service = Service::with_max_sockets(300);
    // Each time a twenty-fifth of the table: it would be full soon.
    for _ in 0..40 {
        let program = service.program();
        let ready = Ready::new(&program);
        assert_eq!(ready.more(&program, 4).len(), 4);
        program.send(
            &Request::Ready {
                family: Family::Inet,
                more: 8,
                channel: -1,
            },
            &[],
        );
        // One that is left in the queue, too.
        program.ask(&Request::Interface { position: 0 }, &[]);
    }
    let program = service.program();
    let kept: Vec<OwnedFd> = (0..270).map(|_| program.socket(Family::Inet, 0)).collect();
    assert_eq!(kept.len(), 270);
}
