use std::net::IpAddr;

use super::{Block, Reported, blocks};
use crate::flow::FlowKey;
use crate::packet::build::{PLAIN_ACK, Segment};
use crate::packet::options::Options;
use crate::packet::{IpView, TcpView};
use crate::seq::Seq;

const fn block(start: u32, end: u32) -> Block {
    (Seq(start), Seq(end))
}

/// An acknowledgement as smoltcp makes it, with at most one block.
fn acknowledgement(ip: &str, sack: Option<Block>) -> (Vec<u8>, usize) {
    let ip: IpAddr = ip.parse().expect("an address");
    let segment = Segment {
        flow: FlowKey::new(ip, 80, ip, 1234),
        seq: Seq(1),
        ack: Seq(1000),
        flags: PLAIN_ACK,
        window: 100,
        hop_limit: 64,
        options: Options::new(None),
    };
    let mut packet = Vec::new();
    segment.write_for(&mut packet, if sack.is_some() { 12 } else { 0 });
    if let Some((start, end)) = sack {
        let at = packet.len() - 8;
        packet[at] = 8 << 4;
        packet.extend_from_slice(&[1, 1, 5, 10]);
        packet.extend_from_slice(&start.0.to_be_bytes());
        packet.extend_from_slice(&end.0.to_be_bytes());
    }
    let len = packet.len();
    packet.resize(len + 64, 0xee);
    (packet, len)
}

fn told(
    reported: &mut Reported,
    sack: Option<Block>,
    next: u32,
    twice: Option<Block>,
) -> Vec<(u32, u32)> {
    let mut last = Vec::new();
    for ip in ["10.0.0.1", "fd00::1"] {
        let mut own = *reported;
        let (mut room, len) = acknowledgement(ip, sack);
        let len = own.complete(&mut room, len, Seq(next), twice, None);
        let view = IpView::parse(&room[..len]).expect("lengths and checksum are right");
        let tcp = TcpView::parse(view.payload()).expect("a segment");
        assert_eq!((tcp.payload_len, tcp.ack), (0, Seq(1000)));
        let mut found = [(0, 0); 4];
        let count = blocks(view.payload(), &mut found);
        last = found[..count].to_vec();
        if ip == "fd00::1" {
            *reported = own;
        }
    }
    last
}

/// RFC 2018 4: the newest first, then those reported before.
#[test]
fn former_blocks_are_repeated_newest_first() {
    let mut reported = Reported::default();
    assert_eq!(
        told(&mut reported, Some(block(2000, 2500)), 1000, None),
        [(2000, 2500)]
    );
    assert_eq!(
        told(&mut reported, Some(block(3000, 3500)), 1000, None),
        [(3000, 3500), (2000, 2500)]
    );
    for start in [4000, 5000, 6000] {
        told(&mut reported, Some(block(start, start + 500)), 1000, None);
    }
    assert_eq!(
        told(&mut reported, Some(block(2000, 2600)), 1000, None),
        [(2000, 2600), (6000, 6500), (5000, 5500), (4000, 4500)],
        "four fit"
    );
    assert_eq!(
        told(&mut reported, Some(block(5000, 6500)), 1000, None),
        [(5000, 6500), (2000, 2600), (4000, 4500)],
        "what grew together is told once"
    );
    assert_eq!(told(&mut reported, None, 4500, None), [(5000, 6500)]);
    assert!(told(&mut reported, None, 6500, None).is_empty());
}

/// RFC 2883 4: the duplicate stands first, and once.
#[test]
fn duplicates_are_reported_first() {
    let mut reported = Reported::default();
    told(&mut reported, Some(block(2000, 3000)), 1000, None);
    for (segment, want, why) in [
        (block(500, 900), true, "acknowledged"),
        (block(500, 1100), false, "partly new"),
        (block(2000, 2500), true, "inside a block"),
        (block(2900, 3100), false, "beyond the block"),
        (block(900, 900), false, "nothing"),
    ] {
        let found = reported.duplicate(segment, Seq(1000));
        assert_eq!(found, want.then_some(segment), "{why}");
    }
    assert_eq!(
        told(
            &mut reported,
            Some(block(2000, 3000)),
            1000,
            Some(block(500, 900))
        ),
        [(500, 900), (2000, 3000)]
    );
    assert_eq!(
        told(&mut reported, None, 3000, Some(block(500, 900))),
        [(500, 900)]
    );
}
