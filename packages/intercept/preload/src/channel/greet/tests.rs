use crate::identity::UNIX_LEN;
use crate::identity::unix_address;

#[test]
fn unix_address_holds_107_bytes_of_path() {
    let mut out = [0; UNIX_LEN];
    assert_eq!(unix_address(b"/a", &mut out), Some(5));
    assert_eq!(&out[..5], &[1, 0, b'/', b'a', 0]);
    assert_eq!(unix_address(&[b'x'; 107], &mut out), Some(110));
    assert_eq!(unix_address(&[b'x'; 108], &mut out), None);
    assert_eq!(unix_address(b"", &mut out), None);
}
