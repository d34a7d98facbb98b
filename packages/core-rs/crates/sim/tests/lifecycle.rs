//! How connections end.

use netcon_sim::{Pair, Side, Transfer, v4, v6};
use netcon_stack::{
    BindOptions, Cause, Duration, Event, Family, Instant, IoError, KeepAlive, PcbId, PcbOptions,
    Stack, TcpState,
};

fn state(stack: &Stack, id: PcbId) -> TcpState {
    stack.info(id).expect("pcb").state
}

fn write(stack: &mut Stack, id: PcbId, data: &[u8]) -> usize {
    let wrote = stack.write_with(id, |free| {
        let len = free.len().min(data.len());
        free[..len].copy_from_slice(&data[..len]);
        (len, len)
    });
    wrote.expect("write")
}

fn read(stack: &mut Stack, id: PcbId) -> Result<Vec<u8>, IoError> {
    stack.read_with(id, |data| (data.len(), data.to_vec()))
}

fn time_waits(stack: &Stack) -> usize {
    stack
        .pcbs()
        .filter(|(_, info)| info.state == TcpState::TimeWait)
        .count()
}

#[test]
fn close_on_both_sides_leaves_one_time_wait_for_a_minute() {
    let mut pair = Pair::new(1);
    let (a, b) = pair.connect(v4(2, 80));
    pair.a.stack.close(a);
    pair.settle();
    assert!(pair.b.events.contains(&Event::PeerClosed { pcb: b }));
    assert_eq!(state(&pair.b.stack, b), TcpState::CloseWait);
    assert_eq!(state(&pair.a.stack, a), TcpState::FinWait2);
    pair.b.stack.close(b);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
    assert!(pair.b.events.contains(&Event::Closed { pcb: b }));
    assert_eq!(
        (time_waits(&pair.a.stack), time_waits(&pair.b.stack)),
        (1, 0)
    );
    assert_eq!(pair.next_wake(), None, "a tombstone needs no timer");
    pair.pass(Duration::from_secs(59));
    pair.a.stack.handle_timeout(pair.now);
    assert_eq!(time_waits(&pair.a.stack), 1);
    pair.pass(Duration::from_secs(2));
    pair.a.stack.handle_timeout(pair.now);
    assert_eq!(time_waits(&pair.a.stack), 0);
}

#[test]
fn simultaneous_close_ends_on_both_sides() {
    let mut pair = Pair::new(2);
    let (a, b) = pair.connect(v4(2, 80));
    pair.a.stack.close(a);
    pair.b.stack.close(b);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
    assert!(pair.b.events.contains(&Event::Closed { pcb: b }));
    assert_eq!(
        (time_waits(&pair.a.stack), time_waits(&pair.b.stack)),
        (1, 1)
    );
    assert_eq!(pair.next_wake(), None);
}

#[test]
fn half_close_still_carries_the_other_way() {
    for (closer, other) in [(Side::A, Side::B), (Side::B, Side::A)] {
        let mut pair = Pair::new(3);
        let (a, b) = pair.connect(v6(2, 80));
        let ids = |side| if side == Side::A { a } else { b };
        pair.host(closer).stack.shutdown_write(ids(closer));
        pair.settle();
        let closed = Event::PeerClosed { pcb: ids(other) };
        assert!(pair.host(other).events.contains(&closed));
        assert_eq!(
            pair.host(closer).stack.write_with(ids(closer), |_| (0, ())),
            Err(IoError::Shutdown),
            "EPIPE after shutdown"
        );
        Transfer::new((other, ids(other)), (closer, ids(closer)), 1 << 20, 9).run(&mut pair);
        pair.settle();
        let closed = Event::PeerClosed { pcb: ids(closer) };
        assert!(pair.host(closer).events.contains(&closed));
    }
}

#[test]
fn close_with_unsent_data_goes_on_as_an_orphan() {
    let mut pair = Pair::new(4);
    let (a, b) = pair.connect(v4(2, 80));
    let mut transfer = Transfer::new((Side::A, a), (Side::B, b), 200_000, 5);
    transfer.finish = false;
    transfer.write(&mut pair.a.stack);
    assert_eq!(transfer.written, 200_000);
    pair.a.stack.close(a);
    assert_eq!(pair.a.stack.write_with(a, |_| (0, ())), Err(IoError::Stale));
    let arrived = pair.drive(|pair| {
        transfer.read(&mut pair.b);
        transfer.read == 200_000
    });
    assert!(arrived, "read {}", transfer.read);
    pair.settle();
    assert!(pair.b.events.contains(&Event::PeerClosed { pcb: b }));
    pair.b.stack.close(b);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
}

