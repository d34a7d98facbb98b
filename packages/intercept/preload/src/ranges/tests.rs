use super::without;

#[test]
fn ranges_leave_the_kept_fd_out() {
    let cases = [
        (3, 9, None, [Some((3, 9)), None], "nothing to keep"),
        (3, 9, Some(10), [Some((3, 9)), None], "outside"),
        (3, 9, Some(5), [Some((3, 4)), Some((6, 9))], "in the middle"),
        (3, 9, Some(3), [None, Some((4, 9))], "at the start"),
        (3, 9, Some(9), [Some((3, 8)), None], "at the end"),
        (5, 5, Some(5), [None, None], "all of it"),
        (0, u32::MAX, Some(0), [None, Some((1, u32::MAX))], "lowest"),
        (9, 3, Some(5), [Some((9, 3)), None], "the kernel's EINVAL"),
    ];
    for (first, last, keep, want, why) in cases {
        assert_eq!(without(first, last, keep), want, "{why}");
    }
}
