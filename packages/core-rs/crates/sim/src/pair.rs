//! Two stacks back to back, and a clock that jumps.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_stack::{
    BindOptions, Cidr, Config, Duration, Event, Family, HeapRings, Instant, PcbId, SockAddr, Stack,
};

use crate::{Fault, Link};

/// Most turns of [`Pair::drive`]: a test that needs more is stuck.
const TURNS: usize = 2_000_000;

/// One of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// A stack and the events it has given.
#[derive(Debug)]
pub struct Host {
    /// The stack.
    pub stack: Stack,
    /// Events not taken yet.
    pub events: Vec<Event>,
}

impl Host {
    /// A stack of that configuration, rings from the heap.
    pub fn new(config: Config) -> Host {
        let stack = Stack::new(config, Box::new(HeapRings::default()), Instant::ZERO);
        Host {
            stack,
            events: Vec::new(),
        }
    }

    /// Takes the first event that `want` maps to something.
    pub fn take<T>(&mut self, want: impl Fn(&Event) -> Option<T>) -> Option<T> {
        let (at, found) = self
            .events
            .iter()
            .enumerate()
            .find_map(|(at, event)| Some((at, want(event)?)))?;
        self.events.remove(at);
        Some(found)
    }

    /// Takes the connection that has come in, and tells the stack that it was accepted.
    pub fn accept(&mut self) -> Option<PcbId> {
        let pcb = self.take(|event| {
            if let Event::Incoming { pcb, .. } = event {
                Some(*pcb)
            } else {
                None
            }
        })?;
        self.stack.backlog_accepted(pcb);
        Some(pcb)
    }

    /// A listener.
    pub fn listen(&mut self, at: SockAddr, backlog: usize) -> PcbId {
        let id = self.stack.open(at.family()).expect("open");
        self.stack
            .bind(id, at, BindOptions::default())
            .expect("bind");
        self.stack.listen(id, backlog).expect("listen");
        id
    }

    fn collect(&mut self) {
        while let Some(event) = self.stack.poll_event() {
            self.events.push(event);
        }
    }

    fn transmit(&mut self, now: Instant, link: &mut Link) {
        for _ in 0..TURNS {
            self.collect();
            let more = self.stack.poll_transmit(now, 64, link);
            self.collect();
            if !more {
                return;
            }
        }
        panic!("a stack never stops sending");
    }
}

/// Two stacks, a link each way.
#[derive(Debug)]
pub struct Pair {
    /// The first stack: 10.77.0.1, fd77::1.
    pub a: Host,
    /// The second stack: 10.77.0.2, fd77::2.
    pub b: Host,
    /// From the first to the second.
    pub ab: Link,
    /// From the second to the first.
    pub ba: Link,
    /// The time.
    pub now: Instant,
}

impl Pair {
    /// Two stacks with plain links.
    pub fn new(seed: u64) -> Pair {
        Pair::with(seed, |_| {})
    }

    /// Two stacks whose configuration was changed by `change`.
    pub fn with(seed: u64, change: impl Fn(&mut Config)) -> Pair {
        let make = |host: u8| {
            let mut config = config(host);
            config.secret = [seed, u64::from(host)];
            change(&mut config);
            Host::new(config)
        };
        Pair {
            a: make(1),
            b: make(2),
            ab: Link::new(seed),
            ba: Link::new(seed ^ 0xffff_0000),
            now: Instant::ZERO,
        }
    }

    /// The same faults both ways.
    pub fn faults(&mut self, fault: Fault) {
        self.ab.fault = fault;
        self.ba.fault = fault;
    }

