use netcon_wire::SockAddr;

use super::Line;

fn line(build: impl FnOnce(&mut Line<64>)) -> String {
    let mut line = Line::new();
    build(&mut line);
    String::from_utf8(line.as_bytes().to_vec()).expect("ASCII")
}

#[test]
fn numbers_and_addresses_read_as_usual() {
    assert_eq!(
        line(|l| {
            l.int(0);
        }),
        "0"
    );
    assert_eq!(
        line(|l| {
            l.int(i64::MIN);
        }),
        i64::MIN.to_string()
    );
    assert_eq!(
        line(|l| {
            l.hex(0xbeef);
        }),
        "0xbeef"
    );
    let v4 = SockAddr::new("10.77.0.2".parse().expect("v4"), 80);
    assert_eq!(
        line(|l| {
            l.address(&v4);
        }),
        "10.77.0.2:80"
    );
    let v6 = SockAddr::new("fd77::2".parse().expect("v6"), 80);
    assert_eq!(
        line(|l| {
            l.address(&v6);
        }),
        "[fd77:0:0:0:0:0:0:2]:80"
    );
}

#[test]
fn line_too_long_is_cut() {
    let mut line: Line<4> = Line::new();
    line.str("abc").str("def").int(1);
    assert_eq!(line.as_bytes(), b"abcd");
}
