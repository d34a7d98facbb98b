use super::Cidr;

fn holds(block: &str, ip: &str) -> bool {
    let block = Cidr::parse(block.as_bytes()).expect("a block");
    block.contains(ip.parse().expect("an address"))
}

#[test]
fn blocks_hold_their_addresses() {
    let cases = [
        ("10.0.0.0/8", "10.255.0.1", true, "inside"),
        ("10.0.0.0/8", "11.0.0.1", false, "outside"),
        (
            "127.0.0.1",
            "127.0.0.1",
            true,
            "no prefix: the address itself",
        ),
        ("127.0.0.1", "127.0.0.2", false, "no prefix: nothing else"),
        ("0.0.0.0/0", "192.0.2.1", true, "everything of its family"),
        ("0.0.0.0/0", "::1", false, "nothing of the other family"),
        ("::/0", "2001:db8::1", true, "everything of its family"),
        ("fd00::/8", "fd77::2", true, "inside"),
        (
            "2001:db8:1:2:3:4:5:6",
            "2001:db8:1:2:3:4:5:6",
            true,
            "no gap",
        ),
        (
            "2001:db8::6",
            "2001:db8:0:0:0:0:0:6",
            true,
            "a gap in the middle",
        ),
        ("2001:db8::", "2001:db8::", true, "a gap at the end"),
        ("10.0.0.0/8", "::ffff:10.1.2.3", true, "v4-mapped"),
    ];
    for (block, ip, want, why) in cases {
        assert_eq!(holds(block, ip), want, "{block} {ip}: {why}");
    }
}

#[test]
fn nonsense_is_no_block() {
    for text in [
        "",
        "all",
        "10.0.0.0/33",
        "10.0.0/8",
        "::/129",
        "1.2.3.4/",
        "1.2.3.4/x",
        "1.2.3.4.5",
        "256.1.1.1",
        "1:2:3:4:5:6:7",
        "1::2::3",
        "1:2:3:4:5:6:7::8",
        "12345::",
        ":::",
    ] {
        assert_eq!(Cidr::parse(text.as_bytes()), None, "{text}");
    }
}
