use std::net::IpAddr;

use netcon_wire::{Family, SockAddr};

use super::{Use, target};
use crate::addr;

fn bytes(ip: &str, field: u16) -> Vec<u8> {
    let ip: IpAddr = ip.parse().expect("an address");
    let family = if ip.is_ipv4() {
        Family::Inet
    } else {
        Family::Inet6
    };
    let (bytes, len) = addr::encode(&SockAddr::new(ip, 53), family);
    let mut bytes = bytes[..len].to_vec();
    bytes[..2].copy_from_slice(&field.to_ne_bytes());
    bytes
}

#[test]
fn addresses_are_read_as_the_kernel_reads_them() {
    let (unspec, inet, inet6) = (0, 2, 10);
    let table = [
        (
            Family::Inet,
            "192.0.2.1",
            inet,
            Use::Send,
            Some("192.0.2.1"),
        ),
        (
            Family::Inet,
            "192.0.2.1",
            unspec,
            Use::Send,
            Some("192.0.2.1"),
        ),
        (Family::Inet, "0.0.0.0", unspec, Use::Bind, Some("0.0.0.0")),
        // It dissolves an association.
        (Family::Inet, "192.0.2.1", unspec, Use::Connect, None),
        (
            Family::Inet6,
            "192.0.2.1",
            inet,
            Use::Send,
            Some("192.0.2.1"),
        ),
        (
            Family::Inet6,
            "192.0.2.1",
            inet,
            Use::Connect,
            Some("192.0.2.1"),
        ),
        (Family::Inet6, "::1", unspec, Use::Send, None),
        (
            Family::Inet6,
            "::ffff:192.0.2.1",
            inet6,
            Use::Send,
            Some("192.0.2.1"),
        ),
        (
            Family::Inet6,
            "2001:db8::1",
            inet6,
            Use::Bind,
            Some("2001:db8::1"),
        ),
        (Family::Inet, "2001:db8::1", inet6, Use::Send, None),
        // This host.
        (Family::Inet, "0.0.0.0", inet, Use::Send, Some("127.0.0.1")),
        (
            Family::Inet,
            "0.0.0.0",
            inet,
            Use::Connect,
            Some("127.0.0.1"),
        ),
        (Family::Inet6, "::", inet6, Use::Connect, Some("::1")),
        (
            Family::Inet6,
            "::ffff:0.0.0.0",
            inet6,
            Use::Send,
            Some("127.0.0.1"),
        ),
        // Any address.
        (Family::Inet, "0.0.0.0", inet, Use::Bind, Some("0.0.0.0")),
        (Family::Inet6, "::", inet6, Use::Bind, Some("::")),
    ];
    for (family, ip, field, purpose, wanted) in table {
        let wanted = wanted.map(|ip| ip.parse::<IpAddr>().expect("an address"));
        let found = target(&bytes(ip, field), family, purpose);
        assert_eq!(
            found, wanted,
            "{ip} as {field} of {family:?} to {purpose:?}"
        );
    }
}

#[test]
fn an_address_that_is_cut_off_is_none() {
    let whole = bytes("192.0.2.1", 2);
    for len in 0..addr::INET_LEN {
        assert_eq!(target(&whole[..len], Family::Inet, Use::Send), None);
        let mut unspec = whole[..len].to_vec();
        unspec.iter_mut().take(2).for_each(|byte| *byte = 0);
        assert_eq!(target(&unspec, Family::Inet, Use::Send), None);
    }
}
