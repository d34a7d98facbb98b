use super::{datagram_sockets, parse, parse_own, parse_snmp, parse_snmp6};
use crate::testing::in_namespace;
use std::net::UdpSocket;
use std::os::fd::AsFd;

const HEADING: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

#[test]
fn lines_of_both_families_are_read() {
    let v4 = format!(
        "{HEADING} 8212: 02004D0A:1F90 01004D0A:0035 01 00000000:00000300 00:00000000 00000000  1000        0 43210 2 0000000000000000 0\n"
    );
    let sockets = parse("udp", &v4);
    if cfg!(target_endian = "little") {
        let socket = &sockets[0];
        assert_eq!(socket.local.to_string(), "10.77.0.2:8080");
        assert_eq!(socket.peer.to_string(), "10.77.0.1:53");
        assert!(socket.connected);
        assert_eq!(
            (socket.recv_queue, socket.uid, socket.inode),
            (768, 1000, 43210)
        );
        let v6 = v4
            .replace("02004D0A:1F90", "000077FD000000000000000002000000:1F90")
            .replace(
                "01004D0A:0035 01",
                "00000000000000000000000000000000:0000 07",
            );
        let sockets = parse("udp", &v6);
        assert_eq!(sockets[0].local.to_string(), "[fd77::2]:8080");
        assert!(!sockets[0].connected);
    }
    assert!(parse("udp", &format!("{HEADING}nonsense\n 1: 2 3\n")).is_empty());
}

#[test]
fn a_bound_socket_is_listed_by_its_inode() {
    in_namespace(
        "proc_net::tests::a_bound_socket_is_listed_by_its_inode",
        || {
            crate::netlink::configure("lo", &[], None, None).expect("lo is up");
            let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
            let inode = crate::diag::socket_inode(socket.as_fd()).expect("a socket");
            let found = datagram_sockets("/proc/thread-self");
            let found = found.iter().find(|s| s.inode == inode).expect("listed");
            assert_eq!(Some(found.local), socket.local_addr().ok());
            assert!(!found.connected);
        },
    );
}

#[test]
fn datagrams_read_are_counted_for_both_families_and_udp_lite() {
    let snmp = "\
Ip: Forwarding DefaultTTL InReceives
Ip: 1 64 77
Udp: InDatagrams NoPorts InErrors
Udp: 41 1 2
UdpLite: InDatagrams NoPorts InErrors
UdpLite: 5 0 0
";
    assert_eq!(parse_snmp(snmp), 46);
    let snmp6 = "\
Ip6InReceives                   \t9
Udp6InDatagrams                 \t7
Udp6NoPorts                     \t3
UdpLite6InDatagrams             \t2
";
    assert_eq!(parse_snmp6(snmp6), 9);
    assert_eq!(parse_snmp("") + parse_snmp6("Udp6InDatagrams"), 0);
}

#[test]
fn own_addresses_are_those_with_a_local_route() {
    let zero = "0".repeat(32);
    let line = |ip: &str, len: &str, flags: &str| {
        format!("{ip} {len} {zero} 00 {zero} 00000000 00000001 00000000 {flags}   nc0\n")
    };
    let own = "fd770000000000000000000000000002";
    let text = [
        line("fd770000000000000000000000000000", "40", "00000001"),
        line(own, "80", "80200001"),
        line("fd770000000000000000000000000003", "80", "00000001"),
        line("ff000000000000000000000000000000", "08", "00000001"),
        "nonsense\n".to_owned(),
    ]
    .concat();
    assert_eq!(
        parse_own(&text),
        ["fd77::2".parse::<std::net::Ipv6Addr>().expect("an address")]
    );
}
