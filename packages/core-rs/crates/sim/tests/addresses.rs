//! Binding, connecting, loopback, neighbours, ports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_sim::{Host, Pair, Side, Transfer, config, v4, v6};
use netcon_stack::{
    BindError, BindOptions, Cause, Cidr, Config, ConnectError, Duration, Event, Family, Instant,
    ListenError, PcbId, SockAddr, Stack, TcpState,
};

const REUSE: BindOptions = BindOptions {
    reuse_addr: true,
    reuse_port: false,
    v6only: false,
};
const STRICT: BindOptions = BindOptions {
    reuse_addr: false,
    reuse_port: false,
    v6only: false,
};

fn any4(port: u16) -> SockAddr {
    SockAddr {
        port,
        ..SockAddr::unspecified(Family::Inet)
    }
}

fn any6(port: u16) -> SockAddr {
    SockAddr {
        port,
        ..SockAddr::unspecified(Family::Inet6)
    }
}

fn local4(port: u16) -> SockAddr {
    SockAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn local6(port: u16) -> SockAddr {
    SockAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)
}

fn bind(stack: &mut Stack, at: SockAddr, options: BindOptions) -> Result<PcbId, BindError> {
    let id = stack.open(at.family()).expect("open");
    stack.bind(id, at, options).map(|_| id)
}

fn lonely(change: impl Fn(&mut Config)) -> Host {
    let mut config = config(1);
    config.has_link = false;
    change(&mut config);
    Host::new(config)
}

#[test]
fn bind_conflicts_follow_linux() {
    let table = [
        (
            any4(80),
            STRICT,
            any4(80),
            STRICT,
            Err(BindError::InUse),
            "the same",
        ),
        (any4(80), STRICT, any4(81), STRICT, Ok(()), "another port"),
        (
            any4(80),
            STRICT,
            v4(1, 80),
            STRICT,
            Err(BindError::InUse),
            "wildcard and address",
        ),
        (
            local4(80),
            STRICT,
            v4(1, 80),
            STRICT,
            Ok(()),
            "two addresses",
        ),
        (
            any4(80),
            REUSE,
            any4(80),
            REUSE,
            Ok(()),
            "both reuse, none listens",
        ),
        (
            any4(80),
            REUSE,
            any4(80),
            STRICT,
            Err(BindError::InUse),
            "one reuses",
        ),
        (
            any6(80),
            STRICT,
            any4(80),
            STRICT,
            Err(BindError::InUse),
            "dual-stack",
        ),
        (
            any6(80),
            BindOptions {
                v6only: true,
                ..STRICT
            },
            any4(80),
            STRICT,
            Ok(()),
            "v6only",
        ),
        (
            v6(1, 80),
            STRICT,
            any4(80),
            STRICT,
            Ok(()),
            "an IPv6 address takes no IPv4",
        ),
    ];
    for (first, first_options, second, second_options, want, why) in table {
        let mut host = lonely(|_| {});
        bind(&mut host.stack, first, first_options).expect(why);
        let got = bind(&mut host.stack, second, second_options).map(|_| ());
        assert_eq!(got, want, "{why}");
    }
}

#[test]
fn bind_beside_a_listener_conflicts_in_spite_of_reuse() {
    let mut host = lonely(|_| {});
    let first = bind(&mut host.stack, any4(80), REUSE).expect("bind");
    let second = bind(&mut host.stack, any4(80), REUSE).expect("bind");
    host.stack.listen(first, 1).expect("listen");
    assert_eq!(
        bind(&mut host.stack, any4(80), REUSE),
        Err(BindError::InUse)
    );
    assert_eq!(host.stack.listen(second, 1), Err(ListenError::InUse));
    host.stack.close(first);
    assert!(host.stack.listen(second, 1).is_ok());
}

#[test]
fn bind_errors() {
    let mut host = lonely(|_| {});
    let id = host.stack.open(Family::Inet).expect("open");
    let far = SockAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);
    assert_eq!(
        host.stack.bind(id, far, STRICT),
        Err(BindError::NotAvailable)
    );
    assert_eq!(
        host.stack.bind(id, any6(80), STRICT),
        Err(BindError::Invalid),
        "family"
    );
    let bound = host
        .stack
        .bind(id, any4(0), STRICT)
        .expect("an automatic port");
    assert!(bound.port >= 32_768);
    assert_eq!(
        host.stack.bind(id, any4(80), STRICT),
        Err(BindError::Invalid),
        "bound already"
    );
}

