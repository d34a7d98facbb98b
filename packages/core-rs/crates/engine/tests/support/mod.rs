//! A program as the service sees one: a channel, and the descriptions it was given.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::mod_module_files,
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    missing_docs
)]

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netcon_engine::{AskedQuestion, Command, Config, Engine, Event, Handle, SocketRow, client};
use netcon_sys::unix::{self, Kind};
use netcon_wire::{
    CONNECT_NONBLOCKING, CONNECT_WAIT, Family, HelloReply, MAX_ADDRESSES, MAX_FRAME, Op, Question,
    Reply, Request, SockAddr, SocketKind,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// An engine without a link, on its own thread, that admits everybody.
pub struct Service {
    pub handle: Handle,
    pub socket_path: PathBuf,
    dir: PathBuf,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    pub fn start() -> Service {
        Service::with_max_sockets(1000)
    }

    /// One that connects programs to each other directly. The others do not, so that what they test is the stack's
    /// way between two programs.
    pub fn with_shortcut(max_sockets: usize) -> Service {
        Service::open(max_sockets, false, true)
    }

    /// One that serves datagram sockets too.
    pub fn with_datagrams() -> Service {
        Service::with(1000, true)
    }

    pub fn with_max_sockets(max_sockets: usize) -> Service {
        Service::with(max_sockets, false)
    }

    fn with(max_sockets: usize, datagrams: bool) -> Service {
        Service::open(max_sockets, datagrams, false)
    }

    fn open(max_sockets: usize, datagrams: bool, shortcut: bool) -> Service {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("netcon-engine-{}-{n}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let socket_path = dir.join("s.sock");
        let config = Config {
            socket_path: socket_path.clone(),
            names_dir: dir.join("s.d"),
            addresses: vec![
                ("10.77.0.2".parse().unwrap(), 24),
                ("fd77::2".parse().unwrap(), 64),
            ],
            gateway_v4: None,
            gateway_v6: None,
            tap: None,
            fault: None,
            capture: None,
            max_sockets,
            congestion: netcon_engine::Algorithm::default(),
            datagrams,
            shortcut,
            busy_poll_micros: 50,
        };
        let (events, inbox) = channel();
        let sink = move |event| drop(events.send(event));
        let (engine, handle, _) = Engine::open(config, Box::new(sink)).unwrap();
        let thread = std::thread::spawn(move || engine.run());
        let answer = handle.clone();
        std::thread::spawn(move || {
            while let Ok(event) = inbox.recv() {
                if let Event::Question(asked) = &event {
                    answer_question(&answer, asked);
                }
                if let Event::Hello(hello) = event {
                    let Ok((id, _)) = Request::decode(&hello.frame) else {
                        continue;
                    };
                    let addresses = [SockAddr::unspecified(Family::Inet); MAX_ADDRESSES];
                    let session = hello.session.0;
                    let body = HelloReply {
                        session,
                        message: b"",
                        addresses,
                        count: 0,
                    };
                    let mut buf = [0; MAX_FRAME];
                    let n = Reply::Hello(body)
                        .encode(Op::Hello, id, 0, &mut buf)
                        .unwrap();
                    answer.send(Command::Admit {
                        session: hello.session,
                        max_sockets: 500,
                        reply: buf[..n].to_vec(),
                    });
                }
            }
        });
        Service {
            handle,
            socket_path,
            dir,
            thread: Some(thread),
        }
    }

    pub fn program(&self) -> Program {
        let channel = client::connect(&self.socket_path).unwrap();
        let program = Program { channel };
        let (status, _, _) = program.ask(
            &Request::Hello {
                pid: 1,
                program: b"test",
            },
            &[],
        );
        assert_eq!(status, 0);
        program
    }

    pub fn sockets(&self) -> Vec<SocketRow> {
        let (tx, rx) = channel();
        self.handle.send(Command::Sockets(tx));
        rx.recv_timeout(DEADLINE).unwrap()
    }

    /// Polls until the table satisfies `wanted`; panics with it otherwise.
    pub fn eventually(&self, wanted: impl Fn(&[SocketRow]) -> bool) {
        let end = Instant::now() + DEADLINE;
        loop {
            let rows = self.sockets();
            if wanted(&rows) {
                return;
            }
            assert!(Instant::now() < end, "sockets: {rows:#?}");
            std::thread::yield_now();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.handle.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A name that is never answered.
pub const SILENT: &[u8] = b"silent";

/// What "long" is answered by.
pub fn long_answer() -> Vec<u8> {
    (0..60_000u32)
        .map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1])
        .collect()
}

fn answer_question(handle: &Handle, asked: &AskedQuestion) {
    let name = match Request::decode(&asked.frame) {
        Ok((_, Request::Resolve(Question::Addresses { name, .. }))) => name,
        other => panic!("{other:?}"),
    };
    let (errno, bytes) = match name {
        SILENT => return,
        b"bad" => (71, Vec::new()),
        b"long" => (0, long_answer()),
        _ => (0, b"answer".to_vec()),
    };
    handle.send(Command::Answer {
        question: asked.question,
        errno,
        bytes,
    });
}

pub struct Program {
    pub channel: OwnedFd,
}

/// What came back, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Got {
    Nothing,
    Addr(SockAddr),
    Connect(SockAddr, SockAddr),
    Map(netcon_wire::MapReply),
    Value(Vec<u8>),
    Part(bool, Vec<u8>),
}

impl Program {
    pub fn ask(&self, request: &Request<'_>, fds: &[&OwnedFd]) -> (u32, Got, Vec<OwnedFd>) {
        self.send(request, fds);
        receive(&self.channel)
    }

    pub fn send(&self, request: &Request<'_>, fds: &[&OwnedFd]) {
        let mut buf = [0; MAX_FRAME];
        let n = request.encode(7, &mut buf).unwrap();
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        unix::send_record_with(self.channel.as_fd(), &buf[..n], &fds).unwrap();
    }

    pub fn socket(&self, family: Family, flags: u8) -> OwnedFd {
        let (status, _, mut fds) = self.ask(
            &Request::Socket {
                family,
                flags,
                kind: SocketKind::Stream,
            },
            &[],
        );
        assert_eq!(status, 0);
        fds.pop().unwrap()
    }

    /// A datagram socket, or the errno.
    pub fn datagram(&self, family: Family, flags: u8, kind: SocketKind) -> Result<OwnedFd, u32> {
        let request = Request::Socket {
            family,
            flags,
            kind,
        };
        match self.ask(&request, &[]) {
            (0, _, mut fds) => Ok(fds.pop().unwrap()),
            (errno, _, _) => Err(errno),
        }
    }

    pub fn bind(&self, fd: &OwnedFd, addr: SockAddr) -> Result<SockAddr, u32> {
        match self.ask(&Request::Bind { addr }, &[fd]) {
            (0, Got::Addr(addr), _) => Ok(addr),
            (errno, _, _) => Err(errno),
        }
    }

    pub fn listener(&self, addr: SockAddr, backlog: i32) -> (OwnedFd, SockAddr) {
        let fd = self.socket(addr.family(), 0);
        let bound = self.bind(&fd, addr).unwrap();
        let (status, _, _) = self.ask(&Request::Listen { backlog }, &[&fd]);
        assert_eq!(status, 0);
        (fd, bound)
    }

    /// A blocking connect(2), as the library does it.
    pub fn connect(&self, fd: &OwnedFd, addr: SockAddr) -> Result<(SockAddr, SockAddr), u32> {
        let (wait, reply_to) = unix::pair(Kind::SeqPacket).unwrap();
        self.send(
            &Request::Connect {
                addr,
                flags: CONNECT_WAIT,
            },
            &[fd, &reply_to],
        );
        drop(reply_to);
        // Immediate failures come on the channel.
        let end = Instant::now() + DEADLINE;
        loop {
            for from in [&wait, &self.channel] {
                if readable(from) {
                    return match receive(from) {
                        (0, Got::Connect(local, peer), _) => Ok((local, peer)),
                        (errno, _, _) => Err(errno),
                    };
                }
            }
            assert!(Instant::now() < end, "connect does not end");
        }
    }

    pub fn connect_nonblocking(&self, fd: &OwnedFd, addr: SockAddr) -> (u32, Vec<OwnedFd>) {
        let request = Request::Connect {
            addr,
            flags: CONNECT_NONBLOCKING,
        };
        let (status, _, fds) = self.ask(&request, &[fd]);
        (status, fds)
    }

    pub fn error(&self, fd: &OwnedFd) -> u32 {
        match self.ask(
            &Request::GetSockOpt {
                level: 1,
                name: 4,
                len: 4,
            },
            &[fd],
        ) {
            (0, Got::Value(v), _) => u32::from_ne_bytes(v.try_into().unwrap()),
            other => panic!("{other:?}"),
        }
    }
}

pub fn receive(from: &OwnedFd) -> (u32, Got, Vec<OwnedFd>) {
    let end = Instant::now() + DEADLINE;
    let mut buf = [0; MAX_FRAME];
    let mut fds = Vec::new();
    loop {
        match unix::recv_record(from.as_fd(), &mut buf, &mut fds) {
            Ok(unix::Received { len: n, .. }) => {
                assert!(n > 0, "the service closed the channel");
                let (_, _, status, body) = Reply::decode(&buf[..n]).unwrap();
                let got = match body {
                    Reply::Addr(a) => Got::Addr(a),
                    Reply::Connect { local, peer } => Got::Connect(local, peer),
                    Reply::Map(m) => Got::Map(m),
                    Reply::Value(v) => Got::Value(v.to_vec()),
                    Reply::Part { more, bytes } => Got::Part(more, bytes.to_vec()),
                    _ => Got::Nothing,
                };
                return (status, got, fds);
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "no answer");
            }
            Err(e) => panic!("{e}"),
        }
    }
}

fn readable(fd: &OwnedFd) -> bool {
    unix::peek(fd.as_fd()).is_ok()
}

/// Reads exactly `n` bytes, waiting for them.
pub fn read_exact(fd: &OwnedFd, n: usize) -> Vec<u8> {
    let end = Instant::now() + DEADLINE;
    let mut out = Vec::new();
    while out.len() < n {
        let mut buf = vec![0; n - out.len()];
        match unix::recv(fd.as_fd(), &mut buf) {
            Ok(0) => panic!("end of file after {} of {n} bytes", out.len()),
            Ok(got) => out.extend_from_slice(&buf[..got]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "{} of {n} bytes", out.len());
            }
            Err(e) => panic!("{e} on fd {}", fd.as_raw_fd()),
        }
    }
    out
}

/// Reads until the end: the bytes, and how it ended.
pub fn read_to_end(fd: &OwnedFd) -> (Vec<u8>, std::io::Result<()>) {
    let end = Instant::now() + DEADLINE;
    let mut out = Vec::new();
    let mut buf = vec![0; 65536];
    loop {
        match unix::recv(fd.as_fd(), &mut buf) {
            Ok(0) => return (out, Ok(())),
            Ok(got) => out.extend_from_slice(&buf[..got]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "no end after {} bytes", out.len());
            }
            Err(e) => return (out, Err(e)),
        }
    }
}

/// accept(2), waiting.
pub fn accept(listener: &OwnedFd) -> OwnedFd {
    let end = Instant::now() + DEADLINE;
    unix::set_nonblocking(listener.as_fd()).unwrap();
    loop {
        match unix::accept(listener.as_fd()) {
            Ok(fd) => return fd,
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < end, "nothing to accept");
            }
            Err(e) => panic!("{e}"),
        }
    }
}

pub fn v4(ip: &str, port: u16) -> SockAddr {
    SockAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}
