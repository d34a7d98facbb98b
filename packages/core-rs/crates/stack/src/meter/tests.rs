use super::*;

const MSS: u16 = 1000;

fn at(millis: i64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn round_trip_is_smoothed_by_rfc_6298() {
    let mut meter = Meter::default();
    meter.sent(Seq(0), Seq(10), Seq(0), MSS, at(0));
    meter.acknowledged(Seq(0), Seq(10), at(80));
    let first = (meter.seen.rtt, meter.seen.rtt_variation);
    assert_eq!(
        first,
        (Duration::from_millis(80), Duration::from_millis(40))
    );
    meter.sent(Seq(10), Seq(20), Seq(10), MSS, at(100));
    meter.acknowledged(Seq(10), Seq(20), at(260));
    // 7/8 of 80 and 1/8 of 160; 3/4 of 40 and 1/4 of 80.
    let second = (meter.seen.rtt, meter.seen.rtt_variation);
    assert_eq!(
        second,
        (Duration::from_millis(90), Duration::from_millis(50))
    );
    assert_eq!(meter.seen.rtt_least, Duration::from_millis(80));
}

#[test]
fn what_is_sent_again_gives_no_sample_and_is_counted() {
    let mut meter = Meter::default();
    meter.sent(Seq(0), Seq(2500), Seq(0), MSS, at(0));
    meter.sent(Seq(0), Seq(1000), Seq(2500), MSS, at(1000));
    assert_eq!(meter.seen.retransmits, 1);
    meter.acknowledged(Seq(0), Seq(2500), at(1050));
    let seen = meter.seen;
    assert_eq!(seen.rtt, Duration::ZERO, "Karn's algorithm");
    assert_eq!(seen.retransmits, 0, "progress");
    let again = (seen.retransmitted_segments, seen.retransmitted_octets);
    assert_eq!(again, (1, 1000));
    assert_eq!((seen.sent_octets, seen.acked), (3500, 2500));
    assert_eq!(seen.segments_out, (4, 4));
}

#[test]
fn segments_are_counted_with_and_without_data() {
    let mut meter = Meter::default();
    meter.received(0, MSS, at(1));
    meter.received(2001, MSS, at(2));
    assert_eq!(meter.seen.segments_in, (4, 3));
    assert_eq!(meter.seen.data_received, Some(at(2)));
    meter.sent(Seq(5), Seq(5), Seq(5), MSS, at(3));
    assert_eq!(meter.seen.segments_out, (1, 0));
    assert_eq!(meter.seen.data_sent, None);
}