#[test]
fn listen_without_bind_takes_a_free_port() {
    let mut host = lonely(|_| {});
    let id = host.stack.open(Family::Inet6).expect("open");
    let at = host.stack.listen(id, 1).expect("listen");
    assert!(at.port >= 32_768 && at.ip.is_unspecified());
}

#[test]
fn bind_beside_connections_needs_reuse_on_both() {
    for (options, want) in [(STRICT, Err(BindError::InUse)), (REUSE, Ok(()))] {
        let mut pair = Pair::new(1);
        let listener = bind(&mut pair.b.stack, any4(80), options).expect("bind");
        pair.b.stack.listen(listener, 4).expect("listen");
        let a = pair.a.stack.open(Family::Inet).expect("open");
        pair.a
            .stack
            .connect(a, v4(2, 80), pair.now)
            .expect("connect");
        pair.settle();
        let child = pair.b.accept().expect("child");
        pair.b.stack.close(listener);
        assert_eq!(
            bind(&mut pair.b.stack, any4(80), options).map(|_| ()),
            want,
            "live"
        );
        pair.b.stack.close(child);
        pair.settle();
        pair.a.stack.close(a);
        pair.settle();
        let time_wait = pair
            .b
            .stack
            .pcbs()
            .any(|(_, info)| info.state == TcpState::TimeWait);
        assert!(time_wait, "the server closed first");
        if options == STRICT {
            assert_eq!(
                bind(&mut pair.b.stack, any4(80), REUSE),
                Err(BindError::InUse)
            );
            pair.pass(Duration::from_secs(61));
            pair.b.stack.handle_timeout(pair.now);
            assert!(
                bind(&mut pair.b.stack, any4(80), STRICT).is_ok(),
                "TIME-WAIT is over"
            );
        }
    }
}

#[test]
fn connect_errors_come_at_once() {
    let mut host = lonely(|_| {});
    let now = Instant::ZERO;
    let id = host.stack.open(Family::Inet).expect("open");
    assert_eq!(
        host.stack.connect(id, v4(2, 80), now),
        Err(ConnectError::NetUnreachable)
    );
    assert_eq!(
        host.stack.connect(id, v6(1, 80), now),
        Err(ConnectError::Family)
    );
    assert_eq!(
        host.stack.connect(id, local4(0), now),
        Err(ConnectError::Refused)
    );
    host.stack.listen(id, 1).expect("listen");
    assert_eq!(
        host.stack.connect(id, local4(80), now),
        Err(ConnectError::Invalid)
    );
    let mut pair = Pair::new(2);
    let (a, _) = pair.connect(v4(2, 80));
    assert_eq!(
        pair.a.stack.connect(a, v4(2, 80), pair.now),
        Err(ConnectError::IsConnected)
    );
    let far = SockAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);
    let b = pair.a.stack.open(Family::Inet).expect("open");
    assert_eq!(
        pair.a.stack.connect(b, far, pair.now),
        Err(ConnectError::NetUnreachable),
        "no gateway"
    );
    pair.a
        .stack
        .connect(b, v4(2, 81), pair.now)
        .expect("connect");
    assert_eq!(
        pair.a.stack.connect(b, v4(2, 81), pair.now),
        Err(ConnectError::InProgress)
    );
}

#[test]
fn connect_without_an_answer_times_out_like_linux() {
    let mut pair = Pair::new(3);
    let (warm, _) = pair.connect(v4(2, 81));
    pair.a.stack.abort(warm);
    pair.settle();
    pair.ab.mute = true;
    let id = pair.a.stack.open(Family::Inet).expect("open");
    let start = pair.now;
    let lost = pair.ab.lost;
    pair.a
        .stack
        .connect(id, v4(2, 80), pair.now)
        .expect("connect");
    let failed = Event::Failed {
        pcb: id,
        cause: Cause::TimedOut,
    };
    assert!(pair.drive(|pair| pair.a.events.contains(&failed)));
    assert_eq!((pair.now - start).secs(), 127, "tcp_syn_retries");
    assert_eq!(pair.ab.lost - lost, 8, "the SYN and its repetitions");
}

