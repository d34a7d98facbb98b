use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::packet::ACK;

const SECRET: [u64; 2] = [1, 2];

fn host(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
}

fn stamps(ports: (u16, u16), remote: u8) -> Stamps {
    let key = SipKey::derive(SECRET, 5);
    Stamps::new(&key, &FlowKey::new(host(1), ports.0, host(remote), ports.1))
}

fn agreed(recent: u32) -> Stamps {
    let mut stamps = stamps((1, 2), 2);
    let theirs = Stamp {
        value: recent,
        echo: 0,
    };
    stamps.agree(Some(theirs), at(0));
    stamps
}

fn at(ms: i64) -> Instant {
    Instant::from_millis(ms)
}

const fn theirs(value: u32) -> Stamp {
    Stamp { value, echo: 0 }
}

fn segment(seq: u32) -> TcpView {
    TcpView {
        src_port: 2,
        dst_port: 1,
        seq: Seq(seq),
        ack: Seq(0),
        flags: ACK,
        payload_len: 10,
    }
}

/// RFC 7323 5.4: a new connection between the same hosts goes on where the last was.
#[test]
fn clock_is_one_of_a_pair_of_hosts() {
    let now = at(1234);
    assert_eq!(
        stamps((1, 2), 2).value(now),
        stamps((3, 4), 2).value(now),
        "ports do not matter"
    );
    assert_ne!(stamps((1, 2), 2).value(now), stamps((1, 2), 3).value(now));
    let one = stamps((1, 2), 2);
    assert_eq!(one.value(at(1250)).wrapping_sub(one.value(now)), 16);
}

/// RFC 7323 5.3 and 5.5, across the wrap.
#[test]
fn segments_from_before_are_old_until_the_clock_may_have_gone_round() {
    let stamps = agreed(5);
    for (value, old) in [
        (5, false),
        (6, false),
        (4, false),
        (3, true),
        (u32::MAX, true),
        (5 + (1 << 30), false),
    ] {
        assert_eq!(stamps.is_old(theirs(value), at(1)), old, "{value}");
    }
    let day = 24 * 3600 * 1000;
    assert!(stamps.is_old(theirs(3), at(23 * day)));
    assert!(!stamps.is_old(theirs(3), at(25 * day)));
}

/// RFC 7323 4.3: a segment behind a gap is not the next to be echoed; the one that fills it is.
#[test]
fn echo_is_of_the_segment_that_advances() {
    let mut stamps = agreed(10);
    let now = at(50);
    let echo = |stamps: &Stamps| stamps.stamp(now).map(|stamp| stamp.echo);
    stamps.take(theirs(30), &segment(2000), Seq(1000), now);
    assert_eq!(echo(&stamps), Some(10), "out of order");
    stamps.take(theirs(20), &segment(1000), Seq(1000), now);
    assert_eq!(echo(&stamps), Some(20), "fills the gap");
    stamps.take(theirs(15), &segment(900), Seq(1000), now);
    assert_eq!(echo(&stamps), Some(20), "an old duplicate");
}

#[test]
fn echo_tells_when_it_was_sent() {
    let stamps = agreed(10);
    let sent = Instant::from_micros(7_654_321);
    let echo = stamps.value(sent);
    let heard = at(7700);
    let found = stamps.echoed(Stamp { value: 11, echo }, heard);
    assert_eq!(found, Some(at(7654)));
    let future = echo.wrapping_add(1000);
    for echo in [0, future] {
        assert_eq!(stamps.echoed(Stamp { value: 11, echo }, heard), None);
    }
}

#[test]
fn none_without_the_peers() {
    let mut stamps = agreed(10);
    stamps.agree(None, at(0));
    assert_eq!(stamps.stamp(at(1)), None);
    assert!(!stamps.is_old(theirs(1), at(1)) && !stamps.is_later(theirs(11)));
}
