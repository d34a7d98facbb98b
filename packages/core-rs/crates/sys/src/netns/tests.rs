use std::net::{IpAddr, UdpSocket};
use std::os::fd::OwnedFd;

use super::{InetKind, PrivateNet, interface_index, set_sysctl};
use crate::netlink;
use crate::tap::Tap;
use crate::testing::in_namespace;

const UDP: InetKind = InetKind {
    v6: false,
    protocol: libc::IPPROTO_UDP,
    nonblocking: false,
    uid: 0,
};

#[test]
fn sockets_made_inside_have_the_namespace_of_their_own() {
    in_namespace(
        "netns::tests::sockets_made_inside_have_the_namespace_of_their_own",
        || {
            let net = PrivateNet::create().expect("a namespace");
            let tun = net
                .inside(|| {
                    let (tun, _) = Tap::open_tun("nc-priv0", false).expect("a tun");
                    netlink::configure("lo", &[], None, None).expect("lo is up");
                    let own: IpAddr = "10.99.0.2".parse().expect("an address");
                    netlink::configure("nc-priv0", &[(own, 24)], Some(1400), Some(10_000))
                        .expect("configured");
                    netlink::default_route("nc-priv0", false).expect("a route");
                    netlink::default_route("nc-priv0", false).expect("again changes nothing");
                    tun
                })
                .expect("the thread lives");
            assert_eq!(interface_index(c"nc-priv0"), 0, "not in ours");
            assert_ne!(
                net.inside(|| interface_index(c"nc-priv0")).expect("inside"),
                0
            );
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
        },
    );
}

#[test]
fn packets_that_nobody_takes_are_counted_as_dropped() {
    in_namespace(
        "netns::tests::packets_that_nobody_takes_are_counted_as_dropped",
        || {
            let net = PrivateNet::create().expect("a namespace");
            let tun = net.inside(|| {
                let (tun, _) = Tap::open_tun("nc-priv0", false).expect("a tun");
                let own: IpAddr = "10.99.0.2".parse().expect("an address");
                netlink::configure("nc-priv0", &[(own, 24)], None, Some(4)).expect("configured");
                tun
            });
            let dropped = || {
                net.inside(|| netlink::dropped_packets("nc-priv0"))
                    .expect("inside")
                    .expect("counted")
            };
            let before = dropped();
            let socket: UdpSocket = net.socket(UDP).expect("a socket").into();
            for _ in 0..100 {
                let _ = socket.send_to(b"x", "10.99.0.1:9");
            }
            assert!(dropped() - before >= 90, "{} of 100", dropped() - before);
            drop(tun);
        },
    );
}

#[test]
fn the_kernel_says_what_it_has_not() {
    in_namespace("netns::tests::the_kernel_says_what_it_has_not", || {
        let net = PrivateNet::create().expect("a namespace");
        let refused = net.socket(InetKind {
            protocol: libc::IPPROTO_TCP,
            ..UDP
        });
        let errno = refused.map(|_: OwnedFd| ()).unwrap_err().raw_os_error();
        assert_eq!(errno, Some(libc::EPROTONOSUPPORT));
        let ping = InetKind {
            protocol: libc::IPPROTO_ICMP,
            ..UDP
        };
        assert!(net.socket(ping).is_err(), "nobody may, to begin with");
        net.inside(|| set_sysctl("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"))
            .expect("inside")
            .expect("set");
        net.socket(ping).expect("now everybody may");
    });
}