#[test]
fn silent_neighbour_is_host_unreachable_after_three_seconds() {
    for to in [v4(9, 80), v6(9, 80)] {
        let mut pair = Pair::new(4);
        let id = pair.a.stack.open(to.family()).expect("open");
        pair.a.stack.connect(id, to, pair.now).expect("connect");
        pair.pass(Duration::from_millis(2900));
        assert_eq!(pair.a.events, []);
        pair.pass(Duration::from_millis(200));
        let failed = Event::Failed {
            pcb: id,
            cause: Cause::HostUnreachable,
        };
        assert_eq!(pair.a.events, [failed]);
        assert_eq!(pair.next_wake(), None);
        // The next attempt asks anew.
        pair.a.events.clear();
        pair.a.stack.connect(id, to, pair.now).expect("connect");
        pair.pass(Duration::from_secs(4));
        assert_eq!(pair.a.events, [failed]);
    }
}

#[test]
fn hundreds_of_neighbours_are_resolved_and_forgotten() {
    let mut pair = Pair::new(5);
    let ids: Vec<PcbId> = (3..=250)
        .map(|host| {
            let id = pair.a.stack.open(Family::Inet).expect("open");
            pair.a
                .stack
                .connect(id, v4(host, 80), pair.now)
                .expect("connect");
            id
        })
        .collect();
    pair.pass(Duration::from_secs(5));
    for pcb in ids {
        let failed = Event::Failed {
            pcb,
            cause: Cause::HostUnreachable,
        };
        assert!(pair.a.events.contains(&failed));
    }
}

#[test]
fn gateway_takes_what_is_elsewhere() {
    let mut pair = Pair::with(6, |config| {
        let other = if config.mac[5] == 1 { 2 } else { 1 };
        config.gateway_v4 = Some(Ipv4Addr::new(10, 77, 0, other));
        if config.mac[5] == 2 {
            config
                .addresses
                .push(Cidr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 32));
        }
    });
    let far = SockAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 80);
    let (a, b) = pair.connect(far);
    Transfer::new((Side::A, a), (Side::B, b), 100_000, 1).run(&mut pair);
}

#[test]
fn loopback_carries_both_families_and_own_addresses() {
    let mut host = lonely(|_| {});
    for (to, from) in [
        (local4(80), local4(0)),
        (local6(80), local6(0)),
        (v4(1, 80), v4(1, 0)),
        (v6(1, 80), v6(1, 0)),
        (
            SockAddr::new(IpAddr::V4(Ipv4Addr::new(127, 9, 9, 9)), 80),
            local4(0),
        ),
    ] {
        let mut pair = Pair::new(7);
        pair.a = host;
        let listener = pair.a.listen(to, 4);
        let id = pair.a.stack.open(to.family()).expect("open");
        let local = pair.a.stack.connect(id, to, pair.now).expect("connect");
        assert_eq!(local.ip, from.ip);
        pair.settle();
        let child = pair.a.accept().expect("accept");
        assert!(pair.a.events.contains(&Event::Connected { pcb: id }));
        let mut up = Transfer::new((Side::A, id), (Side::A, child), 3 << 20, 1);
        let mut down = Transfer::new((Side::A, child), (Side::A, id), 3 << 20, 2);
        assert!(pair.drive(|pair| up.pump(pair) & down.pump(pair)));
        pair.settle();
        for pcb in [id, child, listener] {
            pair.a.stack.close(pcb);
        }
        pair.pass(Duration::from_secs(61));
        assert_eq!(pair.a.stack.poll_timeout(), None);
        assert_eq!(pair.ab.sent, 0, "nothing leaves");
        host = pair.a;
        host.events.clear();
    }
}

