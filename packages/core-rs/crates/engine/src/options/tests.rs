use netcon_wire::Family;

use super::level::{IP, IPV6, SOCKET, TCP};
use super::table::Rule;
use super::*;

const V4: Family = Family::Inet;

fn facts() -> Facts<'static> {
    Facts {
        state: SocketState::Fresh,
        bound: false,
        mss: 536,
        mtu: 1500,
        room: 512,
        interfaces: [b"lo", b"nc0"],
        congestion: Algorithm::default(),
    }
}

fn bytes(v: i32) -> Vec<u8> {
    v.to_ne_bytes().to_vec()
}

#[test]
fn defaults_are_linuxs() {
    let options = Options::default();
    for (level, name, want, why) in [
        (SOCKET, SO_REUSEADDR, 0, "SO_REUSEADDR"),
        (SOCKET, SO_RCVLOWAT, 1, "SO_RCVLOWAT"),
        (SOCKET, SO_SNDBUF, 16384, "tcp_wmem[1]"),
        (SOCKET, SO_RCVBUF, 131_072, "tcp_rmem[1]"),
        (TCP, TCP_NODELAY, 0, "Nagle is on"),
        (TCP, TCP_KEEPIDLE, 7200, "tcp(7)"),
        (TCP, TCP_KEEPINTVL, 75, "tcp(7)"),
        (TCP, TCP_KEEPCNT, 9, "tcp(7)"),
        (TCP, TCP_MAXSEG, 536, "not connected"),
        (IP, IP_TTL, 64, "ip_default_ttl"),
    ] {
        assert_eq!(
            options.get(V4, level, name, facts()),
            Ok(bytes(want)),
            "{why}"
        );
    }
}

#[test]
fn set_values_meet_linuxs_ranges() {
    for (level, name, given, want, why) in [
        (TCP, TCP_NODELAY, 7, Ok(1), "a flag"),
        (TCP, TCP_KEEPIDLE, 0, Err(EINVAL), "at least a second"),
        (TCP, TCP_KEEPIDLE, 32768, Err(EINVAL), "MAX_TCP_KEEPIDLE"),
        (TCP, TCP_KEEPCNT, 5, Ok(5), "in range"),
        (TCP, TCP_MAXSEG, 20, Err(EINVAL), "below TCP_MIN_MSS"),
        (SOCKET, SO_RCVLOWAT, 0, Ok(1), "0 means 1"),
        (SOCKET, SO_RCVBUF, 100_000, Ok(200_000), "doubled"),
        (SOCKET, SO_SNDBUF, 1, Ok(4608), "SOCK_MIN_SNDBUF"),
        (SOCKET, SO_MARK, 1, Err(EPERM), "SO_MARK needs a privilege"),
        (IP, IP_TTL, 0, Err(EINVAL), "1 to 255"),
        (TCP, 9999, 0, Err(ENOPROTOOPT), "unknown"),
        (IPV6, IPV6_V6ONLY, 1, Err(ENOPROTOOPT), "not on AF_INET"),
    ] {
        let mut options = Options::default();
        let got = options
            .set(V4, level, name, &bytes(given), facts())
            .map(|()| {
                let value = options.get(V4, level, name, facts()).unwrap_or_default();
                value
                    .first_chunk::<4>()
                    .map_or(-1, |b| i32::from_ne_bytes(*b))
            });
        assert_eq!(got, want, "{why}");
    }
}

#[test]
fn v6only_is_refused_once_bound() {
    let mut options = Options::default();
    assert_eq!(
        options.set(
            Family::Inet6,
            IPV6,
            IPV6_V6ONLY,
            &bytes(1),
            Facts {
                bound: true,
                ..facts()
            }
        ),
        Err(EINVAL)
    );
    assert_eq!(
        options.set(Family::Inet6, IPV6, IPV6_V6ONLY, &bytes(1), facts()),
        Ok(())
    );
    assert!(options.v6only());
}

#[test]
fn short_values_are_refused_except_ips_single_byte() {
    let mut options = Options::default();
    assert_eq!(
        options.set(V4, TCP, TCP_NODELAY, &[1], facts()),
        Err(EINVAL)
    );
    assert_eq!(
        options.set(V4, SOCKET, SO_LINGER, &bytes(1), facts()),
        Err(EINVAL)
    );
    assert_eq!(options.set(V4, IP, IP_TTL, &[9], facts()), Ok(()));
    assert_eq!(options.for_stack().hop_limit, Some(9));
}

#[test]
fn linger_zero_resets_and_is_inherited() {
    let mut options = Options::default();
    assert!(!options.inherits());
    let value = [bytes(1), bytes(0)].concat();
    assert_eq!(options.set(V4, SOCKET, SO_LINGER, &value, facts()), Ok(()));
    assert!(options.inherits() && options.for_stack().reset_on_close);
    assert_eq!(options.get(V4, SOCKET, SO_LINGER, facts()), Ok(value));
}

#[test]
fn keepalive_reaches_the_stack_with_its_times() {
    let mut options = Options::default();
    for (level, name, value) in [
        (SOCKET, SO_KEEPALIVE, 1),
        (TCP, TCP_KEEPIDLE, 10),
        (TCP, TCP_KEEPCNT, 3),
    ] {
        assert_eq!(options.set(V4, level, name, &bytes(value), facts()), Ok(()));
    }
    let keepalive = options.for_stack().keepalive.unwrap();
    assert_eq!(
        (keepalive.idle, keepalive.count),
        (Duration::from_secs(10), 3)
    );
}

