//! The engine's state and its loop.
//!
//! One turn: wait; take frames from the link, records from channels and readiness of sockets;
//! move bytes; let the stack send. The wait is as long as the nearest deadline, for ever when
//! there is none: an idle engine does nothing.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use netcon_link::Link;
use netcon_stack::{Cidr, Instant, RxMeta, Stack};
use netcon_sys::clock::monotonic_micros;
use netcon_sys::diag;
use netcon_sys::epoll::{EDGE_IN, Epoll, LEVEL_IN, Ready, Waker};
use netcon_sys::process::{RandomPool, random_u64};
use netcon_wire::Interface;
use rustc_hash::FxHashMap;

use crate::busy_poll::BusyPoll;
use crate::channels::{MAX_SESSIONS, listen};
use crate::command::{Command, Handle};
use crate::config::{Config, TapReport};
use crate::datagrams::{Datagrams, Problem};
use crate::error::OpenError;
use crate::interfaces::interfaces;
use crate::links::{LinkSink, SlabRings, open_link};
use crate::native::Native;
use crate::questions::{AskedQuestion, Questions};
use crate::records::{Record, Records};
use crate::sessions::{Hello, SessionId, Sessions};
use crate::table::{Role, SocketKey, Table};
use crate::token::Token;

/// What a tap gives whose interface has been deleted; asm-generic/errno.h.
const EBADFD: i32 = 77;
/// Events taken from the kernel by one wait.
const EVENTS: usize = 256;
/// Frames taken from the link and sent in one turn, so that neither starves the sockets.
const FRAMES: usize = 64;
/// Rounds of moving bytes and looping frames inside one turn: loopback needs several.
const ROUNDS: usize = 8;
/// Longest frame: a 64 KiB IP packet and its Ethernet header.
const FRAME_LEN: usize = 65_536 + 14;
/// Ring memory of one direction of a connection; only touched pages cost anything.
pub(crate) const RING: usize = 4 << 20;
const MAC: [u8; 6] = [0x02, b'n', b'e', b't', b'c', b'n'];

/// What the engine tells its owner, on the engine's thread.
#[derive(Clone, Debug)]
pub enum Event {
    /// A program asks to join.
    Hello(Hello),
    /// A program asks about a name.
    Question(AskedQuestion),
    /// The owner should be told; the engine goes on.
    Warning(String),
    /// The engine cannot go on; its thread ends.
    Fatal(String),
}

/// See the module's text.
pub struct Engine {
    pub(crate) epoll: Epoll,
    waker: Arc<Waker>,
    commands: Receiver<Command>,
    pub(crate) events: Box<dyn Fn(Event) + Send>,
    pub(crate) stack: Stack,
    link: Option<Box<dyn Link + Send>>,
    link_ready: bool,
    /// Where datagram sockets live; or why there are none.
    pub(crate) datagrams: Result<Datagrams, Problem>,
    /// What programs see as interfaces.
    pub(crate) interfaces: [Interface; 2],
    frame: Box<[u8]>,
    pub(crate) native: Native,
    pub(crate) records: Records,
    /// Processes that the service before had admitted: by pid, when they began and where that is noted.
    pub(crate) members: FxHashMap<u32, (u64, u32)>,
    /// What the service before has left; taken back when the loop starts.
    left: Vec<(u32, Record)>,
    pub(crate) table: Table,
    pub(crate) sessions: Sessions,
    pub(crate) questions: Questions,
    pub(crate) rpc: OwnedFd,
    /// Given up when there is no other descriptor left.
    pub(crate) spare: Option<fs::File>,
    /// Until then nothing more is said of a full table of descriptors.
    pub(crate) full_until: i64,
    /// Streams with something to move.
    pub(crate) dirty: VecDeque<SocketKey>,
    /// Listeners with connections that the program's queue had no room for.
    pub(crate) handoff_due: Vec<(i64, SocketKey)>,
    /// Sessions that want sockets to lie ready, and how many.
    pub(crate) fill_due: Vec<(SessionId, usize)>,
    /// Entries that are not counted.
    pub(crate) lying_ready: usize,
    pub(crate) busy_poll: BusyPoll,
    /// Random numbers, for many tokens at once.
    pub(crate) random: RandomPool,
    /// Sockets of a session that has ended may be dead.
    pub(crate) reap_due: bool,
    pub(crate) reap_threshold: usize,
    /// Programs are connected to each other directly: wanted, and unix_diag tells of their ends.
    pub(crate) shortcuts: bool,
    pub(crate) now_micros: i64,
    started_micros: i64,
    pub(crate) config: Config,
    pub(crate) counters: Counters,
    /// Failed connections, oldest first.
    pub(crate) ended: VecDeque<SocketKey>,
    /// Reused by each turn.
    batch: Vec<Ready>,
    /// Waits whose end was noticed out of turn.
    ended_waits: Vec<SocketKey>,
    stopped: bool,
}

