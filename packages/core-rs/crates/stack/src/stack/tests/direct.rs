//! Connections outside the stack: who is met, and what they hold.

use super::*;
use crate::{BindError, ConnectError, PcbId};

fn at(ip: &str, port: u16) -> SockAddr {
    SockAddr::new(ip.parse().unwrap(), port)
}

fn listener(puppet: &mut Puppet, addr: SockAddr, options: BindOptions) -> PcbId {
    let id = puppet.stack.open(addr.family()).unwrap();
    puppet.stack.set_bind_options(id, options);
    puppet.stack.bind(id, addr, options).unwrap();
    puppet.stack.listen(id, 1).unwrap();
    id
}

fn meet(puppet: &mut Puppet, family: Family, to: SockAddr) -> (PcbId, Option<Meeting>) {
    let id = puppet.stack.open(family).unwrap();
    (id, puppet.stack.meet(id, to, puppet.now).unwrap())
}

#[test]
fn meeting_finds_the_listener_that_a_syn_would_reach() {
    let mut puppet = Puppet::new();
    let wide = listener(&mut puppet, at("::", 80), BindOptions::default());
    let (_, met) = meet(&mut puppet, Family::Inet, at("127.0.0.1", 80));
    assert_eq!(met.map(|m| m.listener), Some(wide));
    let (_, met) = meet(&mut puppet, Family::Inet6, at("::ffff:127.0.0.1", 80));
    assert_eq!(
        met.map(|m| (m.listener, m.local.ip)),
        Some((wide, at("::ffff:127.0.0.1", 0).ip))
    );
    let only = BindOptions {
        v6only: true,
        ..BindOptions::default()
    };
    let six = listener(&mut puppet, at("::", 81), only);
    assert_eq!(meet(&mut puppet, Family::Inet, at("127.0.0.1", 81)).1, None);
    let (_, met) = meet(&mut puppet, Family::Inet6, at("::1", 81));
    assert_eq!(met.map(|m| m.listener), Some(six));
    // Nobody listens; not inside the stack.
    assert_eq!(meet(&mut puppet, Family::Inet, at("127.0.0.1", 9)).1, None);
    let away = SockAddr::new(peer(Family::Inet), 80);
    assert_eq!(meet(&mut puppet, Family::Inet, away).1, None);
}

#[test]
fn joined_ends_hold_their_ports_until_each_is_closed() {
    let mut puppet = Puppet::new();
    let to = at("127.0.0.1", 80);
    let id = listener(&mut puppet, to, BindOptions::default());
    let (connector, met) = meet(&mut puppet, Family::Inet, to);
    let met = met.unwrap();
    let child = puppet.stack.join(connector, &met).unwrap();
    let info = puppet.stack.info(child).unwrap();
    assert_eq!((info.local, info.peer), (to, Some(met.local)));
    assert_eq!(
        puppet.stack.connect(connector, to, puppet.now),
        Err(ConnectError::IsConnected)
    );
    // Options that change afterwards are given back as they are by then.
    let shared = BindOptions {
        reuse_addr: true,
        ..BindOptions::default()
    };
    puppet.stack.set_bind_options(child, shared);
    puppet.stack.close(id);
    let mut bind = |addr| {
        let other = puppet.stack.open(Family::Inet).unwrap();
        let bound = puppet.stack.bind(other, addr, BindOptions::default());
        puppet.stack.close(other);
        bound
    };
    assert_eq!(bind(to), Err(BindError::InUse));
    assert_eq!(bind(met.local), Err(BindError::InUse));
    puppet.stack.close(child);
    puppet.stack.close(connector);
    let mut bind = |addr| {
        let other = puppet.stack.open(Family::Inet).unwrap();
        puppet.stack.bind(other, addr, BindOptions::default())
    };
    assert_eq!(bind(to), Ok(to));
    assert_eq!(bind(met.local), Ok(met.local));
    assert!(puppet.stack.flows.is_empty());
}

#[test]
fn connections_outside_take_places_in_the_backlog() {
    let mut puppet = Puppet::new();
    let to = at("127.0.0.1", 80);
    let id = listener(&mut puppet, to, BindOptions::default());
    puppet.stack.backlog_outside(id, 2);
    let client = puppet.stack.open(Family::Inet).unwrap();
    puppet.stack.connect(client, to, puppet.now).unwrap();
    puppet.turn();
    assert!(puppet.events.contains(&Event::BacklogFull { listener: id }));
    assert!(!puppet.events.contains(&Event::Connected { pcb: client }));
    puppet.stack.backlog_outside(id, 0);
    puppet.pass(smoltcp::time::Duration::from_secs(2));
    assert!(puppet.events.contains(&Event::Connected { pcb: client }));
}
