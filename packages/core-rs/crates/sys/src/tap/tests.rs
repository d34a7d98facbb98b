use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};

use super::{HEADER_LEN, Tap, TapError, is_interface_name};
use crate::netlink::configure;
use crate::testing::in_namespace;

const HOST: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
const STACK: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 2);
const STACK_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

#[test]
fn names_follow_the_kernels_rule() {
    let cases = [
        ("netcon0", true, "plain"),
        ("a", true, "one letter"),
        ("fifteen-letters", true, "15 bytes"),
        ("sixteen-letters-", false, "16 bytes"),
        ("", false, "empty"),
        (".", false, "dot"),
        ("..", false, "two dots"),
        ("a/b", false, "slash"),
        ("a:b", false, "colon"),
        ("a b", false, "space"),
        ("tap%d", false, "asks the kernel to choose"),
        ("t\u{e4}p", false, "not ASCII"),
    ];
    for (name, want, why) in cases {
        assert_eq!(is_interface_name(name), want, "{why}");
    }
}

#[test]
fn bad_name_is_refused_before_the_device_is_opened() {
    assert_eq!(Tap::open("a/b", true).err(), Some(TapError::BadName));
}

#[test]
fn open_gives_a_tap_with_offload() {
    in_namespace("tap::tests::open_gives_a_tap_with_offload", || {
        let (_tap, info) = Tap::open("nc-test0", true).expect("a tap");
        assert_eq!(info.name, "nc-test0");
        assert!(info.offload, "{:?}", info.reason);
        assert_eq!(info.reason, None);
    });
}

#[test]
fn open_without_offload_gives_no_reason() {
    in_namespace("tap::tests::open_without_offload_gives_no_reason", || {
        let (_tap, info) = Tap::open("nc-test0", false).expect("a tap");
        assert_eq!((info.offload, info.reason), (false, None));
    });
}

#[test]
fn taken_names_are_busy() {
    in_namespace("tap::tests::taken_names_are_busy", || {
        let (_first, _) = Tap::open("nc-test0", true).expect("a tap");
        let taken = Tap::open("nc-test0", true).err();
        assert_eq!(taken, Some(TapError::Busy), "held by another");
        let not_a_tap = Tap::open("lo", true).err();
        assert_eq!(not_a_tap, Some(TapError::Busy), "the loopback interface");
    });
}

#[test]
fn tap_goes_with_its_last_descriptor() {
    in_namespace("tap::tests::tap_goes_with_its_last_descriptor", || {
        drop(Tap::open("nc-test0", true).expect("a tap"));
        Tap::open("nc-test0", true).expect("the name is free again");
    });
}

#[test]
fn frames_and_checksum_marks_pass_both_ways() {
    in_namespace(
        "tap::tests::frames_and_checksum_marks_pass_both_ways",
        || {
            let (tap, _) = Tap::open("nc-test0", true).expect("a tap");
            configure("nc-test0", &[(HOST.into(), 24)], None, None).expect("configured");
            let socket = UdpSocket::bind((HOST, 0)).expect("bound");
            socket.send_to(b"hello", (STACK, 9)).expect("sent");

            let (_, request) = recv_kind(&tap, 0x0806);
            assert_eq!(&request[..6], &[0xff; 6], "the ARP request is a broadcast");
            assert_eq!(&request[38..42], &STACK.octets());
            let reply = arp_reply(&request);
            let sent = tap
                .send(&[0; HEADER_LEN], [&reply, &[], &[]])
                .expect("sent");
            assert_eq!(sent, reply.len());

            let (header, datagram) = recv_kind(&tap, 0x0800);
            assert_eq!(&datagram[42..47], b"hello");
            assert_eq!(
                header[0], 1,
                "VIRTIO_NET_HDR_F_NEEDS_CSUM: TUN_F_CSUM is on"
            );
            assert_eq!(
                header[6..10],
                [34, 0, 6, 0],
                "from the UDP header, into its field"
            );
        },
    );
}

#[test]
fn recv_without_frames_would_block() {
    in_namespace("tap::tests::recv_without_frames_would_block", || {
        let (tap, _) = Tap::open("nc-test0", true).expect("a tap");
        configure("nc-test0", &[], None, None).expect("up");
        let mut buf = [0; 2048];
        while let Ok(len) = tap.recv(&mut [0; HEADER_LEN], &mut buf) {
            assert_ne!(len, 0, "only what the kernel says of itself");
        }
        let error = tap.recv(&mut [0; HEADER_LEN], &mut buf).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    });
}

#[test]
fn send_with_a_header_beyond_the_frame_is_an_error() {
    in_namespace(
        "tap::tests::send_with_a_header_beyond_the_frame_is_an_error",
        || {
            let (tap, _) = Tap::open("nc-test0", true).expect("a tap");
            configure("nc-test0", &[(IpAddr::V4(HOST), 24)], None, None).expect("configured");
            let error = tap
                .send(&[1, 0, 0, 0, 0, 0, 0xff, 0x7f, 16, 0], [&[0; 60], &[], &[]])
                .unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
        },
    );
}

/// The next frame of an Ethernet type, with its header.
fn recv_kind(tap: &Tap, kind: u16) -> ([u8; HEADER_LEN], Vec<u8>) {
    loop {
        wait_readable(tap);
        let mut header = [0; HEADER_LEN];
        let mut buf = vec![0; 2048];
        let len = tap.recv(&mut header, &mut buf).expect("a frame");
        buf.truncate(len);
        if buf[12..14] == kind.to_be_bytes() {
            return (header, buf);
        }
    }
}

fn wait_readable(tap: &Tap) {
    let mut poll = libc::pollfd {
        fd: tap.as_fd().as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: poll(2) with one pollfd that is ours.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 10_000) };
    assert_eq!(ready, 1, "a frame within ten seconds");
}

/// RFC 826: the same packet with sender and target swapped and our address filled in.
fn arp_reply(request: &[u8]) -> Vec<u8> {
    let mut reply = request[..42].to_vec();
    reply[..6].copy_from_slice(&request[6..12]);
    reply[6..12].copy_from_slice(&STACK_MAC);
    reply[21] = 2;
    reply[22..28].copy_from_slice(&STACK_MAC);
    reply[28..32].copy_from_slice(&STACK.octets());
    reply[32..42].copy_from_slice(&request[22..32]);
    reply
}
