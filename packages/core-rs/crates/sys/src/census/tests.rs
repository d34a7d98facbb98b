use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::{Census, parse};

/// Other tests fork, and their children have every descriptor until they exec.
fn eventually_open(census: &Census, wanted: &[u64]) {
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        let mut names = census.open().expect("proc(5)");
        names.sort_unstable();
        if names == wanted {
            return;
        }
        assert!(Instant::now() < end, "{names:?} and not {wanted:?}");
        std::thread::yield_now();
    }
}

#[test]
fn a_description_is_open_until_its_last_descriptor_is_closed() {
    let census = Census::new().expect("an epoll instance");
    let sockets: Vec<UdpSocket> = (0..3)
        .map(|name| {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            census.add(socket.as_fd(), u64::MAX - name).expect("room");
            socket
        })
        .collect();
    eventually_open(&census, &[u64::MAX - 2, u64::MAX - 1, u64::MAX]);
    let copy = sockets[0].try_clone().expect("a descriptor");
    drop(sockets);
    // One has another descriptor.
    eventually_open(&census, &[u64::MAX]);
    drop(copy);
    eventually_open(&census, &[]);
}

#[test]
fn a_number_that_is_used_again_is_another_description() {
    let census = Census::new().expect("an epoll instance");
    for name in 0..100 {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        census.add(socket.as_fd(), name).expect("room");
        eventually_open(&census, &[name]);
    }
}

#[test]
fn other_lines_of_the_list_are_passed_over() {
    let text = "pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t1\n\
        tfd:        5 events: 40000018 data:               1f  pos:0 ino:3d sdev:8\n\
        tfd:        6 events: 40000018 data: ffffffffffffffff  pos:0 ino:3e sdev:8\n\
        tfd:        7 events: 40000018\n";
    assert_eq!(parse(text), [0x1f, u64::MAX]);
}
