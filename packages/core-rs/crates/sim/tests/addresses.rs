//! Connecting, loopback, neighbours, gateways.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_sim::{Host, Pair, Side, Transfer, config, v4, v6};
use netcon_stack::{
    BindOptions, Cause, Cidr, Config, ConnectError, Duration, Event, Family, Instant, PcbId,
    SockAddr,
};

fn any4(port: u16) -> SockAddr {
    SockAddr {
        port,
        ..SockAddr::unspecified(Family::Inet)
    }
}

fn local4(port: u16) -> SockAddr {
    SockAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn local6(port: u16) -> SockAddr {
    SockAddr::new(IpAddr::V6(Ipv6Addr::LOCALHOST), port)
}

fn lonely(change: impl Fn(&mut Config)) -> Host {
    let mut config = config(1);
    config.has_link = false;
    change(&mut config);
    Host::new(config)
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
            pair.settle();
        }
        assert_eq!(pair.a.stack.pcbs().count(), 0, "not even TIME-WAIT");
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

#[test]
fn connection_with_itself_works_as_on_linux() {
    let mut pair = Pair::new(13);
    let id = pair.a.stack.open(Family::Inet).expect("open");
    pair.a
        .stack
        .bind(id, local4(5000), BindOptions::default())
        .expect("bind");
    pair.a
        .stack
        .connect(id, local4(5000), pair.now)
        .expect("connect");
    pair.pass(Duration::from_secs(2));
    assert!(
        pair.a.events.contains(&Event::Connected { pcb: id }),
        "{:?}",
        pair.a.events
    );
    let mut transfer = Transfer::new((Side::A, id), (Side::A, id), 100_000, 1);
    transfer.finish = false;
    transfer.run(&mut pair);
    pair.a.stack.close(id);
    pair.pass(Duration::from_secs(200));
    assert!(
        pair.a.events.contains(&Event::Closed { pcb: id }),
        "{:?}",
        pair.a.events
    );
}
