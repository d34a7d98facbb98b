use super::*;

const STAMP: Stamp = Stamp {
    value: 0x0102_0304,
    echo: 0x0506_0708,
};

fn segment(options: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; 20];
    segment[12] = u8::try_from(5 + options.len() / 4).expect("fits") << 4;
    segment.extend_from_slice(options);
    segment
}

#[test]
fn written_options_are_read_again() {
    for stamp in [None, Some(STAMP)] {
        let mut options = Options::new(stamp);
        let blocks = (0..6).map(|n| (Seq(n * 100), Seq(n * 100 + 50)));
        options.sack(blocks);
        let segment = segment(options.as_slice());
        assert_eq!(super::stamp(&segment), stamp);
        let mut found = [(0, 0); 4];
        let count = crate::sack::blocks(&segment, &mut found);
        // RFC 7323 appendix A, RFC 2018 3: three blocks beside timestamps, four without.
        assert_eq!(count, if stamp.is_some() { 3 } else { 4 });
        assert_eq!(found[1], (100, 150));
    }
}

#[test]
fn no_blocks_no_option() {
    let mut options = Options::new(None);
    options.sack(std::iter::empty());
    assert!(options.as_slice().is_empty());
}

#[test]
fn timestamps_are_found_wherever_they_stand() {
    let mut late = vec![2, 4, 5, 180, 1, 1, TIMESTAMPS, 10];
    late.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(stamp(&segment(&late)), Some(STAMP));
    // Of another length, and cut short.
    assert_eq!(stamp(&segment(&[TIMESTAMPS, 4, 0, 0])), None);
    assert_eq!(stamp(&segment(&[1, 1, TIMESTAMPS, 10])), None);
}
