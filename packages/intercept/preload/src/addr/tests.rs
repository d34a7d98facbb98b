use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_wire::{Family, SockAddr};

use super::{INET_LEN, INET6_LEN, Purpose, decode, encode};
use crate::errno::Errno;

const V6: SockAddr = SockAddr {
    ip: IpAddr::V6(Ipv6Addr::LOCALHOST),
    port: 8080,
    scope: 3,
};

fn inet(family: u16) -> [u8; INET_LEN] {
    let [a, b] = family.to_ne_bytes();
    [a, b, 0x1f, 0x90, 10, 77, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0]
}

fn inet6(family: u16) -> [u8; INET6_LEN] {
    let mut bytes = [0; INET6_LEN];
    bytes[..2].copy_from_slice(&family.to_ne_bytes());
    bytes[2..4].copy_from_slice(&8080_u16.to_be_bytes());
    bytes[8..24].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
    bytes[24..].copy_from_slice(&3_u32.to_ne_bytes());
    bytes
}

#[test]
fn bad_addresses_give_linux_errors() {
    use Errno as E;
    use Family::{Inet, Inet6};
    use Purpose::{Bind, Connect};
    let cases: [(&[u8], Family, Purpose, Errno, &str); 7] = [
        (&inet(2)[..15], Inet, Bind, E::EINVAL, "short"),
        (&inet(10), Inet, Bind, E::EAFNOSUPPORT, "family"),
        (&inet(0), Inet, Bind, E::EAFNOSUPPORT, "AF_UNSPEC + address"),
        (&[0; 16], Inet, Connect, E::EAFNOSUPPORT, "AF_UNSPEC"),
        (&inet(2), Inet6, Connect, E::EINVAL, "length before family"),
        (&inet6(2), Inet6, Connect, E::EAFNOSUPPORT, "family"),
        (&inet6(10)[..23], Inet6, Connect, E::EINVAL, "short"),
    ];
    for (bytes, family, purpose, want, why) in cases {
        assert_eq!(decode(bytes, family, purpose), Err(want), "{why}");
    }
}

#[test]
fn good_addresses_decode() {
    let v4 = SockAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), 8080);
    assert_eq!(decode(&inet(2), Family::Inet, Purpose::Connect), Ok(v4));
    let any = SockAddr::unspecified(Family::Inet);
    assert_eq!(decode(&[0; 16], Family::Inet, Purpose::Bind), Ok(any));
    assert_eq!(decode(&inet6(10), Family::Inet6, Purpose::Bind), Ok(V6));
    let short = decode(&inet6(10)[..24], Family::Inet6, Purpose::Bind);
    assert_eq!(short, Ok(SockAddr { scope: 0, ..V6 }));
}

#[test]
fn encode_is_the_inverse_of_decode() {
    let v4 = SockAddr::new(IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2)), 8080);
    let (bytes, len) = encode(&v4, Family::Inet);
    assert_eq!(&bytes[..len], &inet(2));
    let (bytes, len) = encode(&V6, Family::Inet6);
    assert_eq!(&bytes[..len], &inet6(10));
}

#[test]
fn inet_address_on_an_inet6_socket_is_mapped() {
    let v4 = SockAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    let (bytes, len) = encode(&v4, Family::Inet6);
    assert_eq!(len, INET6_LEN);
    assert_eq!(bytes[8..24], Ipv4Addr::LOCALHOST.to_ipv6_mapped().octets());
}
