//! Timestamps tell what was sent again in vain.

use super::*;

/// RFC 3522: the echoed timestamp is older than the retransmission, so the original has filled the gap.
#[test]
fn timestamp_of_the_original_takes_the_reduction_back() {
    for (echoed, undone) in [(0, 1), (41, 0)] {
        let mut sender = established();
        write(&mut sender, 10_000);
        while sender.poll_transmit(at(0), 64_000).is_some() {}
        sender.handle_ack(&ack(0, &[(1000, 6000)], false), at(20));
        sender.handle_timeout(at(41));
        let segment = sender.poll_transmit(at(41), 1000).expect("sent again");
        assert!(segment.again && segment.seq == 0);
        assert!(sender.info().recovering);
        let answer = Ack {
            echo: Some(at(echoed)),
            ..ack(10_000, &[], false)
        };
        sender.handle_ack(&answer, at(42));
        let info = sender.info();
        assert_eq!((info.stats.undone, info.recovering), (undone, false));
        assert_eq!(info.cwnd >= 10_000, undone == 1, "{}", info.cwnd);
    }
}

/// The same after a timeout.
#[test]
fn timestamp_of_the_original_ends_the_repair_after_a_timeout() {
    let mut sender = established();
    write(&mut sender, 10_000);
    while sender.poll_transmit(at(0), 64_000).is_some() {}
    sender.handle_timeout(at(5000));
    sender.handle_timeout(at(10_000));
    while sender.poll_transmit(at(10_000), 1000).is_some() {}
    assert!(sender.info().timed_out);
    let answer = Ack {
        echo: Some(at(0)),
        ..ack(1000, &[], false)
    };
    sender.handle_ack(&answer, at(10_001));
    let info = sender.info();
    assert_eq!(
        (info.stats.undone, info.timed_out, info.lost),
        (1, false, 0)
    );
}