#[test]
fn loopback_uses_large_segments() {
    let mut pair = Pair::new(8);
    let listener = pair.a.listen(local4(80), 4);
    let id = pair.a.stack.open(Family::Inet).expect("open");
    pair.a
        .stack
        .connect(id, local4(80), pair.now)
        .expect("connect");
    pair.settle();
    let child = pair.a.accept().expect("accept");
    let before = pair.a.stack.counters().loop_frames;
    Transfer::new((Side::A, id), (Side::A, child), 8 << 20, 1).run(&mut pair);
    let frames = pair.a.stack.counters().loop_frames - before;
    assert!(frames < 400, "{frames} frames for 8 MiB");
    assert!(pair.a.stack.info(listener).is_some());
}

#[test]
fn loopback_refused_and_unspecified() {
    let mut pair = Pair::new(9);
    let id = pair.a.stack.open(Family::Inet).expect("open");
    pair.a
        .stack
        .connect(id, any4(80), pair.now)
        .expect("0.0.0.0 is this host");
    pair.settle();
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: id,
        cause: Cause::Refused
    }));
}

#[test]
fn v6_socket_connects_to_a_mapped_address() {
    let mut pair = Pair::new(10);
    pair.b.listen(v4(2, 80), 4);
    let id = pair.a.stack.open(Family::Inet6).expect("open");
    let to = v4(2, 80).as_family(Family::Inet6);
    let local = pair.a.stack.connect(id, to, pair.now).expect("connect");
    assert_eq!(local.ip, v4(1, 0).as_family(Family::Inet6).ip);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Connected { pcb: id }));
    assert_eq!(pair.a.stack.info(id).expect("pcb").peer, Some(to));
}

#[test]
fn ephemeral_ports_run_out_per_peer_only() {
    let mut host = lonely(|config| {
        config.ring = 4096;
        config.max_connections = 40_000;
    });
    let now = Instant::ZERO;
    let connect = |host: &mut Host, to: SockAddr| {
        let id = host.stack.open(Family::Inet).expect("open");
        host.stack.connect(id, to, now).map(|_| ())
    };
    // One bound port is never given to a connect.
    bind(&mut host.stack, any4(40_000), STRICT).expect("bind");
    for number in 0..28_231 {
        assert_eq!(connect(&mut host, local4(80)), Ok(()), "{number}");
    }
    assert_eq!(
        connect(&mut host, local4(80)),
        Err(ConnectError::NotAvailable)
    );
    assert_eq!(connect(&mut host, local4(81)), Ok(()), "another peer");
}

#[test]
fn ephemeral_ports_differ_between_connects_and_secrets() {
    let ports = |seed: u64| -> Vec<u16> {
        let mut host = lonely(|config| config.secret = [seed, 0]);
        (0..8)
            .map(|_| {
                let id = host.stack.open(Family::Inet).expect("open");
                host.stack
                    .connect(id, local4(80), Instant::ZERO)
                    .expect("connect")
                    .port
            })
            .collect()
    };
    let (one, two) = (ports(1), ports(2));
    assert_ne!(one, two);
    assert!(one.iter().all(|port| *port >= 32_768 && *port < 61_000));
}

#[test]
fn bound_connect_conflicts_on_its_four_tuple_only() {
    let mut pair = Pair::new(11);
    pair.b.listen(v4(2, 80), 8);
    pair.b.listen(v4(2, 81), 8);
    let first = bind(&mut pair.a.stack, v4(1, 5000), REUSE).expect("bind");
    pair.a
        .stack
        .connect(first, v4(2, 80), pair.now)
        .expect("connect");
    pair.settle();
    let second = bind(&mut pair.a.stack, v4(1, 5000), REUSE).expect("bind");
    assert_eq!(
        pair.a.stack.connect(second, v4(2, 80), pair.now),
        Err(ConnectError::InUse)
    );
    pair.a
        .stack
        .connect(second, v4(2, 81), pair.now)
        .expect("another peer");
}

#[test]
fn rings_are_given_back() {
    let mut pair = Pair::new(12);
    for _ in 0..50 {
        let (a, b) = pair.connect(v4(2, 80));
        pair.a.stack.abort(a);
        pair.settle();
        pair.b.stack.close(b);
        pair.settle();
    }
    assert_eq!(pair.a.stack.pcbs().count(), 0);
    assert_eq!(pair.b.stack.pcbs().count(), 0);
}
