use std::net::{IpAddr, TcpListener};

use super::{NetlinkSocket, Step, address_present, configure, find, link_mac};
use crate::tap::Tap;
use crate::testing::in_namespace;

const V4: &str = "10.99.0.1";
const V6: &str = "fd99::1";

#[test]
fn configure_brings_the_interface_up_with_its_addresses() {
    in_namespace(
        "netlink::tests::configure_brings_the_interface_up_with_its_addresses",
        || {
            let (_tap, _) = Tap::open("nc-test0", true).expect("a tap");
            configure(
                "nc-test0",
                &[(ip(V4), 24), (ip(V6), 64)],
                Some(1400),
                Some(777),
            )
            .expect("configured");
            let link = state("nc-test0");
            assert!(link.up);
            assert_eq!((link.mtu, link.txqueuelen), (1400, 777));
            assert!(address_present("nc-test0", ip(V4)).expect("listed"));
            assert!(address_present("nc-test0", ip(V6)).expect("listed"));
            assert!(!address_present("nc-test0", ip("10.99.0.2")).expect("listed"));
            // IFA_F_NODAD: usable at once, without the second of a tentative address.
            TcpListener::bind((ip(V6), 0)).expect("the IPv6 address can be bound");
        },
    );
}

#[test]
fn configure_again_changes_nothing() {
    in_namespace("netlink::tests::configure_again_changes_nothing", || {
        let (_tap, _) = Tap::open("nc-test0", true).expect("a tap");
        for _ in 0..2 {
            configure("nc-test0", &[(ip(V4), 24), (ip(V6), 64)], Some(1500), None)
                .expect("configured");
        }
        configure("nc-test0", &[], None, None).expect("what is there stays");
        assert!(address_present("nc-test0", ip(V4)).expect("listed"));
    });
}

#[test]
fn errors_say_which_step() {
    in_namespace("netlink::tests::errors_say_which_step", || {
        let (_tap, _) = Tap::open("nc-test0", true).expect("a tap");
        let missing = configure("nc-none", &[], None, None).unwrap_err();
        assert_eq!(missing.step, Step::Find);
        assert_eq!(missing.cause.raw_os_error(), Some(libc::ENODEV));
        let mtu = configure("nc-test0", &[], Some(1), None).unwrap_err();
        assert_eq!(mtu.step, Step::SetLink);
        assert_eq!(mtu.cause.raw_os_error(), Some(libc::EINVAL));
        let prefix = configure("nc-test0", &[(ip(V4), 33)], None, None).unwrap_err();
        assert_eq!(prefix.step, Step::AddAddress(ip(V4)));
        assert!(!prefix.denied());
    });
}

#[test]
fn configured_interface_serves_a_caller_without_rights() {
    in_namespace(
        "netlink::tests::configured_interface_serves_a_caller_without_rights",
        || {
            let (_tap, _) = Tap::open("nc-test0", true).expect("a tap");
            configure("nc-test0", &[(ip(V4), 24)], Some(1500), None).expect("configured");
            drop_capabilities();
            configure("nc-test0", &[(ip(V4), 24)], Some(1500), Some(9)).expect("nothing to do");
            let address = configure("nc-test0", &[(ip(V6), 64)], None, None).unwrap_err();
            assert_eq!(address.step, Step::AddAddress(ip(V6)));
            assert!(address.denied());
            let mtu = configure("nc-test0", &[], Some(1400), None).unwrap_err();
            assert_eq!(mtu.step, Step::SetLink);
            assert!(mtu.denied());
        },
    );
}

#[test]
fn link_mac_is_that_of_sysfs_or_an_error() {
    in_namespace(
        "netlink::tests::link_mac_is_that_of_sysfs_or_an_error",
        || {
            let (_tap, _) = Tap::open("nc-test0", true).expect("a tap");
            let mac = link_mac("nc-test0").expect("a tap has a hardware address");
            assert_ne!(mac, [0; 6]);
            assert_eq!(mac[0] & 1, 0, "not a group address");
            let missing = link_mac("nc-none").unwrap_err();
            assert_eq!(missing.raw_os_error(), Some(libc::ENODEV));
        },
    );
}

fn state(name: &str) -> super::LinkState {
    let mut socket = NetlinkSocket::open(libc::NETLINK_ROUTE).expect("a netlink socket");
    find(&mut socket, name).expect("the interface")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// Of this thread alone, which is all that the kernel looks at (capabilities(7)).
fn drop_capabilities() {
    // struct __user_cap_header_struct: version 3, this thread; and three empty sets, twice.
    let header: [u32; 2] = [0x2008_0522, 0];
    let data = [0u32; 6];
    // SAFETY: capset(2) reads the two structures of version 3, laid out as above.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) };
    assert_eq!(result, 0, "a thread may always give up its capabilities");
}
