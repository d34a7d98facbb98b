//! Listeners: backlog, embryos, dual-stack, groups.

use netcon_sim::{Pair, v4, v6};
use netcon_stack::{
    BindOptions, Cause, Duration, Event, Family, PcbId, PcbOptions, SockAddr, Stack, TcpState,
};

fn open(stack: &mut Stack, at: SockAddr, options: BindOptions) -> PcbId {
    let id = stack.open(at.family()).expect("open");
    stack.bind(id, at, options).expect("bind");
    id
}

fn dial(pair: &mut Pair, to: SockAddr) -> PcbId {
    let id = pair.a.stack.open(to.family()).expect("open");
    pair.a.stack.connect(id, to, pair.now).expect("connect");
    id
}

fn connected(pair: &Pair, id: PcbId) -> bool {
    pair.a.events.contains(&Event::Connected { pcb: id })
}

#[test]
fn accept_gives_both_addresses() {
    for to in [v4(2, 80), v6(2, 80)] {
        let mut pair = Pair::new(1);
        let listener = pair.b.listen(to, 4);
        let a = dial(&mut pair, to);
        pair.settle();
        assert_eq!(pair.b.events[0], Event::SynReceived { listener });
        let from = pair.a.stack.info(a).expect("pcb").local;
        let incoming = pair.b.take(|event| {
            if let Event::Incoming {
                listener,
                local,
                peer,
                ..
            } = event
            {
                Some((*listener, *local, *peer))
            } else {
                None
            }
        });
        assert_eq!(incoming, Some((listener, to, from)));
    }
}

#[test]
fn unknown_port_refuses() {
    for to in [v4(2, 80), v6(2, 80)] {
        let mut pair = Pair::new(2);
        let a = dial(&mut pair, to);
        pair.settle();
        assert!(pair.a.events.contains(&Event::Failed {
            pcb: a,
            cause: Cause::Refused
        }));
        assert_eq!(pair.a.stack.info(a).expect("pcb").state, TcpState::Closed);
        // The block may connect again.
        pair.b.listen(to, 4);
        pair.a
            .stack
            .connect(a, to, pair.now)
            .expect("connect again");
        pair.settle();
        assert!(connected(&pair, a));
    }
}

#[test]
fn backlog_overflow_drops_syns_until_one_is_accepted() {
    let mut pair = Pair::new(3);
    pair.b.listen(v4(2, 80), 2);
    let dialled: Vec<PcbId> = (0..5).map(|_| dial(&mut pair, v4(2, 80))).collect();
    pair.settle();
    // Linux: a backlog of n admits n + 1.
    assert_eq!(
        dialled.iter().filter(|id| connected(&pair, **id)).count(),
        3
    );
    assert_eq!(pair.b.stack.counters().backlog_drops, 2);
    pair.b.accept().expect("the first");
    pair.pass(Duration::from_secs(4));
    assert_eq!(
        dialled.iter().filter(|id| connected(&pair, **id)).count(),
        4,
        "a SYN came again"
    );
}

#[test]
fn backlog_place_of_a_dead_child_is_free_again() {
    let mut pair = Pair::new(4);
    pair.b.listen(v4(2, 80), 0);
    let first = dial(&mut pair, v4(2, 80));
    pair.settle();
    assert!(connected(&pair, first));
    pair.a.stack.abort(first);
    pair.settle();
    let second = dial(&mut pair, v4(2, 80));
    pair.settle();
    assert!(connected(&pair, second));
}

#[test]
fn listen_again_sets_the_backlog() {
    let mut pair = Pair::new(5);
    let listener = pair.b.listen(v4(2, 80), 0);
    pair.b.stack.listen(listener, 7).expect("again");
    let info = pair.b.stack.info(listener).expect("pcb");
    assert_eq!((info.state, info.send_queue), (TcpState::Listen, 7));
}

#[test]
fn embryo_without_its_ack_is_given_up() {
    let mut pair = Pair::new(6);
    pair.b.listen(v4(2, 80), 4);
    dial(&mut pair, v4(2, 80));
    // Resolve neighbours, then lose the SYN-ACKs.
    pair.ba.down = true;
    pair.pass(Duration::from_secs(4));
    let refused = pair
        .a
        .events
        .iter()
        .any(|event| matches!(event, Event::Failed { .. }));
    assert!(refused, "no ARP either: host unreachable");
    let mut pair = Pair::new(7);
    let (warm, _) = pair.connect(v4(2, 81));
    pair.a.stack.abort(warm);
    pair.settle();
    let listener = pair.b.listen(v4(2, 80), 4);
    let a = dial(&mut pair, v4(2, 80));
    pair.ba.down = true;
    pair.settle();
    let embryos = |pair: &Pair| {
        pair.b
            .stack
            .pcbs()
            .filter(|(_, info)| info.state == TcpState::SynReceived)
            .count()
    };
    assert_eq!(embryos(&pair), 1);
    // The client goes silently.
    pair.ab.down = true;
    pair.a.stack.abort(a);
    pair.pass(Duration::from_secs(60));
    assert_eq!(embryos(&pair), 1);
    assert!(
        pair.ba.sent >= 6,
        "the SYN-ACK was repeated: {}",
        pair.ba.sent
    );
    pair.pass(Duration::from_secs(5));
    assert_eq!(embryos(&pair), 0);
    assert!(
        pair.b
            .events
            .iter()
            .all(|event| !matches!(event, Event::Closed { .. }))
    );
    assert_eq!(pair.b.stack.info(listener).expect("pcb").recv_queue, 0);
}

