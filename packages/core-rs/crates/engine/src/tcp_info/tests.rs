use netcon_stack::{Algorithm, Family, SenderStats, SockAddr, Span};

use super::*;

const RING: usize = 1 << 20;

#[test]
fn a_connection_shows_what_its_sender_knows_and_what_was_counted() {
    let measures = Measures {
        data_sent: Some(Instant::from_millis(900)),
        window_shifts: (7, 5),
        sack: true,
        ..Measures::default()
    };
    let bytes = tcp_info(
        Some(&PcbInfo {
            measures,
            sender: Some(sender()),
            ..info(TcpState::Established)
        }),
        now(),
        RING,
    );
    assert_eq!(bytes.len(), LEN);
    assert_eq!(
        (bytes[0], bytes[1], bytes[5]),
        (1, RECOVERY, SACK | WINDOW_SCALE)
    );
    assert_eq!(bytes[6], 5 << 4 | 7);
    for (at, want, what) in [
        (8, 240_000, "tcpi_rto: us"),
        (16, 1450, "tcpi_snd_mss"),
        (24, 2, "tcpi_unacked: segments"),
        (28, 1, "tcpi_sacked: segments"),
        (44, 100, "tcpi_last_data_sent: ms ago"),
        (52, 0, "tcpi_last_data_recv: never"),
        (68, 40_000, "tcpi_rtt: us"),
        (72, 10_000, "tcpi_rttvar"),
        (76, NO_THRESHOLD, "tcpi_snd_ssthresh"),
        (80, 10, "tcpi_snd_cwnd: segments"),
        (100, 7, "tcpi_total_retrans"),
        (144, 1100, "tcpi_notsent_bytes"),
        (228, 65_535, "tcpi_snd_wnd"),
    ] {
        assert_eq!(u32_at(&bytes, at), want, "{what}");
    }
    let acked = u64::from_ne_bytes(*bytes[120..].first_chunk().unwrap());
    assert_eq!(acked, 5_000_000_001, "tcpi_bytes_acked, with the SYN");
}

#[test]
fn a_listener_shows_its_queue() {
    let bytes = tcp_info(Some(&info(TcpState::Listen)), now(), RING);
    assert_eq!(bytes[0], 10);
    assert_eq!((u32_at(&bytes, 24), u32_at(&bytes, 28)), (3, 4000));
}

#[test]
fn a_socket_without_a_connection_is_closed() {
    let bytes = tcp_info(None, now(), RING);
    assert_eq!((bytes.len(), bytes[0], u32_at(&bytes, 16)), (LEN, 7, 536));
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes(*bytes[at..].first_chunk().unwrap())
}

fn now() -> Instant {
    Instant::from_millis(1000)
}

fn sender() -> SenderInfo {
    SenderInfo {
        algorithm: Algorithm::Cubic,
        cwnd: 14_500,
        ssthresh: None,
        srtt: Some(Span::from_millis(40)),
        rttvar: Span::from_millis(10),
        min_rtt: Span::from_millis(30),
        rto: Span::from_millis(240),
        backoff: 0,
        in_flight: 1450,
        lost: 0,
        sacked: 1450,
        unacked: 2900,
        unsent: 1100,
        peer_window: 65_535,
        mss: 1450,
        pacing_rate: None,
        delivery_rate: 0,
        delivered: 5_000_001_450,
        recovering: true,
        timed_out: false,
        reordering: false,
        stats: SenderStats {
            retransmissions: 7,
            ..SenderStats::default()
        },
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
        sender: None,
    }
}