#[test]
fn close_with_unread_data_resets() {
    let mut pair = Pair::new(5);
    let (a, b) = pair.connect(v4(2, 80));
    write(&mut pair.a.stack, a, b"nobody reads this");
    pair.settle();
    assert_eq!(pair.b.stack.recv_queue(b), 17);
    pair.b.stack.close(b);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::Reset
    }));
    assert!(pair.b.events.contains(&Event::Closed { pcb: b }));
}

#[test]
fn data_for_an_orphan_is_answered_with_a_reset() {
    let mut pair = Pair::new(6);
    let (a, b) = pair.connect(v4(2, 80));
    pair.b.stack.close(b);
    pair.settle();
    write(&mut pair.a.stack, a, b"too late");
    pair.settle();
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::Reset
    }));
    assert!(pair.b.events.contains(&Event::Closed { pcb: b }));
}

#[test]
fn abort_resets_and_data_received_before_stays_readable() {
    let mut pair = Pair::new(7);
    let (a, b) = pair.connect(v4(2, 80));
    write(&mut pair.a.stack, a, b"last words");
    pair.settle();
    pair.a.stack.abort(a);
    pair.settle();
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
    assert!(pair.b.events.contains(&Event::Failed {
        pcb: b,
        cause: Cause::Reset
    }));
    assert_eq!(
        read(&mut pair.b.stack, b).as_deref(),
        Ok(&b"last words"[..])
    );
    assert_eq!(
        read(&mut pair.b.stack, b),
        Err(IoError::Failed(Cause::Reset))
    );
    assert_eq!(
        pair.b.stack.write_with(b, |_| (0, ())),
        Err(IoError::Failed(Cause::Reset))
    );
    pair.b.stack.close(b);
    pair.settle();
    assert!(pair.b.events.contains(&Event::Closed { pcb: b }));
    assert_eq!(pair.b.stack.info(b), None);
    assert_eq!(pair.next_wake(), None);
}

#[test]
fn reset_on_close_option_resets() {
    let mut pair = Pair::new(8);
    let (a, b) = pair.connect(v4(2, 80));
    let options = PcbOptions {
        reset_on_close: true,
        ..PcbOptions::default()
    };
    pair.a.stack.set_options(a, options);
    pair.a.stack.close(a);
    pair.settle();
    assert!(pair.b.events.contains(&Event::Failed {
        pcb: b,
        cause: Cause::Reset
    }));
}

#[test]
fn stale_ids_are_errors() {
    let mut pair = Pair::new(9);
    let (a, _) = pair.connect(v4(2, 80));
    pair.a.stack.abort(a);
    pair.settle();
    let next = pair.a.stack.open(Family::Inet).expect("open");
    assert_ne!(next, a, "the slot is used again, the id is not");
    assert_eq!(pair.a.stack.info(a), None);
    assert_eq!(read(&mut pair.a.stack, a), Err(IoError::Stale));
    pair.a.stack.close(a);
    pair.a.stack.abort(a);
    pair.a.stack.shutdown_write(a);
    assert!(pair.a.stack.info(next).is_some());
}

#[test]
fn orphan_in_fin_wait_2_is_given_up_after_a_minute() {
    let mut pair = Pair::new(10);
    let (a, b) = pair.connect(v4(2, 80));
    pair.a.stack.close(a);
    pair.pass(Duration::from_secs(59));
    assert_eq!(state(&pair.a.stack, a), TcpState::FinWait2);
    pair.pass(Duration::from_secs(2));
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
    assert_eq!(state(&pair.b.stack, b), TcpState::CloseWait);
    // What the peer says now meets nobody.
    write(&mut pair.b.stack, b, b"hello?");
    pair.settle();
    assert!(pair.b.events.contains(&Event::Failed {
        pcb: b,
        cause: Cause::Reset
    }));
}

#[test]
fn shut_down_connection_in_fin_wait_2_waits_for_ever() {
    let mut pair = Pair::new(11);
    let (a, b) = pair.connect(v4(2, 80));
    pair.a.stack.shutdown_write(a);
    pair.pass(Duration::from_secs(7200));
    assert_eq!(state(&pair.a.stack, a), TcpState::FinWait2);
    write(&mut pair.b.stack, b, b"at last");
    pair.settle();
    assert_eq!(read(&mut pair.a.stack, a).as_deref(), Ok(&b"at last"[..]));
}

