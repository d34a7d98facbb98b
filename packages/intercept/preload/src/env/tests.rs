use super::{Config, MAX_VARIABLE};

fn read(entries: &[&str]) -> Config {
    let mut config = Config::EMPTY;
    config.read(entries.iter().map(|entry| entry.as_bytes()));
    config
}

#[test]
fn variables_are_found_and_kept() {
    let config = read(&[
        "A=1",
        "NETCON_SOCKET=/run/x.sock",
        "LD_PRELOAD=/l/libnetcon.so",
    ]);
    assert_eq!(config.socket(), Some(&b"/run/x.sock\0"[..]));
    assert_eq!(config.kept[0].value(), Some(&b"/l/libnetcon.so\0"[..]));
    assert_eq!(
        config.kept[1].entry(),
        Some(&b"NETCON_SOCKET=/run/x.sock\0"[..])
    );
    assert_eq!(config.trace(), None);
}

#[test]
fn empty_and_overlong_variables_count_as_unset() {
    let long = format!("NETCON_TRACE={}", "x".repeat(MAX_VARIABLE));
    let config = read(&["NETCON_SOCKET=", &long]);
    assert_eq!(config.socket(), None);
    assert_eq!(config.trace(), None);
}

#[test]
fn bypass_opens_what_it_names() {
    let cases = [
        ("all", "192.0.2.1", true, "everything"),
        ("10.0.0.0/8,::1", "10.1.1.1", true, "the first block"),
        ("10.0.0.0/8,::1", "::1", true, "the second block"),
        ("10.0.0.0/8", "11.0.0.0", false, "outside"),
        ("10.0.0.0/99", "10.0.0.1", false, "nonsense opens nothing"),
        ("", "10.0.0.1", false, "unset"),
    ];
    for (text, ip, want, why) in cases {
        let config = read(&[&format!("NETCON_BYPASS={text}")]);
        let ip = ip.parse().expect("an address");
        assert_eq!(config.bypass.contains(ip), want, "{text} {ip}: {why}");
    }
}
