use std::net::{IpAddr, UdpSocket};
use std::os::fd::OwnedFd;

use super::child::Child;
use super::{InetKind, Maker, PrivateNet};
use crate::netlink::NetlinkSocket;
use crate::tap::{Tap, TapError};
use crate::testing::in_namespace;

const UDP: InetKind = InetKind {
    v6: false,
    protocol: libc::IPPROTO_UDP,
    nonblocking: false,
    uid: 0,
};
const DEVICE: &str = "nc-priv0";

#[test]
fn sockets_made_by_a_thread_are_in_the_namespace() {
    in_namespace(
        "netns::tests::sockets_made_by_a_thread_are_in_the_namespace",
        || {
            let net = PrivateNet::create(&[]).expect("a namespace");
            assert!(matches!(net.maker, Maker::Thread(_)));
            sends_through_the_device(net);
        },
    );
}

#[test]
fn sockets_made_by_a_child_are_in_the_namespace() {
    in_namespace(
        "netns::tests::sockets_made_by_a_child_are_in_the_namespace",
        || sends_through_the_device(by_child()),
    );
}

#[test]
fn a_child_ends_with_its_owner() {
    in_namespace("netns::tests::a_child_ends_with_its_owner", || {
        let net = by_child();
        let task = net.task.clone();
        assert!(std::path::Path::new(&task).exists());
        drop(net);
        assert!(!std::path::Path::new(&task).exists());
    });
}

#[test]
fn packets_that_nobody_takes_are_counted_as_dropped() {
    in_namespace(
        "netns::tests::packets_that_nobody_takes_are_counted_as_dropped",
        || {
            let (net, _tun) = configured(PrivateNet::create(&[]).expect("a namespace"), 4);
            let dropped = || net.dropped_packets(DEVICE).expect("counted");
            let before = dropped();
            let socket: UdpSocket = net.socket(UDP).expect("a socket").into();
            for _ in 0..100 {
                let _ = socket.send_to(b"x", "10.99.0.1:9");
            }
            assert!(dropped() - before >= 90, "{} of 100", dropped() - before);
        },
    );
}

#[test]
fn sockets_that_are_bound_are_listed_and_others_refused() {
    in_namespace(
        "netns::tests::sockets_that_are_bound_are_listed_and_others_refused",
        || {
            for net in [PrivateNet::create(&[]).expect("a namespace"), by_child()] {
                let mut net = net;
                assert!(net.tun("no/name").is_err());
                assert_eq!(net.tun(DEVICE).unwrap_err(), TapError::Busy, "only once");
                let tcp = InetKind {
                    protocol: libc::IPPROTO_TCP,
                    ..UDP
                };
                let errno = net
                    .socket(tcp)
                    .map(|_: OwnedFd| ())
                    .unwrap_err()
                    .raw_os_error();
                assert_eq!(errno, Some(libc::EPROTONOSUPPORT));
                let ping = InetKind {
                    protocol: libc::IPPROTO_ICMP,
                    ..UDP
                };
                net.socket(ping).expect("everybody may");
                net.configure("lo", &[], None, None).expect("lo is up");
                let socket: UdpSocket = net.socket(UDP).expect("a socket").into();
                let peer = "127.0.0.1:9";
                assert!(net.sockets().is_empty(), "not bound yet");
                socket.connect(peer).expect("connected");
                let found = net.sockets();
                assert_eq!(found.len(), 1);
                assert_eq!(found[0].peer.to_string(), peer);
                let to = socket.local_addr().expect("a name");
                socket.connect(to).expect("connected to itself");
                socket.send(b"hello").expect("sent");
                socket.recv(&mut [0; 9]).expect("received");
                assert_eq!(net.datagrams_read(), 1);
            }
        },
    );
}

#[test]
fn addresses_are_there_at_once() {
    in_namespace("netns::tests::addresses_are_there_at_once", || {
        let own: IpAddr = "fd99::2".parse().expect("an address");
        let kind = InetKind { v6: true, ..UDP };
        for _ in 0..20 {
            let mut net = PrivateNet::create(&[]).expect("a namespace");
            let tun = net.tun(DEVICE).expect("a tun");
            net.configure("lo", &[], None, None).expect("lo is up");
            net.configure(DEVICE, &[(own, 64)], None, None)
                .expect("configured");
            let [from, to] = [(); 2].map(|()| UdpSocket::from(net.socket(kind).expect("a socket")));
            to.connect((own, 9)).expect("bound");
            let port = to.local_addr().expect("a name").port();
            from.connect((own, port)).expect("connected");
            to.connect(from.local_addr().expect("a name"))
                .expect("connected");
            from.send(b"x").expect("sent");
            to.set_read_timeout(Some(std::time::Duration::from_secs(5)))
                .expect("set");
            to.recv(&mut [0; 9])
                .expect("it does not leave by the device");
            drop(tun);
        }
    });
}

fn by_child() -> PrivateNet {
    let (child, opened, task) = Child::start(&[]).expect("a user namespace");
    PrivateNet {
        maker: Maker::Child(child),
        route: NetlinkSocket::over(opened.route).expect("connected").into(),
        device: Some(opened.device),
        task,
    }
}

fn configured(mut net: PrivateNet, queue: u32) -> (PrivateNet, Tap) {
    let tun = net.tun(DEVICE).expect("a tun");
    let own: IpAddr = "10.99.0.2".parse().expect("an address");
    net.configure("lo", &[], None, None).expect("lo is up");
    net.configure(DEVICE, &[(own, 24)], Some(1400), Some(queue))
        .expect("configured");
    net.default_route(DEVICE, false).expect("a route");
    net.default_route(DEVICE, false)
        .expect("again changes nothing");
    (net, tun)
}

fn sends_through_the_device(net: PrivateNet) {
    let (net, tun) = configured(net, 10_000);
    let outside = crate::netlink::address_present(DEVICE, "10.99.0.2".parse().expect("an address"));
    assert!(outside.is_err(), "the device is not in ours");
    let socket: UdpSocket = net.socket(UDP).expect("a socket").into();
    // Far away: only the default route knows the way.
    socket.send_to(b"hello", "192.0.2.7:53").expect("sent");
    let (mut header, mut packet) = ([0; 10], [0; 2000]);
    // The kernel may have something of its own to say before (membership, IPv6).
    let len = (0..100)
        .find_map(|_| {
            let len = tun.recv(&mut header, &mut packet).expect("there at once");
            (packet[0] == 0x45 && packet[9] == 17).then_some(len)
        })
        .expect("the datagram");
    assert_eq!(len, 20 + 8 + 5);
    assert_eq!(packet[..len][12..20], [10, 99, 0, 2, 192, 0, 2, 7]);
    assert_eq!(&packet[28..len], b"hello");
}
