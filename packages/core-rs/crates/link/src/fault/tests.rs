use super::{FaultLink, Faults, RECV_LIMIT};
use crate::testing::ScriptedLink;
use crate::{FRAME_BUFFER, Link, TxOffload};

const DELAY: Faults = Faults {
    loss: 0.0,
    delay_micros: 1_000,
    jitter_micros: 0,
    reorder: 0.0,
    duplicate: 0.0,
};

#[test]
fn without_faults_frames_pass_at_once() {
    let (inner, mut link) = wrapped(Faults::default());
    send(&mut link, b"out");
    assert_eq!(inner.take_sent(), [b"out"]);
    inner.receives(b"in");
    assert_eq!(recv(&mut link), Some(b"in".to_vec()));
    assert_eq!(recv(&mut link), None);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn delayed_frames_leave_when_due() {
    let (inner, mut link) = wrapped(DELAY);
    link.handle_timeout(500);
    send(&mut link, b"a");
    assert!(inner.take_sent().is_empty());
    assert_eq!(link.poll_timeout(), Some(1_500));
    link.handle_timeout(1_499);
    assert!(inner.take_sent().is_empty());
    link.handle_timeout(1_500);
    assert_eq!(inner.take_sent(), [b"a"]);
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn delayed_frames_arrive_when_due() {
    let (inner, mut link) = wrapped(DELAY);
    inner.receives(b"a");
    assert_eq!(recv(&mut link), None);
    assert_eq!(link.poll_timeout(), Some(1_000));
    link.handle_timeout(1_000);
    assert_eq!(recv(&mut link), Some(b"a".to_vec()));
    assert_eq!(link.poll_timeout(), None);
}

#[test]
fn reordered_frame_is_overtaken() {
    let faults = Faults {
        reorder: 0.5,
        ..Faults::default()
    };
    let (inner, mut link) = wrapped(faults);
    let frames: Vec<_> = (0..20u8).collect();
    for (at, &n) in (0u64..).zip(&frames) {
        link.handle_timeout(at * 100);
        send(&mut link, &[n]);
    }
    link.handle_timeout(10_000);
    let mut order: Vec<_> = inner.take_sent().concat();
    assert_ne!(order, frames, "some overtook others");
    order.sort_unstable();
    assert_eq!(order, frames, "all arrived once");
}

#[test]
fn duplicated_frame_arrives_twice() {
    let faults = Faults {
        duplicate: 1.0,
        ..Faults::default()
    };
    let (inner, mut link) = wrapped(faults);
    send(&mut link, b"a");
    assert_eq!(inner.take_sent(), [b"a", b"a"]);
    inner.receives(b"b");
    assert_eq!(recv(&mut link), Some(b"b".to_vec()));
    assert_eq!(recv(&mut link), Some(b"b".to_vec()));
    assert_eq!(recv(&mut link), None);
}

#[test]
fn total_loss_does_not_keep_the_loop() {
    let faults = Faults {
        loss: 1.0,
        ..Faults::default()
    };
    let (inner, mut link) = wrapped(faults);
    for _ in 0..RECV_LIMIT + 1 {
        inner.receives(b"a");
    }
    assert_eq!(recv(&mut link), None);
    let left = inner.incoming.lock().expect("not poisoned").len();
    assert_eq!(left, 1, "for the next turn");
}

#[test]
fn directions_have_faults_of_their_own() {
    let inner = ScriptedLink::default();
    let lossy = Faults {
        loss: 1.0,
        ..Faults::default()
    };
    let mut link = FaultLink::new(inner.clone(), 1, lossy, Faults::default());
    inner.receives(b"in");
    assert_eq!(recv(&mut link), None);
    send(&mut link, b"out");
    assert_eq!(inner.take_sent(), [b"out"]);
}

#[test]
fn errors_of_the_inner_link_are_seen() {
    let inner = ScriptedLink {
        errno: Some(77),
        ..ScriptedLink::default()
    };
    let mut link = FaultLink::new(inner, 1, Faults::default(), Faults::default());
    let error = link.recv(&mut [0; 64]).unwrap_err();
    assert_eq!(
        error.raw_os_error(),
        Some(77),
        "EBADFD: the interface is gone"
    );
    assert!(link.send(&TxOffload::default(), b"x").is_err());
}

fn wrapped(faults: Faults) -> (ScriptedLink, FaultLink<ScriptedLink>) {
    let inner = ScriptedLink::default();
    let link = FaultLink::new(inner.clone(), 42, faults, faults);
    (inner, link)
}

fn send(link: &mut impl Link, frame: &[u8]) {
    link.send(&TxOffload::default(), frame).expect("sent");
}

fn recv(link: &mut impl Link) -> Option<Vec<u8>> {
    let mut buf = vec![0; FRAME_BUFFER];
    let (_, len) = link.recv(&mut buf).expect("received")?;
    Some(buf[..len].to_vec())
}
