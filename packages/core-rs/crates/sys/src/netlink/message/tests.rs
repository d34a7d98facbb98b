use super::{Message, Request, attributes, messages};

#[test]
fn request_is_laid_out_as_netlink_7_says() {
    let mut request = Request::new(18, 0x400, &[0xaa; 6]);
    request.attribute(3, b"lo\0");
    let bytes = request.finish(7);
    let mut want = Vec::new();
    want.extend_from_slice(&32u32.to_ne_bytes());
    want.extend_from_slice(&18u16.to_ne_bytes());
    want.extend_from_slice(&0x405u16.to_ne_bytes());
    want.extend_from_slice(&7u32.to_ne_bytes());
    want.extend_from_slice(&0u32.to_ne_bytes());
    want.extend_from_slice(&[0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0, 0]);
    want.extend_from_slice(&7u16.to_ne_bytes());
    want.extend_from_slice(&3u16.to_ne_bytes());
    want.extend_from_slice(b"lo\0\0");
    assert_eq!(bytes, want);
}

#[test]
fn messages_are_walked_to_the_end() {
    let mut bytes = Request::new(1, 0, b"abc").finish(1);
    bytes.extend(Request::new(2, 0, b"defg").finish(2));
    let all: Vec<_> = messages(&bytes).collect();
    let want = [
        Message {
            kind: 1,
            sequence: 1,
            body: b"abc\0",
        },
        Message {
            kind: 2,
            sequence: 2,
            body: b"defg",
        },
    ];
    assert_eq!(all, want);
}

#[test]
fn wrong_lengths_end_the_walk() {
    let good = Request::new(1, 0, b"abcd").finish(1);
    for len in [0u32, 4, 15, 21, 4000, u32::MAX] {
        let mut bytes = good.clone();
        bytes[..4].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(messages(&bytes).count(), 0, "length {len}");
    }
    for cut in 0..good.len() {
        assert_eq!(messages(&good[..cut]).count(), 0, "cut at {cut}");
    }
    for len in [0u16, 3, 9, u16::MAX] {
        let mut bytes = [0u8; 8];
        bytes[..2].copy_from_slice(&len.to_ne_bytes());
        assert_eq!(attributes(&bytes).count(), 0, "attribute length {len}");
    }
}