#[test]
fn listener_found_dead_at_the_syn_resets() {
    for to in [v4(2, 80), v4(1, 80)] {
        let mut pair = Pair::new(8);
        let host = if to.ip == v4(1, 0).ip {
            &mut pair.a
        } else {
            &mut pair.b
        };
        let listener = host.listen(to, 4);
        let a = dial(&mut pair, to);
        // By hand: the owner looks at events before it transmits again.
        for _ in 0..50 {
            for side in [netcon_sim::Side::A, netcon_sim::Side::B] {
                let now = pair.now;
                let (host, link) = match side {
                    netcon_sim::Side::A => (&mut pair.a, &mut pair.ab),
                    netcon_sim::Side::B => (&mut pair.b, &mut pair.ba),
                };
                while let Some(event) = host.stack.poll_event() {
                    if event == (Event::SynReceived { listener }) {
                        host.stack.close(listener);
                    } else {
                        host.events.push(event);
                    }
                }
                host.stack.poll_transmit(now, 1, link);
                let (host, link) = match side {
                    netcon_sim::Side::A => (&mut pair.b, &mut pair.ab),
                    netcon_sim::Side::B => (&mut pair.a, &mut pair.ba),
                };
                while let Some((meta, mut frame)) = link.arrive(now) {
                    host.stack.handle_frame(now, &meta, &mut frame);
                }
            }
        }
        pair.settle();
        let refused = Event::Failed {
            pcb: a,
            cause: Cause::Refused,
        };
        assert!(
            pair.a.events.contains(&refused),
            "{to:?}: {:?}",
            pair.a.events
        );
    }
}

#[test]
fn closing_a_listener_resets_its_embryos() {
    let mut pair = Pair::new(9);
    let (warm, _) = pair.connect(v4(2, 81));
    pair.a.stack.abort(warm);
    pair.settle();
    let listener = pair.b.listen(v4(2, 80), 4);
    let a = dial(&mut pair, v4(2, 80));
    pair.ba.down = true;
    pair.settle();
    pair.ba.down = false;
    pair.b.stack.close(listener);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::Refused
    }));
    assert!(pair.b.events.contains(&Event::Closed { pcb: listener }));
}

#[test]
fn embryo_reset_by_its_peer_is_dead() {
    let mut pair = Pair::new(10);
    let listener = pair.b.listen(v4(2, 80), 0);
    let (warm, _) = pair.connect(v4(2, 81));
    pair.a.stack.abort(warm);
    pair.settle();
    pair.b.events.clear();
    let a = dial(&mut pair, v4(2, 80));
    // The SYN-ACK meets nobody and is reset.
    pair.ba.down = true;
    pair.settle();
    pair.ba.down = false;
    pair.a.stack.abort(a);
    pair.pass(Duration::from_secs(3));
    assert_eq!(pair.b.stack.counters().rst_received, 2);
    let second = dial(&mut pair, v4(2, 80));
    pair.settle();
    assert!(connected(&pair, second), "its place in the backlog is free");
    assert_eq!(pair.b.stack.info(listener).expect("pcb").recv_queue, 1);
}

#[test]
fn dual_stack_listener_takes_both_families() {
    let mut pair = Pair::new(11);
    let any = SockAddr::unspecified(Family::Inet6);
    let listener = pair.b.listen(SockAddr { port: 80, ..any }, 4);
    let (four, six) = (dial(&mut pair, v4(2, 80)), dial(&mut pair, v6(2, 80)));
    pair.settle();
    assert!(connected(&pair, four) && connected(&pair, six));
    let locals: Vec<SockAddr> = pair
        .b
        .events
        .iter()
        .filter_map(|event| {
            if let Event::Incoming { local, .. } = event {
                Some(*local)
            } else {
                None
            }
        })
        .collect();
    assert!(
        locals.contains(&v4(2, 80).as_family(Family::Inet6)),
        "mapped: {locals:?}"
    );
    assert!(locals.contains(&v6(2, 80)));
    assert!(pair.b.stack.info(listener).is_some());
}

