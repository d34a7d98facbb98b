use super::*;

const MSS: u16 = 1000;

fn at(millis: i64) -> Instant {
    Instant::from_millis(millis)
}

#[test]
fn segments_are_counted_with_and_without_data() {
    let mut meter = Meter::default();
    meter.received(0, MSS, at(1));
    meter.received(2001, MSS, at(2));
    assert_eq!(meter.seen.segments_in, (4, 3));
    assert_eq!(meter.seen.data_received, Some(at(2)));
    meter.sent(0, MSS, at(3));
    assert_eq!(meter.seen.segments_out, (1, 0));
    assert_eq!(meter.seen.data_sent, None);
    meter.sent(1000, MSS, at(4));
    assert_eq!(meter.seen.segments_out, (2, 1));
    assert_eq!(meter.seen.data_sent, Some(at(4)));
    meter.acknowledged(at(5));
    assert_eq!(meter.seen.ack_received, Some(at(5)));
}
