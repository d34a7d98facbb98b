use super::{CAPACITY, CAPACITY_BYTES, DelayQueue};

#[test]
fn frames_come_out_when_due_and_in_order() {
    let mut queue = DelayQueue::new();
    queue.push(20, 'c', b"3");
    queue.push(10, 'a', b"1");
    queue.push(10, 'b', b"2");
    assert_eq!(queue.next_due(), Some(10));
    assert_eq!(queue.pop_due(9), None);
    let (meta, frame) = queue.pop_due(10).expect("due");
    assert_eq!((meta, &*frame), ('a', &b"1"[..]));
    assert_eq!(
        queue.pop_due(10).map(|f| f.0),
        Some('b'),
        "first in, first out"
    );
    assert_eq!(queue.pop_due(10), None);
    assert_eq!(queue.next_due(), Some(20));
    assert_eq!(queue.pop_due(u64::MAX).map(|f| f.0), Some('c'));
    assert_eq!(queue.next_due(), None);
}

#[test]
fn frames_beyond_the_capacity_are_lost() {
    let mut queue = DelayQueue::new();
    for _ in 0..CAPACITY {
        assert!(queue.push(1, (), b"x"));
    }
    assert!(!queue.push(1, (), b"x"));
    queue.pop_due(1).expect("due");
    assert!(queue.push(1, (), b"x"), "room again");
}

#[test]
fn bytes_beyond_the_capacity_are_lost() {
    let mut queue = DelayQueue::new();
    let large = vec![0; CAPACITY_BYTES / 2];
    assert!(queue.push(1, (), &large));
    assert!(queue.push(1, (), &large));
    assert!(!queue.push(1, (), b"x"));
    queue.pop_due(1).expect("due");
    assert!(queue.push(1, (), b"x"), "room again");
}
