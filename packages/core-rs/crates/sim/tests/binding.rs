//! Binding: conflicts, automatic ports.

use std::net::{IpAddr, Ipv4Addr};

use netcon_sim::{Host, Pair, config, v4, v6};
use netcon_stack::{
    BindError, BindOptions, Config, ConnectError, Duration, Family, Instant, ListenError, PcbId,
    SockAddr, Stack, TcpState,
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
    let port = BindOptions {
        reuse_port: true,
        ..STRICT
    };
    for (options, want) in [
        (STRICT, Err(BindError::InUse)),
        (REUSE, Ok(())),
        (port, Ok(())),
    ] {
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
        for wanted in [STRICT, REUSE, port] {
            let bound = bind(&mut pair.b.stack, any4(80), wanted);
            let shared = options == wanted && options != STRICT;
            assert_eq!(bound.is_ok(), shared, "{options:?}, then {wanted:?}");
            if let Ok(id) = bound {
                pair.b.stack.close(id);
            }
        }
        if options == STRICT {
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