    /// One of the two hosts.
    pub fn host(&mut self, side: Side) -> &mut Host {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Sends what there is to send, and takes in what has arrived; the clock stands still.
    pub fn settle(&mut self) {
        for _ in 0..TURNS {
            self.ab.set_now(self.now);
            self.ba.set_now(self.now);
            self.a.transmit(self.now, &mut self.ab);
            self.b.transmit(self.now, &mut self.ba);
            let mut moved = false;
            while let Some((meta, mut frame)) = self.ab.arrive(self.now) {
                self.b.stack.handle_frame(self.now, &meta, &mut frame);
                moved = true;
            }
            while let Some((meta, mut frame)) = self.ba.arrive(self.now) {
                self.a.stack.handle_frame(self.now, &meta, &mut frame);
                moved = true;
            }
            self.a.collect();
            self.b.collect();
            if !moved {
                return;
            }
        }
        panic!("frames go to and fro for ever");
    }

    /// When something happens next.
    pub fn next_wake(&mut self) -> Option<Instant> {
        let stacks = [self.a.stack.poll_timeout(), self.b.stack.poll_timeout()];
        let links = [self.ab.next_arrival(), self.ba.next_arrival()];
        stacks.into_iter().chain(links).flatten().min()
    }

    /// Settles, then jumps to the next thing that happens, at most to `limit`. False when nothing
    /// happens until then: the clock stands at `limit`.
    pub fn step_until(&mut self, limit: Instant) -> bool {
        self.settle();
        match self.next_wake().filter(|wake| *wake <= limit) {
            Some(wake) => {
                self.jump(wake);
                true
            }
            None => {
                self.now = self.now.max(limit);
                false
            }
        }
    }

    fn jump(&mut self, to: Instant) {
        self.now = self.now.max(to);
        self.a.stack.handle_timeout(self.now);
        self.b.stack.handle_timeout(self.now);
        self.settle();
    }

    /// Lets that much time pass.
    pub fn pass(&mut self, time: Duration) {
        let limit = self.now + time;
        while self.step_until(limit) {}
    }

    /// Steps until `done`; false when nothing happens any more, or an hour has passed.
    pub fn drive(&mut self, mut done: impl FnMut(&mut Pair) -> bool) -> bool {
        let limit = self.now + Duration::from_secs(3600);
        for _ in 0..TURNS {
            self.settle();
            if done(self) {
                return true;
            }
            // `done` may have written or read, which is work at this very time.
            self.settle();
            match self.next_wake().filter(|wake| *wake <= limit) {
                Some(wake) => self.jump(wake),
                None if done(self) => return true,
                None if self.next_wake().is_none_or(|wake| wake > limit) => return false,
                None => {}
            }
        }
        panic!("never done");
    }

    /// A connection from the first to a listener of the second: (the first's end, the second's).
    pub fn connect(&mut self, to: SockAddr) -> (PcbId, PcbId) {
        let listener = self.b.listen(to, 16);
        let a = self.a.stack.open(to.family()).expect("open");
        self.a.stack.connect(a, to, self.now).expect("connect");
        let mut b = None;
        let done = self.drive(|pair| {
            b = b.or_else(|| pair.b.accept());
            b.is_some() && pair.a.events.contains(&Event::Connected { pcb: a })
        });
        assert!(
            done,
            "not connected: {:?} {:?}",
            self.a.events, self.b.events
        );
        self.b.stack.close(listener);
        self.settle();
        self.a.events.clear();
        self.b.events.clear();
        (a, b.expect("accepted"))
    }
}

/// The configuration of host 10.77.0.`host`, fd77::`host`.
pub fn config(host: u8) -> Config {
    Config {
        mac: [2, 0, 0, 0, 0, host],
        addresses: vec![Cidr::new(v4(host, 0).ip, 24), Cidr::new(v6(host, 0).ip, 64)],
        has_link: true,
        ring: 256 << 10,
        ..Config::default()
    }
}

/// 10.77.0.`host`.
pub fn v4(host: u8, port: u16) -> SockAddr {
    SockAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, host)), port)
}

/// fd77::`host`.
pub fn v6(host: u8, port: u16) -> SockAddr {
    SockAddr::new(
        IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(host))),
        port,
    )
}

const _: fn() = || {
    fn sent<T: Send>() {}
    // The engine makes a stack in one thread and may run it in another.
    sent::<Stack>();
    let _ = Family::Inet;
};
