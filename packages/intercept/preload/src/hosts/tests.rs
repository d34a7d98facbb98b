use super::each_of;

/// What a file says, read in pieces of `piece` bytes: the address and the names of each line.
fn lines(text: &str, piece: usize) -> Vec<String> {
    let mut rest = text.as_bytes();
    let mut found = Vec::new();
    each_of(
        |block| {
            let count = rest.len().min(piece).min(block.len());
            let (now, later) = rest.split_at(count);
            block[..count].copy_from_slice(now);
            rest = later;
            count
        },
        |entry| {
            let names: Vec<_> = entry.names().map(String::from_utf8_lossy).collect();
            found.push(format!("{} {}", entry.ip, names.join(" ")));
        },
    );
    found
}

#[test]
fn lines_are_read_whatever_the_pieces_of_the_file() {
    let text = "127.0.0.1\tlocalhost  me # not me\n\n# 10.0.0.1 comment\n  ::1 six\n10.0.0.2 last";
    for piece in [1, 2, 7, 1024] {
        assert_eq!(
            lines(text, piece),
            ["127.0.0.1 localhost me", "::1 six", "10.0.0.2 last"]
        );
    }
}

#[test]
fn what_is_no_address_with_a_name_is_left_out() {
    assert!(
        lines(
            "10.0.0.1\nname 10.0.0.1\n1.2.3 name\nfe80::1%eth0 name\n",
            64
        )
        .is_empty()
    );
}

#[test]
fn a_line_that_is_too_long_is_left_out_and_the_next_is_read() {
    let long = format!("10.0.0.1 {}\n10.0.0.2 next\n", "x".repeat(5000));
    assert_eq!(lines(&long, 1024), ["10.0.0.2 next"]);
}