#[test]
fn ip_options_are_empty_as_sshd_expects() {
    let options = Options::default();
    assert_eq!(options.get(V4, IP, IP_OPTIONS, facts()), Ok(Vec::new()));
}

#[test]
fn states_allow_what_linuxs_do() {
    let set = |state, bound, level, name| {
        let mut options = Options::default();
        let facts = Facts {
            state,
            bound,
            ..facts()
        };
        options.set(Family::Inet6, level, name, &bytes(1), facts)
    };
    for (state, bound, level, name, want) in [
        (SocketState::Fresh, false, IPV6, IPV6_V6ONLY, Ok(())),
        (SocketState::Fresh, true, IPV6, IPV6_V6ONLY, Err(EINVAL)),
        (SocketState::Fresh, true, TCP, TCP_FASTOPEN_CONNECT, Ok(())),
        (
            SocketState::Listening,
            true,
            TCP,
            TCP_FASTOPEN_CONNECT,
            Err(EINVAL),
        ),
        (SocketState::Listening, true, TCP, TCP_FASTOPEN, Ok(())),
        (SocketState::Connected, true, TCP, TCP_FASTOPEN, Err(EINVAL)),
        (SocketState::Connected, true, TCP, TCP_NODELAY, Ok(())),
    ] {
        assert_eq!(
            set(state, bound, level, name),
            want,
            "{state:?} {level} {name}"
        );
    }
}

#[test]
fn devices_are_those_there_are() {
    let mut options = Options::default();
    for (name, want) in [
        (&b"nc0"[..], Ok(())),
        (b"eth0\0", Err(ENODEV)),
        (b"lo\0", Ok(())),
    ] {
        let set = options.set(V4, SOCKET, SO_BINDTODEVICE, name, facts());
        assert_eq!(set, want, "{name:?}");
    }
    let got = options.get(V4, SOCKET, SO_BINDTODEVICE, facts());
    assert_eq!(got, Ok(b"lo\0".to_vec()));
    let unset = options.set(V4, SOCKET, SO_BINDTODEVICE, b"", facts());
    assert_eq!(unset, Ok(()));
    assert_eq!(
        options.get(V4, SOCKET, SO_BINDTODEVICE, facts()),
        Ok(vec![])
    );
}

#[test]
fn saved_options_set_again_are_the_same() {
    let mut options = Options::default();
    for row in INTS {
        // Some value but the default, if anything else is taken.
        let value = [1, 2, 0].into_iter().find(|value| *value != row.default);
        let value = bytes(value.unwrap_or(0));
        let done = options.set(Family::Inet6, row.level, row.name, &value, facts());
        let refused = matches!(
            row.rule,
            Rule::Refuse(_) | Rule::Privileged | Rule::NoInterface
        );
        assert_eq!(done.is_err(), refused, "{} {}", row.level, row.name);
    }
    for (level, name, value) in [
        (SOCKET, SO_LINGER, [bytes(1), bytes(5)].concat()),
        (SOCKET, SO_BINDTODEVICE, b"nc0\0".to_vec()),
        (SOCKET, SO_SNDBUF, bytes(5000)),
        (SOCKET, SO_RCVBUF, bytes(6000)),
        (SOCKET, SO_RCVTIMEO, vec![0; 16]),
        (SOCKET, SO_MAX_PACING_RATE, vec![7; 8]),
        (IPV6, IPV6_ADDR_PREFERENCES, bytes(6)),
        (TCP, TCP_MAXSEG, bytes(1000)),
    ] {
        options
            .set(Family::Inet6, level, name, &value, facts())
            .unwrap();
    }
    let mut again = Options::default();
    for (level, name, value) in options.saved() {
        again
            .set(Family::Inet6, level, name, &value, facts())
            .unwrap();
    }
    assert_eq!(format!("{again:?}"), format!("{options:?}"));
    assert!(Options::default().saved().is_empty());
}

#[test]
fn congestion_control_is_chosen_by_name() {
    let mut options = Options::default();
    let name = |options: &Options| {
        let value = options.get(V4, TCP, TCP_CONGESTION, facts());
        String::from_utf8(value.expect("a name")).expect("ASCII")
    };
    assert_eq!(
        name(&options).trim_end_matches('\0'),
        "cubic",
        "the stack's"
    );
    assert_eq!(name(&options).len(), 16, "TCP_CA_NAME_MAX");
    assert_eq!(
        options.set(V4, TCP, TCP_CONGESTION, b"vegas", facts()),
        Err(ENOENT)
    );
    assert_eq!(options.for_stack().congestion, None);
    assert_eq!(
        options.set(V4, TCP, TCP_CONGESTION, b"bbr\0", facts()),
        Ok(())
    );
    assert_eq!(name(&options).trim_end_matches('\0'), "bbr");
    assert_eq!(options.for_stack().congestion, Some(Algorithm::Bbr));
    let mut again = Options::default();
    for (level, name, value) in options.saved() {
        assert_eq!(again.set(V4, level, name, &value, facts()), Ok(()));
    }
    assert_eq!(again.for_stack().congestion, Some(Algorithm::Bbr));
}
