//! `struct tcp_info` of linux/tcp.h, as the sender and the stack know it; the rest is 0.

use netcon_stack::{Instant, Measures, PcbInfo, SenderInfo, TcpState};

/// Up to `tcpi_snd_wnd`, as in Linux 5.4.
const LEN: usize = 232;
/// `tcpi_options`: `TCPI_OPT_TIMESTAMPS`, `TCPI_OPT_SACK`, `TCPI_OPT_WSCALE`.
const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WINDOW_SCALE: u8 = 4;
/// `tcpi_ca_state`: `TCP_CA_Open`, `TCP_CA_Recovery`, `TCP_CA_Loss`.
const OPEN: u8 = 0;
const RECOVERY: u8 = 3;
const LOSS: u8 = 4;
/// Linux's `TCP_INFINITE_SSTHRESH`.
const NO_THRESHOLD: u32 = 0x7fff_ffff;
/// Before there is a connection (RFC 9293 3.7.1).
const DEFAULT_MSS: u32 = 536;

/// The bytes that getsockopt(2) gives; a connection's receive ring holds `ring` octets.
pub(crate) fn tcp_info(info: Option<&PcbInfo>, now: Instant, ring: usize) -> Vec<u8> {
    let mut out = Fields(vec![0; LEN]);
    let state = info.map_or(TcpState::Closed, |info| info.state);
    out.byte(0, number(state));
    let Some(info) = info else {
        out.word(16, DEFAULT_MSS);
        return out.0;
    };
    if state == TcpState::Listen {
        // tcp_get_info(): of a listener, what waits and how many may.
        out.word(24, narrow(info.recv_queue as u64));
        out.word(28, narrow(info.send_queue as u64));
        return out.0;
    }
    let mss = match info.mss {
        0 => DEFAULT_MSS,
        mss => mss.into(),
    };
    out.word(16, mss); // tcpi_snd_mss
    out.word(20, mss); // tcpi_rcv_mss
    out.word(84, mss); // tcpi_advmss
    out.word(64, narrow(ring as u64)); // tcpi_rcv_ssthresh
    out.word(96, narrow(ring as u64)); // tcpi_rcv_space
    out.long(128, info.rx_bytes + info.recv_queue as u64); // tcpi_bytes_received
    out.measures(&info.measures, now);
    if let Some(sender) = &info.sender {
        out.sender(sender);
    }
    out.0
}

/// `TCP_ESTABLISHED` and so on, net/tcp_states.h.
fn number(state: TcpState) -> u8 {
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

fn narrow(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
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

    fn measures(&mut self, seen: &Measures, now: Instant) {
        let since =
            |then: Option<Instant>| then.map_or(0, |then| narrow((now - then).total_millis()));
        let (theirs, ours) = seen.window_shifts;
        let scaled = if seen.window_shifts == (0, 0) {
            0
        } else {
            WINDOW_SCALE
        };
        let set = |on: bool, flag: u8| if on { flag } else { 0 };
        let options = set(seen.sack, SACK) | set(seen.timestamps, TIMESTAMPS);
        self.byte(5, scaled | options);
        // Two bit-fields: tcpi_snd_wscale, tcpi_rcv_wscale.
        self.byte(6, theirs & 15 | ours << 4);
        self.word(44, since(seen.data_sent)); // tcpi_last_data_sent
        self.word(52, since(seen.data_received)); // tcpi_last_data_recv
        self.word(56, since(seen.ack_received)); // tcpi_last_ack_recv
        self.word(136, seen.segments_out.0);
        self.word(140, seen.segments_in.0);
        self.word(152, seen.segments_in.1);
        self.word(156, seen.segments_out.1);
    }

    /// Linux counts most in segments.
    fn sender(&mut self, s: &SenderInfo) {
        let mss = u64::from(s.mss.max(1));
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
        // tcpi_bytes_acked: the SYN counts.
        self.long(120, s.delivered.saturating_sub(s.sacked) + 1);
        self.word(144, narrow(s.unsent)); // tcpi_notsent_bytes
        self.word(148, narrow(s.min_rtt.micros()));
        self.long(160, s.delivery_rate);
        self.word(192, segments(s.delivered)); // tcpi_delivered
        self.long(200, s.stats.sent); // tcpi_bytes_sent
        self.long(208, s.stats.resent); // tcpi_bytes_retrans
        self.word(216, narrow(s.stats.duplicates)); // tcpi_dsack_dups
        self.word(220, u32::from(s.reordering)); // tcpi_reord_seen
        self.word(228, narrow(s.peer_window)); // tcpi_snd_wnd
    }
}

#[cfg(test)]
mod tests;
