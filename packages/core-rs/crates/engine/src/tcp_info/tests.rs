use netcon_stack::{Family, Measures, SockAddr};

use super::*;

#[test]
fn a_connection_shows_what_it_measured() {
    let measures = Measures {
        rtt: Duration::from_millis(40),
        rtt_variation: Duration::from_millis(10),
        in_flight: 2900,
        retransmitted_segments: 7,
        acked: 5_000_000_000,
        data_sent: Some(Instant::from_millis(900)),
        window_shift: 5,
        ..Measures::default()
    };
    let bytes = tcp_info(
        Some(&PcbInfo {
            measures,
            ..info(TcpState::Established)
        }),
        around(),
    );
    assert_eq!(bytes.len(), LEN);
    assert_eq!((bytes[0], bytes[6]), (1, 5 << 4));
    for (at, want, what) in [
        (8, 1_000_000, "tcpi_rto: at least a second"),
        (16, 1450, "tcpi_snd_mss"),
        (24, 2, "tcpi_unacked: segments"),
        (44, 100, "tcpi_last_data_sent: ms ago"),
        (52, 0, "tcpi_last_data_recv: never"),
        (68, 40_000, "tcpi_rtt: us"),
        (72, 10_000, "tcpi_rttvar"),
        (100, 7, "tcpi_total_retrans"),
        (144, 1100, "tcpi_notsent_bytes"),
    ] {
        assert_eq!(u32_at(&bytes, at), want, "{what}");
    }
    let acked = u64::from_ne_bytes(*bytes[120..].first_chunk().unwrap());
    assert_eq!(acked, 5_000_000_000, "tcpi_bytes_acked");
}

#[test]
fn a_listener_shows_its_queue() {
    let bytes = tcp_info(Some(&info(TcpState::Listen)), around());
    assert_eq!(bytes[0], 10);
    assert_eq!((u32_at(&bytes, 24), u32_at(&bytes, 28)), (3, 4000));
}

#[test]
fn a_socket_without_a_connection_is_closed() {
    let bytes = tcp_info(None, around());
    assert_eq!((bytes.len(), bytes[0], u32_at(&bytes, 16)), (LEN, 7, 536));
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(*bytes[at..].first_chunk().unwrap())
}

fn around() -> Surroundings {
    Surroundings {
        now: Instant::from_millis(1000),
        mtu: 1500,
        ring: 1 << 20,
    }
}

fn info(state: TcpState) -> PcbInfo {
    PcbInfo {
        family: Family::Inet,
        state,
        local: SockAddr::unspecified(Family::Inet),
        peer: None,
        send_queue: 4000,
        recv_queue: 3,
        mss: 1450,
        peer_closed: false,
        failed: None,
        orphan: false,
        rx_bytes: 0,
        tx_bytes: 0,
        measures: Measures::default(),
    }
}
