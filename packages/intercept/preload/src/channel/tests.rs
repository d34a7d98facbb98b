use super::{home_below, unix_address};
use crate::identity::UNIX_LEN;

#[test]
fn home_follows_the_fd_limit() {
    let cases = [
        (1 << 20, 1000, "high limits: the fixed place"),
        (1024, 1000, "the usual limit"),
        (256, 232, "the top of a lower limit"),
        (10, 3, "never a standard stream"),
        (u64::MAX, 1000, "no limit"),
    ];
    for (limit, want, why) in cases {
        assert_eq!(home_below(limit), want, "{why}");
    }
}

#[test]
fn unix_address_holds_107_bytes_of_path() {
    let mut out = [0; UNIX_LEN];
    assert_eq!(unix_address(b"/a", &mut out), Some(5));
    assert_eq!(&out[..5], &[1, 0, b'/', b'a', 0]);
    assert_eq!(unix_address(&[b'x'; 107], &mut out), Some(110));
    assert_eq!(unix_address(&[b'x'; 108], &mut out), None);
    assert_eq!(unix_address(b"", &mut out), None);
}