#[test]
fn data_unacknowledged_for_fifteen_minutes_times_out() {
    let mut pair = Pair::new(12);
    let (a, _) = pair.connect(v4(2, 80));
    pair.ab.mute = true;
    write(&mut pair.a.stack, a, b"into the void");
    pair.pass(Duration::from_secs(900));
    assert_eq!(state(&pair.a.stack, a), TcpState::Established);
    pair.pass(Duration::from_secs(60));
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::TimedOut
    }));
}

#[test]
fn soft_error_explains_the_time_out() {
    let mut pair = Pair::new(24);
    let (a, _) = pair.connect(v4(2, 80));
    // The neighbour is gone altogether: Linux reports its last soft error.
    pair.ab.down = true;
    write(&mut pair.a.stack, a, b"into the void");
    pair.pass(Duration::from_secs(1000));
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::HostUnreachable
    }));
}

#[test]
fn user_timeout_shortens_the_wait() {
    let mut pair = Pair::new(13);
    let (a, _) = pair.connect(v4(2, 80));
    pair.ab.mute = true;
    let options = PcbOptions {
        user_timeout: Some(Duration::from_secs(5)),
        ..PcbOptions::default()
    };
    pair.a.stack.set_options(a, options);
    write(&mut pair.a.stack, a, b"into the void");
    pair.pass(Duration::from_secs(6));
    assert!(pair.a.events.contains(&Event::Failed {
        pcb: a,
        cause: Cause::TimedOut
    }));
}

#[test]
fn orphan_whose_fin_is_never_acknowledged_is_given_up() {
    let mut pair = Pair::new(14);
    let (a, b) = pair.connect(v4(2, 80));
    // LAST-ACK as an orphan.
    pair.b.stack.close(b);
    pair.settle();
    (pair.ab.down, pair.ba.down) = (true, true);
    pair.a.stack.close(a);
    assert_eq!(state(&pair.a.stack, a), TcpState::LastAck);
    pair.pass(Duration::from_secs(110));
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
    // FIN-WAIT-1 as an orphan.
    let mut pair = Pair::new(15);
    let (a, _) = pair.connect(v4(2, 80));
    pair.ab.down = true;
    pair.a.stack.close(a);
    pair.pass(Duration::from_secs(110));
    assert!(pair.a.events.contains(&Event::Closed { pcb: a }));
}

#[test]
fn lost_last_ack_is_repeated_by_the_tombstone() {
    let mut pair = Pair::new(16);
    let (a, b) = pair.connect(v4(2, 80));
    pair.a.stack.close(a);
    pair.settle();
    pair.ab.down = true;
    pair.b.stack.close(b);
    pair.settle();
    assert_eq!(time_waits(&pair.a.stack), 1);
    assert_eq!(state(&pair.b.stack, b), TcpState::LastAck);
    pair.ab.down = false;
    pair.pass(Duration::from_secs(5));
    assert!(
        pair.b.events.contains(&Event::Closed { pcb: b }),
        "its FIN was acknowledged again"
    );
}

#[test]
fn keepalive_finds_a_dead_peer() {
    let mut pair = Pair::new(17);
    let (a, _) = pair.connect(v4(2, 80));
    let keepalive = KeepAlive {
        idle: Duration::from_secs(10),
        interval: Duration::from_secs(2),
        count: 3,
    };
    pair.a.stack.set_options(
        a,
        PcbOptions {
            keepalive: Some(keepalive),
            ..PcbOptions::default()
        },
    );
    pair.pass(Duration::from_secs(100));
    assert_eq!(
        state(&pair.a.stack, a),
        TcpState::Established,
        "the peer answers"
    );
    pair.ab.down = true;
    let before = pair.now;
    assert!(pair.drive(|pair| {
        pair.a.events.contains(&Event::Failed {
            pcb: a,
            cause: Cause::TimedOut,
        })
    }));
    let took = (pair.now - before).total_millis();
    assert!(
        (4_000..=17_000).contains(&took),
        "idle 10 s and three times 2 s: {took} ms"
    );
}

#[test]
fn idle_connections_need_no_timer() {
    let mut pair = Pair::new(18);
    let (a, b) = pair.connect(v4(2, 80));
    write(&mut pair.a.stack, a, b"hello");
    pair.pass(Duration::from_secs(1));
    let _ = read(&mut pair.b.stack, b);
    pair.pass(Duration::from_secs(10));
    assert_eq!(pair.a.stack.poll_timeout(), None);
    assert_eq!(pair.b.stack.poll_timeout(), None);
}

