use std::net::{IpAddr, Ipv4Addr};

use netcon_wire::Family;

use super::*;
use crate::BindOptions;
use crate::hash::SipKey;

fn stone(number: u16, expires: i64) -> Tombstone {
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    Tombstone {
        key: FlowKey::new(ip, 80, ip, number),
        id: PcbId::new(u32::from(number), 1),
        snd_nxt: Seq(100),
        rcv_nxt: Seq(200),
        window: 0,
        stamps: Stamps::new(
            &SipKey::derive([0; 2], 5),
            &FlowKey::new(ip, 80, ip, number),
        ),
        claim: Claim::new(ip, Family::Inet, BindOptions::default()),
        expires: Instant::from_secs(expires),
    }
}

fn flows() -> FlowTable {
    FlowTable::with_hasher(SipKey::derive([0; 2], 0))
}

#[test]
fn full_yard_recycles_the_oldest() {
    let (mut yard, mut flows) = (Yard::new(3), flows());
    let evicted: Vec<_> = (0..5)
        .filter_map(|number| yard.bury(stone(number, 60), &mut flows))
        .map(|stone| stone.key.remote().1)
        .collect();
    assert_eq!(evicted, [0, 1]);
    assert_eq!((yard.iter().count(), flows.len()), (3, 3));
}

#[test]
fn expiry_follows_restarts() {
    let (mut yard, mut flows) = (Yard::new(8), flows());
    yard.bury(stone(1, 60), &mut flows);
    yard.bury(stone(2, 61), &mut flows);
    yard.restart(0, Instant::from_secs(30));
    let gone = |yard: &mut Yard, flows: &mut FlowTable, at| {
        yard.take_expired(Instant::from_secs(at), flows)
            .map(|stone| stone.key.remote().1)
    };
    assert_eq!(gone(&mut yard, &mut flows, 59), None);
    assert_eq!(gone(&mut yard, &mut flows, 75), Some(2));
    assert_eq!(gone(&mut yard, &mut flows, 89), None);
    assert_eq!(gone(&mut yard, &mut flows, 90), Some(1));
    assert!(flows.is_empty());
}

#[test]
fn removed_stone_leaves_nothing_behind() {
    let (mut yard, mut flows) = (Yard::new(8), flows());
    yard.bury(stone(1, 60), &mut flows);
    yard.remove(0, &mut flows);
    yard.bury(stone(2, 90), &mut flows);
    assert!(
        yard.take_expired(Instant::from_secs(70), &mut flows)
            .is_none(),
        "a re-used slot"
    );
    assert_eq!(flows.len(), 1);
}