/// Totals of the engine; the stack and the link have their own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) turns: u64,
    pub(crate) requests: u64,
    pub(crate) questions: u64,
    pub(crate) bad_frames: u64,
    pub(crate) link_received: u64,
    pub(crate) link_sent: u64,
    pub(crate) link_failed: u64,
    pub(crate) refused: u64,
    pub(crate) records_failed: u64,
    pub(crate) shortcuts: u64,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("sockets", &self.table.len())
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the link and the RPC socket. The engine does nothing until [`Engine::run`].
    pub fn open(
        config: Config,
        events: Box<dyn Fn(Event) + Send>,
    ) -> Result<(Engine, Handle, Option<TapReport>), OpenError> {
        let rpc = listen(&config)?;
        let opened = open_link(&config).inspect_err(|_| {
            // The socket was made by us just now and nobody has connected yet.
            let _ = fs::remove_file(&config.socket_path);
        })?;
        let (link, report) =
            opened.map_or((None, None), |(link, report)| (Some(link), Some(report)));
        let native = Native::new(&config.names_dir)
            .and_then(|native| {
                let (records, left) =
                    Records::open(&config.names_dir, config.max_sockets + MAX_SESSIONS)?;
                Ok((native, records, left))
            })
            .map_err(|source| OpenError::Socket {
                path: config.names_dir.clone(),
                source,
            });
        let (native, records, left) = native?;
        let epoll = Epoll::new(EVENTS).map_err(OpenError::system("epoll_create1"))?;
        let waker = Arc::new(Waker::new().map_err(OpenError::system("eventfd"))?);
        let add = |fd, token: Token| {
            epoll
                .add(fd, LEVEL_IN, token.pack())
                .map_err(OpenError::system("epoll_ctl"))
        };
        add(waker.as_fd(), Token::Waker)?;
        add(rpc.as_fd(), Token::Rpc)?;
        if let Some(fd) = link.as_ref().and_then(|l| l.as_fd()) {
            add(fd, Token::Link)?;
        }
        let datagrams = Datagrams::open(&config, MAC);
        if let Some(fd) = datagrams.as_ref().ok().and_then(Datagrams::as_fd) {
            add(fd, Token::Datagrams)?;
        }
        let index = datagrams.as_ref().ok().and_then(Datagrams::index);
        let interfaces = interfaces(&config, MAC, index);
        let random = || random_u64().map_err(OpenError::system("getrandom"));
        let now_micros = monotonic_micros();
        let tap = config.tap.as_ref();
        let stack_config = netcon_stack::Config {
            mac: MAC,
            addresses: config
                .addresses
                .iter()
                .map(|&(ip, len)| Cidr::new(ip, len))
                .collect(),
            gateway_v4: config.gateway_v4,
            gateway_v6: config.gateway_v6,
            mtu: tap.map_or(1500, |t| t.mtu),
            has_link: link.is_some(),
            secret: [random()?, random()?],
            ring: RING,
            max_connections: config.max_sockets,
            datagrams: datagrams.is_ok(),
            congestion: config.congestion,
            tso: report.as_ref().is_some_and(|r: &TapReport| r.offload),
            ..netcon_stack::Config::default()
        };
        let rings = Box::new(SlabRings::new(RING));
        let stack = Stack::new(stack_config, rings, Instant::from_micros(now_micros));
        let shortcuts = config.shortcut && diag::Pairs::look(true).is_ok();
        let (handle, commands) = Handle::new(Arc::clone(&waker));
        let engine = Engine {
            epoll,
            waker,
            commands,
            events,
            stack,
            link,
            link_ready: false,
            interfaces,
            datagrams,
            frame: vec![0; FRAME_LEN].into_boxed_slice(),
            native,
            records,
            members: FxHashMap::default(),
            left,
            table: Table::default(),
            sessions: Sessions::default(),
            questions: Questions::default(),
            rpc,
            spare: fs::File::open("/dev/null").ok(),
            full_until: 0,
            dirty: VecDeque::new(),
            handoff_due: Vec::new(),
            fill_due: Vec::new(),
            lying_ready: 0,
            busy_poll: BusyPoll::new(i64::from(config.busy_poll_micros)),
            random: RandomPool::default(),
            reap_due: false,
            reap_threshold: 256,
            shortcuts,
            now_micros,
            started_micros: now_micros,
            config,
            counters: Counters::default(),
            ended: VecDeque::new(),
            batch: Vec::with_capacity(EVENTS),
            ended_waits: Vec::new(),
            stopped: false,
        };
        Ok((engine, handle, report))
    }

    /// Runs until [`Command::Stop`], or until the system refuses what the loop cannot do without.
    pub fn run(mut self) {
        if let Err(Problem(why)) = &self.datagrams
            && self.config.datagrams
        {
            (self.events)(Event::Warning(why.clone()));
        }
        let left = std::mem::take(&mut self.left);
        self.readopt(left);
        while !self.stopped {
            if let Err(e) = self.turn() {
                (self.events)(Event::Fatal(e.to_string()));
                break;
            }
        }
        self.shut_down();
    }

    fn turn(&mut self) -> io::Result<()> {
        self.counters.turns += 1;
        let timeout = self.timeout();
        let n = self.busy_poll.wait(&mut self.epoll, timeout)?;
        self.now_micros = monotonic_micros();
        let mut batch = std::mem::take(&mut self.batch);
        batch.extend((0..n).filter_map(|i| self.epoll.ready(i)));
        for ready in batch.drain(..) {
            self.dispatch(ready);
        }
        self.batch = batch;
        self.tell_link_the_time();
        if self.link_ready {
            self.receive_frames();
        }
        self.stack.handle_timeout(self.now());
        self.deliver_refusals();
        for key in std::mem::take(&mut self.ended_waits) {
            self.wait_ended(key);
        }
        self.retry_handoffs();
        if self.reap_due {
            self.reap();
        }
        self.move_bytes();
        self.refill();
        Ok(())
    }

    /// Rounds of handling the stack's events, moving bytes and sending, until nothing is left or
    /// the turn is long enough.
    fn move_bytes(&mut self) {
        for _ in 0..ROUNDS {
            self.drain_events();
            self.pump_dirty();
            let mut sink = LinkSink {
                link: self.link.as_deref_mut(),
                sent: &mut self.counters.link_sent,
                failed: &mut self.counters.link_failed,
            };
            let now = Instant::from_micros(self.now_micros);
            let more = self.stack.poll_transmit(now, FRAMES, &mut sink);
            self.drain_events();
            if !more && self.dirty.is_empty() {
                break;
            }
        }
    }

    /// Notices what programs have closed so far: a bind that conflicts waits for it.
    pub(crate) fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let Ok(n) = self.epoll.wait(Some(0)) else {
                return;
            };
            let streams: Vec<(SocketKey, Ready)> = (0..n)
                .filter_map(|i| self.epoll.ready(i))
                .filter_map(|ready| match Token::unpack(ready.token) {
                    Some(Token::Stream(key)) => Some((key, ready)),
                    // Level-triggered, so they come again in the next turn.
                    Some(
                        Token::Waker
                        | Token::Rpc
                        | Token::Link
                        | Token::Datagrams
                        | Token::Channel(_),
                    )
                    | None => None,
                    Some(Token::Wait(key)) => {
                        self.ended_waits.push(key);
                        None
                    }
                })
                .collect();
            let idle = streams.is_empty() && self.dirty.is_empty();
            for (key, ready) in streams {
                self.stream_ready(key, ready);
            }
            self.move_bytes();
            if idle {
                break;
            }
        }
        self.reap();
    }

    /// The link delays frames by the time it is told; some may be due now.
    fn tell_link_the_time(&mut self) {
        let Some(link) = &mut self.link else { return };
        let now = self.now_micros.unsigned_abs();
        link.handle_timeout(now);
        self.link_ready |= link.poll_timeout().is_some_and(|at| at <= now);
        if let Some(warning) = link.take_warning() {
            (self.events)(Event::Warning(warning));
        }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.now_micros)
    }

    pub(crate) fn uptime_micros(&self) -> i64 {
        self.now_micros - self.started_micros
    }

    /// Microseconds until something is due; `None` waits for ever.
    fn timeout(&mut self) -> Option<i64> {
        if self.link_ready || !self.dirty.is_empty() {
            return Some(0);
        }
        let now = monotonic_micros();
        let link = self
            .link
            .as_ref()
            .and_then(|l| l.poll_timeout())
            .map(u64::cast_signed);
        let handoff = self.handoff_due.iter().map(|(at, _)| *at).min();
        let stack = self.stack.poll_timeout().map(|at| at.total_micros());
        [link, handoff, stack]
            .into_iter()
            .flatten()
            .min()
            .map(|at| (at - now).max(0))
    }

    fn dispatch(&mut self, ready: Ready) {
        match Token::unpack(ready.token) {
            Some(Token::Waker) => self.run_commands(),
            Some(Token::Rpc) => self.accept_channels(),
            Some(Token::Link) => self.link_ready = true,
            Some(Token::Datagrams) => self.take_datagrams(),
            Some(Token::Channel(id)) => self.serve_channel(id),
            Some(Token::Stream(key)) => self.stream_ready(key, ready),
            Some(Token::Wait(key)) => self.wait_ended(key),
            None => {}
        }
    }

    /// At most [`FRAMES`] frames; what is left makes the level-triggered fd ready again.
    fn receive_frames(&mut self) {
        let Some(link) = &mut self.link else { return };
        self.link_ready = false;
        for _ in 0..FRAMES {
            match link.recv(&mut self.frame) {
                Ok(Some((offload, len))) => {
                    self.counters.link_received += 1;
                    let meta = RxMeta {
                        checksum_ok: offload.checksum_ok,
                    };
                    let Some(frame) = self.frame.get_mut(..len) else {
                        continue;
                    };
                    let now = Instant::from_micros(self.now_micros);
                    if let Some(datagram) = self.stack.handle_frame(now, &meta, frame)
                        && let Ok(datagrams) = &mut self.datagrams
                    {
                        datagrams.deliver(&datagram);
                    }
                }
                Err(e) if e.raw_os_error() == Some(EBADFD) => return self.lose_link(),
                // Nothing there, or the interface is down: the fd tells when there is more.
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// The interface has been deleted: its fd would be ready for ever. Programs go on among
    /// themselves.
    fn lose_link(&mut self) {
        if let Some(link) = self.link.take() {
            if let Some(fd) = link.as_fd() {
                let _ = self.epoll.delete(fd);
            }
            let name = self.config.tap.as_ref().map_or("", |t| &t.name);
            let why =
                format!("the interface {name} is gone: nothing beyond this host is reachable");
            (self.events)(Event::Warning(why));
        }
    }

    fn run_commands(&mut self) {
        self.waker.reset();
        while let Ok(command) = self.commands.try_recv() {
            self.execute(command);
        }
    }

    fn execute(&mut self, command: Command) {
        // A receiver that has gone does not want the answer any more.
        match command {
            Command::Admit {
                session,
                max_sockets,
                reply,
            } => {
                self.admit(session, max_sockets, &reply);
            }
            Command::Refuse { session, reply } => self.refuse(session, &reply),
            Command::Answer {
                question,
                errno,
                bytes,
            } => self.answer_question(question, errno, &bytes),
            Command::Status(answer) => drop(answer.send(self.status())),
            Command::Sockets(answer) => drop(answer.send(self.socket_rows())),
            Command::Sessions(answer) => drop(answer.send(self.session_rows())),
            Command::Stop => self.stopped = true,
        }
    }

    /// Room to write is not asked for before a write has found too little: else every read of the
    /// program's would wake us.
    pub(crate) fn register_stream(&self, end: &OwnedFd, key: SocketKey) -> io::Result<()> {
        self.epoll
            .add(end.as_fd(), EDGE_IN, Token::Stream(key).pack())
    }

    /// Resets every connection, so that no peer waits for an answer, and takes the names away.
    fn shut_down(&mut self) {
        let keys: Vec<SocketKey> = self.table.iter().map(|s| s.key).collect();
        for key in keys {
            if let Some(pcb) = self.table.set_pcb(key, None) {
                self.stack.abort(pcb);
            }
            if let Some(socket) = self.table.get_mut(key) {
                socket.role = Role::Idle;
            }
        }
        let mut sink = LinkSink {
            link: self.link.as_deref_mut(),
            sent: &mut self.counters.link_sent,
            failed: &mut self.counters.link_failed,
        };
        let now = Instant::from_micros(self.now_micros);
        for _ in 0..1024 {
            if !self.stack.poll_transmit(now, FRAMES, &mut sink) {
                break;
            }
        }
        // Another service may have taken the path over only if ours was removed by hand.
        let _ = fs::remove_file(&self.config.socket_path);
        self.native.cleanup();
    }
}
