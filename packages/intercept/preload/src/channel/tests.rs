use super::home_below;

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
