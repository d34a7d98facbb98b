//! `struct tcp_info` of linux/tcp.h, as the stack knows it.

use netcon_stack::{PcbInfo, SenderInfo, TcpState};

/// Up to `tcpi_snd_wnd`.
const LEN: usize = 232;

/// `tcpi_ca_state`: `TCP_CA_Open`, `TCP_CA_Recovery`, `TCP_CA_Loss`.
const OPEN: u8 = 0;
const RECOVERY: u8 = 3;
const LOSS: u8 = 4;
/// Linux's `TCP_INFINITE_SSTHRESH`.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

/// The bytes that getsockopt(2) gives.
pub(crate) fn tcp_info(info: Option<&PcbInfo>) -> Vec<u8> {
    let mut out = Fields(vec![0; LEN]);
    out.byte(0, state(info.map_or(TcpState::Closed, |i| i.state)));
    let mss = u32::from(info.map_or(536, |i| i.mss));
    out.word(16, mss); // tcpi_snd_mss
    out.word(20, mss); // tcpi_rcv_mss
    out.word(84, mss); // tcpi_advmss
    if let Some(info) = info {
        out.long(128, info.rx_bytes); // tcpi_bytes_received
        if let Some(sender) = &info.sender {
            out.sender(sender);
        }
    }
    out.0
}

fn state(state: TcpState) -> u8 {
    match state {
        TcpState::Established => 1,
        TcpState::SynSent => 2,
        TcpState::SynReceived => 3,
        TcpState::FinWait1 => 4,
        TcpState::FinWait2 => 5,
        TcpState::TimeWait => 6,
        TcpState::Closed => 7,
        TcpState::CloseWait => 8,
        TcpState::LastAck => 9,
        TcpState::Listen => 10,
        TcpState::Closing => 11,
    }
}

struct Fields(Vec<u8>);

impl Fields {
    fn byte(&mut self, at: usize, value: u8) {
        self.put(at, &[value]);
    }

    fn word(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_ne_bytes());
    }

    fn long(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_ne_bytes());
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        if let Some(slot) = self.0.get_mut(at..at + value.len()) {
            slot.copy_from_slice(value);
        }
    }

    /// Linux counts most in segments.
    fn sender(&mut self, s: &SenderInfo) {
        let mss = u64::from(s.mss.max(1));
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let segments = |octets: u64| narrow(octets.div_ceil(mss));
        let ca_state = match (s.recovering, s.timed_out) {
            (false, _) => OPEN,
            (true, false) => RECOVERY,
            (true, true) => LOSS,
        };
        self.byte(1, ca_state);
        let backoff = u8::try_from(s.backoff).unwrap_or(u8::MAX);
        self.byte(2, backoff); // tcpi_retransmits
        self.byte(4, backoff); // tcpi_backoff
        self.word(8, narrow(s.rto.micros()));
        self.word(24, segments(s.unacked));
        self.word(28, segments(s.sacked));
        self.word(32, segments(s.lost));
        self.word(60, u32::from(s.mss) + 40); // tcpi_pmtu
        self.word(68, narrow(s.srtt.map_or(0, |rtt| rtt.micros())));
        self.word(72, narrow(s.rttvar.micros()));
        self.word(76, s.ssthresh.map_or(NO_THRESHOLD, segments));
        self.word(80, narrow(s.cwnd / mss).max(1));
        self.word(88, if s.reordering { 4 } else { 3 }); // tcpi_reordering
        self.word(100, narrow(s.stats.retransmissions)); // tcpi_total_retrans
        self.long(104, s.pacing_rate.unwrap_or(u64::MAX));
        self.long(112, u64::MAX); // tcpi_max_pacing_rate
        self.long(120, s.delivered.saturating_sub(s.sacked)); // tcpi_bytes_acked
        self.word(136, segments(s.stats.sent)); // tcpi_segs_out
        self.word(140, narrow(s.stats.acks)); // tcpi_segs_in
        self.word(144, narrow(s.unsent)); // tcpi_notsent_bytes
        self.word(148, narrow(s.min_rtt.micros()));
        self.word(156, segments(s.stats.sent)); // tcpi_data_segs_out
        self.long(160, s.delivery_rate);
        self.word(192, segments(s.delivered)); // tcpi_delivered
        self.long(200, s.stats.sent); // tcpi_bytes_sent
        self.long(208, s.stats.resent); // tcpi_bytes_retrans
        self.word(216, narrow(s.stats.duplicates)); // tcpi_dsack_dups
        self.word(220, u32::from(s.reordering)); // tcpi_reord_seen
        self.word(228, narrow(s.peer_window)); // tcpi_snd_wnd
    }
}
