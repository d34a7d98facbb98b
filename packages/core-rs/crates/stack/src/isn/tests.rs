use smoltcp::iface::SocketSet;
use smoltcp::socket::tcp;
use smoltcp::wire::IpEndpoint;
use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::device::{Exchange, Largest};

/// The number smoltcp draws for a connection through our interface.
fn drawn(isn: Seq) -> u32 {
    let mut buffer = vec![0; 2000];
    let largest = Largest { v4: 1500, v6: 1500 };
    let mut io = Exchange {
        rx: None,
        tx: &mut buffer,
        tx_len: 0,
        largest,
    };
    let mut iface = interface(isn, &mut io, Instant::ZERO);
    let ring = || tcp::SocketBuffer::new(vec![0; 64]);
    let mut set = SocketSet::new(Vec::new());
    let handle = set.add(tcp::Socket::new(ring(), ring()));
    let socket = set.get_mut::<tcp::Socket>(handle);
    let end = |last| IpEndpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)).into(), 80);
    socket
        .connect(iface.context(), end(1), end(2))
        .expect("connect");
    iface.poll_egress(Instant::ZERO, &mut io, &mut set);
    assert!(io.tx_len > 0);
    u32::from_be_bytes([buffer[24], buffer[25], buffer[26], buffer[27]])
}

#[test]
fn smoltcp_draws_exactly_the_number_wanted() {
    let mut number = 0u32;
    for _ in 0..5_000 {
        assert_eq!(
            drawn(Seq(number)),
            number,
            "smoltcp's generator is not that of 0.14.0"
        );
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    }
    for number in [0, 1, u32::MAX, 0x8000_0000] {
        assert_eq!(drawn(Seq(number)), number);
    }
}

#[test]
fn seeds_avoid_a_second_draw_of_the_identification() {
    // About one number in 65,536 needs another low half.
    for number in 0..200_000u32 {
        let first = seed(Seq(number)).wrapping_mul(MUL).wrapping_add(ADD);
        assert_ne!(identification(first), 0);
        let second = first.wrapping_mul(MUL).wrapping_add(ADD);
        assert_eq!(second >> 29, u64::from(number));
    }
}

#[test]
fn numbers_follow_the_clock_and_differ_between_flows() {
    let key = SipKey::derive([1, 2], 3);
    let flow = |port| {
        let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
        FlowKey::new(ip, 80, ip, port)
    };
    let at = |port, micros| initial(&key, &flow(port), Instant::from_micros(micros));
    assert_eq!(at(1, 4_000_000).since(at(1, 0)), 1_000_000, "one each 4 us");
    assert_ne!(at(1, 0), at(2, 0));
    assert_ne!(
        at(1, 0),
        initial(&SipKey::derive([1, 9], 3), &flow(1), Instant::ZERO)
    );
}