#[test]
fn v6only_listener_refuses_ipv4() {
    let mut pair = Pair::new(12);
    let any = SockAddr {
        port: 80,
        ..SockAddr::unspecified(Family::Inet6)
    };
    let options = BindOptions {
        v6only: true,
        ..BindOptions::default()
    };
    let id = open(&mut pair.b.stack, any, options);
    pair.b.stack.listen(id, 4).expect("listen");
    let (four, six) = (dial(&mut pair, v4(2, 80)), dial(&mut pair, v6(2, 80)));
    pair.settle();
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: four,
        cause: Cause::Refused
    }));
    assert!(connected(&pair, six));
}

#[test]
fn exact_address_wins_over_the_wildcard() {
    let mut pair = Pair::new(13);
    let reuse = BindOptions {
        reuse_addr: true,
        ..BindOptions::default()
    };
    let any = SockAddr {
        port: 80,
        ..SockAddr::unspecified(Family::Inet)
    };
    let wild = open(&mut pair.b.stack, any, reuse);
    let exact = open(&mut pair.b.stack, v4(2, 80), reuse);
    pair.b.stack.listen(exact, 4).expect("listen");
    assert!(
        pair.b.stack.listen(wild, 4).is_err(),
        "a second listener overlaps"
    );
    dial(&mut pair, v4(2, 80));
    pair.settle();
    assert!(
        pair.b
            .events
            .contains(&Event::SynReceived { listener: exact })
    );
}

#[test]
fn reuse_port_group_shares_connections() {
    let mut pair = Pair::new(14);
    let options = BindOptions {
        reuse_port: true,
        ..BindOptions::default()
    };
    let group: Vec<PcbId> = (0..4)
        .map(|_| {
            let id = open(&mut pair.b.stack, v4(2, 80), options);
            pair.b.stack.listen(id, 64).expect("listen");
            id
        })
        .collect();
    for _ in 0..64 {
        dial(&mut pair, v4(2, 80));
    }
    pair.settle();
    for listener in group {
        let count = pair.b.stack.info(listener).expect("pcb").recv_queue;
        assert!((4..=40).contains(&count), "{count} of 64");
    }
}

#[test]
fn children_inherit_the_listeners_options() {
    let mut pair = Pair::new(15);
    let listener = pair.b.listen(v4(2, 80), 4);
    let options = PcbOptions {
        reset_on_close: true,
        ..PcbOptions::default()
    };
    pair.b.stack.set_options(listener, options);
    let a = dial(&mut pair, v4(2, 80));
    pair.settle();
    let child = pair.b.accept().expect("child");
    pair.b.stack.close(child);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::Reset
    }));
}

#[test]
fn connection_whose_listener_went_before_it_was_told_is_reset() {
    let mut pair = Pair::new(16);
    let listener = pair.b.listen(v4(2, 80), 4);
    let (warm, other) = pair.connect(v4(2, 81));
    pair.a.stack.abort(warm);
    pair.settle();
    pair.b.stack.close(other);
    pair.settle();
    pair.b.events.clear();
    let a = dial(&mut pair, v4(2, 80));
    let now = pair.now;
    // SYN, SYN-ACK, ACK by hand; the owner of the listener looks at no event.
    for _ in 0..2 {
        pair.a.stack.poll_transmit(now, 64, &mut pair.ab);
        while let Some((meta, mut frame)) = pair.ab.arrive(now) {
            pair.b.stack.handle_frame(now, &meta, &mut frame);
        }
        pair.b.stack.poll_transmit(now, 64, &mut pair.ba);
        while let Some((meta, mut frame)) = pair.ba.arrive(now) {
            pair.a.stack.handle_frame(now, &meta, &mut frame);
        }
    }
    assert_eq!(pair.b.stack.info(listener).expect("pcb").recv_queue, 1);
    pair.b.stack.close(listener);
    pair.settle();
    assert_eq!(pair.b.events, [Event::Closed { pcb: listener }]);
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::Reset
    }));
    assert_eq!(pair.b.stack.pcbs().count(), 0);
}

#[test]
fn full_backlog_asks_its_owner_before_a_syn_is_dropped() {
    let mut pair = Pair::new(17);
    let listener = pair.b.listen(v4(2, 80), 0);
    let first = dial(&mut pair, v4(2, 80));
    pair.settle();
    assert!(connected(&pair, first));
    let second = dial(&mut pair, v4(2, 80));
    pair.a.stack.poll_transmit(pair.now, 64, &mut pair.ab);
    while let Some((meta, mut frame)) = pair.ab.arrive(pair.now) {
        pair.b.stack.handle_frame(pair.now, &meta, &mut frame);
    }
    assert_eq!(
        pair.b.stack.poll_event(),
        Some(Event::BacklogFull { listener })
    );
    // The program has accepted the first meanwhile.
    pair.b.accept().expect("the first");
    pair.settle();
    assert!(connected(&pair, second));
    assert_eq!(pair.b.stack.counters().backlog_drops, 0);
}
