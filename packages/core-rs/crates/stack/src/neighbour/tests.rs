use std::net::Ipv4Addr;

use super::*;

fn cache() -> Neighbours {
    Neighbours::new(SipKey::derive([1, 2], 3))
}

fn ip(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number))
}

fn at(millis: i64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn cache_holds_a_bounded_number_and_forgets_the_oldest() {
    let mut cache = cache();
    for number in 0..2000 {
        cache.learn(ip(number), [2; 6], true, at(i64::from(number)));
    }
    assert_eq!(cache.len(), ENTRIES);
    assert_eq!(cache.find(ip(1999), at(2000)), Answer::Known([2; 6]));
    assert_eq!(cache.find(ip(0), at(2000)), Answer::Ask);
}

#[test]
fn unasked_answers_are_not_noted() {
    let mut cache = cache();
    cache.learn(ip(1), [2; 6], false, at(0));
    assert_eq!(cache.len(), 0);
}

#[test]
fn three_probes_then_failure_with_the_waiters() {
    let mut cache = cache();
    assert_eq!(cache.find(ip(1), at(0)), Answer::Ask);
    assert_eq!(cache.find(ip(1), at(0)), Answer::Asked);
    let waiter = PcbId::new(1, 1);
    cache.wait(ip(1), waiter);
    assert_eq!(cache.deadline(), Some(at(1000)));
    assert_eq!(cache.lapse(at(999)), None);
    assert_eq!(cache.lapse(at(1000)), Some(Lapse::Probe(ip(1), None)));
    assert_eq!(cache.lapse(at(2000)), Some(Lapse::Probe(ip(1), None)));
    assert_eq!(
        cache.lapse(at(3000)),
        Some(Lapse::Failed(vec![waiter], VecDeque::new()))
    );
    assert_eq!((cache.deadline(), cache.len()), (None, 0));
}

#[test]
fn answer_ends_the_probing() {
    let mut cache = cache();
    cache.find(ip(1), at(0));
    assert!(cache.hold(ip(1), b"packet"));
    let (pending, _) = cache.learn(ip(1), [2; 6], false, at(10));
    assert_eq!(pending.len(), 1);
    assert_eq!(cache.deadline(), None);
    assert_eq!(cache.find(ip(1), at(20)), Answer::Known([2; 6]));
    assert_eq!(cache.find(ip(1), at(40_000)), Answer::Doubtful([2; 6]));
    assert_eq!(
        cache.find(ip(1), at(40_000)),
        Answer::Known([2; 6]),
        "asked already"
    );
}