#[test]
fn zero_window_is_recovered_from() {
    let mut pair = Pair::new(19);
    let (a, b) = pair.connect(v4(2, 80));
    let mut transfer = Transfer::new((Side::A, a), (Side::B, b), 1 << 20, 3);
    // Nobody reads for an hour: probes keep the connection alive.
    pair.drive(|pair| {
        transfer.write(&mut pair.a.stack);
        pair.now > Instant::from_secs(3500)
    });
    assert_eq!(state(&pair.a.stack, a), TcpState::Established);
    assert_eq!(pair.b.stack.recv_queue(b), 256 << 10);
    // The window update is lost: a probe finds the window open.
    pair.ba.down = true;
    transfer.read(&mut pair.b);
    pair.settle();
    pair.ba.down = false;
    transfer.run(&mut pair);
}

#[test]
fn writable_comes_after_a_short_write() {
    let mut pair = Pair::new(20);
    let (a, b) = pair.connect(v4(2, 80));
    let mut transfer = Transfer::new((Side::A, a), (Side::B, b), 10 << 20, 3);
    transfer.write(&mut pair.a.stack);
    pair.settle();
    transfer.write(&mut pair.a.stack);
    pair.settle();
    pair.a.events.clear();
    assert_eq!(pair.a.stack.send_space(a), 0);
    transfer.read(&mut pair.b);
    pair.pass(Duration::from_secs(5));
    assert!(
        pair.a.events.contains(&Event::Writable { pcb: a }),
        "{:?}",
        pair.a.events
    );
    assert!(pair.a.stack.send_space(a) > 0);
}

#[test]
fn time_wait_lets_a_new_connection_with_a_higher_number_in() {
    let mut pair = Pair::new(21);
    let (a, b) = pair.connect(v4(2, 80));
    let local = pair.a.stack.info(a).expect("pcb").local;
    // The server closes first: the tombstone is on its side.
    pair.b.stack.close(b);
    pair.settle();
    pair.a.stack.close(a);
    pair.settle();
    assert_eq!(
        (time_waits(&pair.a.stack), time_waits(&pair.b.stack)),
        (0, 1)
    );
    let listener = pair.b.stack.open(Family::Inet).expect("open");
    let reuse = BindOptions {
        reuse_addr: true,
        ..BindOptions::default()
    };
    assert!(
        pair.b.stack.bind(listener, v4(2, 80), reuse).is_err(),
        "the old connection was made without SO_REUSEADDR"
    );
    pair.pass(Duration::from_secs(1));
    // The same four-tuple again, to another listener of the port on the wildcard's behalf.
    let again = pair.a.stack.open(Family::Inet).expect("open");
    pair.a
        .stack
        .bind(again, local, BindOptions::default())
        .expect("bind");
    pair.a
        .stack
        .connect(again, v4(2, 80), pair.now)
        .expect("connect");
    pair.settle();
    assert!(
        pair.a.events.contains(&Event::Failed {
            pcb: again,
            cause: Cause::Refused
        }),
        "the tombstone gives way, and nobody listens"
    );
    assert_eq!(time_waits(&pair.b.stack), 0);
}

#[test]
fn tombstones_are_bounded_and_the_oldest_goes_first() {
    let mut pair = Pair::with(22, |config| config.max_tombstones = 4);
    for _ in 0..10 {
        let (a, b) = pair.connect(v4(2, 80));
        pair.a.stack.close(a);
        pair.settle();
        pair.b.stack.close(b);
        pair.settle();
    }
    assert_eq!(time_waits(&pair.a.stack), 4);
    assert_eq!(pair.a.stack.counters().tombstones_recycled, 6);
}

#[test]
fn full_table_recycles_an_orphan_in_last_ack() {
    let mut pair = Pair::with(23, |config| config.max_connections = 1);
    let (a, b) = pair.connect(v4(2, 80));
    pair.b.stack.close(b);
    pair.settle();
    pair.ab.down = true;
    pair.a.stack.close(a);
    pair.settle();
    assert_eq!(state(&pair.a.stack, a), TcpState::LastAck);
    let next = pair.a.stack.open(Family::Inet).expect("open");
    pair.a
        .stack
        .connect(next, v4(2, 81), pair.now)
        .expect("room was made");
    assert_eq!(pair.a.stack.info(a), None);
}
