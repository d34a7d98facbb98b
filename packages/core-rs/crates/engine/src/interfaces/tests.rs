use std::path::PathBuf;

use super::*;
use crate::config::TapConfig;

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

#[test]
fn link_has_the_taps_name_and_the_stacks_addresses() {
    let config = config(&["10.77.0.2/24", "fd77::2/64"], true);
    let [lo, link] = interfaces(&config, MAC, Some(5));
    assert_eq!((lo.name(), lo.index), (&b"lo"[..], 1));
    assert_eq!(shown(&lo), ["127.0.0.1/8", "::1/128"]);
    assert_eq!((link.name(), link.index), (&b"nc0"[..], 5));
    assert_eq!(
        shown(&link),
        ["10.77.0.2/24", "fd77::2/64", "fe80::ff:fe00:1%5/64"]
    );
    assert_eq!((link.mtu, link.mac), (1400, MAC));
}

#[test]
fn link_without_a_tap_has_host_prefixes() {
    let config = config(&["10.77.0.2/24"], false);
    let [_, link] = interfaces(&config, MAC, None);
    assert_eq!((link.name(), link.index), (&b"netcon0"[..], 2));
    assert_eq!(shown(&link), ["10.77.0.2/32"]);
}

#[test]
fn more_addresses_than_fit_leave_the_link_local_one() {
    let many: Vec<String> = (1..20).map(|n| format!("fd77::{n}/64")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let [_, link] = interfaces(&config(&many, true), MAC, None);
    let shown = shown(&link);
    assert_eq!(shown.len(), MAX_INTERFACE_ADDRESSES);
    assert_eq!(shown[7..], ["fd77::8/64", "fe80::ff:fe00:1%2/64"]);
}

fn shown(interface: &Interface) -> Vec<String> {
    let one = |a: &InterfaceAddress| match a.addr.scope {
        0 => format!("{}/{}", a.addr.ip, a.prefix),
        scope => format!("{}%{scope}/{}", a.addr.ip, a.prefix),
    };
    interface.addresses().iter().map(one).collect()
}

fn config(addresses: &[&str], tap: bool) -> Config {
    let cidr = |text: &&str| {
        let (ip, len) = text.split_once('/').unwrap();
        (ip.parse().unwrap(), len.parse().unwrap())
    };
    Config {
        socket_path: PathBuf::new(),
        names_dir: PathBuf::new(),
        addresses: addresses.iter().map(cidr).collect(),
        gateway_v4: None,
        gateway_v6: None,
        tap: tap.then(|| TapConfig {
            name: "nc0".to_owned(),
            host_addresses: Vec::new(),
            offload: true,
            mtu: 1400,
        }),
        fault: None,
        capture: None,
        max_sockets: 1,
        congestion: netcon_stack::Algorithm::default(),
        shortcut: true,
        busy_poll_micros: 0,
        datagrams: false,
    }
}
