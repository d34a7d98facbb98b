use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use netcon_sys::netlink;
use netcon_sys::tap::Tap;

use super::{TapLink, build_header, parse_header};
use crate::testing::in_namespace;
use crate::{Checksum, FRAME_BUFFER, Link, RxOffload, Segment, TxOffload};

#[test]
fn header_for_each_offload() {
    let checksum = Some(Checksum {
        start: 34,
        offset: 16,
    });
    let v4 = Some(Segment {
        v6: false,
        header_len: 66,
        size: 1448,
    });
    let v6 = Some(Segment {
        v6: true,
        header_len: 86,
        size: 1428,
    });
    let le = u16::to_ne_bytes;
    let cases = [
        (None, None, [0u8, 0], [0u16, 0, 0, 0], "plain"),
        (checksum, None, [1, 0], [0, 0, 34, 16], "checksum"),
        (checksum, v4, [1, 1], [66, 1448, 34, 16], "IPv4 segments"),
        (checksum, v6, [1, 4], [86, 1428, 34, 16], "IPv6 segments"),
    ];
    for (checksum, segment, bytes, words, why) in cases {
        let want: Vec<u8> = bytes
            .into_iter()
            .chain(words.into_iter().flat_map(le))
            .collect();
        let got = build_header(&TxOffload { checksum, segment });
        assert_eq!(got.as_slice(), want, "{why}");
    }
}

#[test]
fn header_is_understood() {
    let size = 1448u16.to_ne_bytes();
    let cases = [
        ([0, 0], 0, false, 0, "nothing known"),
        ([1, 0], 0, true, 0, "partial checksum"),
        ([2, 0], 0, true, 0, "checksum verified"),
        ([1, 1], 1448, true, 1448, "IPv4 super-frame"),
        ([1, 0x84], 1448, true, 1448, "IPv6 super-frame with ECN"),
        ([0, 0], 1448, false, 0, "a size without a type says nothing"),
    ];
    for (front, size_field, checksum_ok, gso_size, why) in cases {
        let s = if size_field == 0 { [0, 0] } else { size };
        let header = [front[0], front[1], 0, 0, s[0], s[1], 0, 0, 0, 0];
        let want = RxOffload {
            checksum_ok,
            gso_size,
        };
        assert_eq!(parse_header(&header), want, "{why}");
    }
}

#[test]
fn tap_link_receives_a_syn_after_answering_arp() {
    in_namespace(
        "tap::tests::tap_link_receives_a_syn_after_answering_arp",
        || {
            let (tap, info) = Tap::open("nc-test0", true).expect("a tap");
            assert!(info.offload);
            let host = Ipv4Addr::new(10, 99, 0, 1);
            netlink::configure("nc-test0", &[(host.into(), 24)], None, None).expect("configured");
            let mut link: Box<dyn Link> = Box::new(TapLink::new(tap));
            assert!(
                link.as_fd()
                    .is_some_and(|fd| fd.as_fd().try_clone_to_owned().is_ok())
            );

            let client = std::thread::spawn(|| {
                let stack = (Ipv4Addr::new(10, 99, 0, 2), 80).into();
                TcpStream::connect_timeout(&stack, Duration::from_secs(10))
                    .map(|_| ())
                    .unwrap_err()
                    .kind()
            });
            let (_, arp) = recv_kind(&mut *link, 0x0806);
            link.send(&TxOffload::default(), &arp_reply(&arp))
                .expect("sent");
            let (offload, syn) = recv_kind(&mut *link, 0x0800);
            assert!(offload.checksum_ok, "left to us: TUN_F_CSUM");
            assert_eq!((syn[23], syn[47]), (6, 2), "TCP, SYN");

            // The checksum of the reset is completed by the kernel, or it would not be believed.
            let (offload, reset) = reset_of(&syn);
            link.send(&offload, &reset).expect("sent");
            let kind = client.join().expect("joined");
            assert_eq!(kind, std::io::ErrorKind::ConnectionRefused);
        },
    );
}

fn recv_kind(link: &mut dyn Link, kind: u16) -> (RxOffload, Vec<u8>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut buf = vec![0; FRAME_BUFFER];
    while Instant::now() < deadline {
        if let Some((offload, len)) = link.recv(&mut buf).expect("received")
            && buf[12..14] == kind.to_be_bytes()
        {
            return (offload, buf[..len].to_vec());
        }
        std::thread::yield_now();
    }
    panic!("no frame of type {kind:04x} within ten seconds");
}

fn arp_reply(request: &[u8]) -> Vec<u8> {
    let mac = [2, 0, 0, 0, 0, 2];
    let mut reply = request[..42].to_vec();
    reply[..6].copy_from_slice(&request[6..12]);
    reply[6..12].copy_from_slice(&mac);
    reply[21] = 2;
    reply[22..28].copy_from_slice(&mac);
    reply[28..32].copy_from_slice(&request[38..42]);
    reply[32..42].copy_from_slice(&request[22..32]);
    reply
}

/// RST|ACK to a SYN, with the pseudo-header's sum in the checksum field.
fn reset_of(syn: &[u8]) -> (TxOffload, Vec<u8>) {
    let mut frame = vec![0; 54];
    frame[..6].copy_from_slice(&syn[6..12]);
    frame[6..12].copy_from_slice(&syn[..6]);
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14..24].copy_from_slice(&[0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6]);
    frame[26..30].copy_from_slice(&syn[30..34]);
    frame[30..34].copy_from_slice(&syn[26..30]);
    let ip_sum = !fold(&frame[14..34], 0);
    frame[24..26].copy_from_slice(&ip_sum.to_be_bytes());
    frame[34..36].copy_from_slice(&syn[36..38]);
    frame[36..38].copy_from_slice(&syn[34..36]);
    let sequence = u32::from_be_bytes([syn[38], syn[39], syn[40], syn[41]]);
    frame[42..46].copy_from_slice(&sequence.wrapping_add(1).to_be_bytes());
    frame[46..48].copy_from_slice(&[0x50, 0x14]);
    let pseudo = fold(&frame[26..34], 6 + 20);
    frame[50..52].copy_from_slice(&pseudo.to_be_bytes());
    let checksum = Some(Checksum {
        start: 34,
        offset: 16,
    });
    let offload = TxOffload {
        checksum,
        segment: None,
    };
    (offload, frame)
}

/// RFC 1071: the one's complement sum of 16-bit words.
fn fold(bytes: &[u8], start: u32) -> u16 {
    let sum = bytes.chunks(2).fold(start, |sum, w| {
        sum + u32::from(u16::from_be_bytes([w[0], w[1]]))
    });
    let sum = (sum >> 16) + (sum & 0xffff);
    u16::try_from((sum >> 16) + (sum & 0xffff)).expect("folded")
}
