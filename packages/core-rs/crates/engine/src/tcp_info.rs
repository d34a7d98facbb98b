//! `struct tcp_info` (linux/tcp.h), as far as the stack knows what it asks for; the rest is 0.
//!
//! There is no congestion control: the window shown is what the ring holds, no threshold was ever met.

use netcon_stack::{Duration, Instant, PcbInfo, TcpState};

/// Up to `tcpi_snd_wnd`, as in Linux 5.4.
const LEN: usize = 232;
/// `TCPI_OPT_SACK`, `TCPI_OPT_WSCALE`.
const OPTIONS: u8 = 2 | 4;
/// TCP_INFINITE_SSTHRESH.
const NO_THRESHOLD: u32 = 0x7fff_ffff;
/// smoltcp's least retransmission time-out; RFC 6298 2.4.
const LEAST_RTO: Duration = Duration::from_secs(1);
/// Before there is a connection (RFC 9293 3.7.1).
const DEFAULT_MSS: u32 = 536;

/// What a socket's connection adds to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) now: Instant,
    pub(crate) mtu: u32,
    /// Octets that the send ring and the receive ring hold.
    pub(crate) ring: u32,
}

/// The bytes of the structure.
pub(crate) fn tcp_info(info: Option<&PcbInfo>, around: Surroundings) -> Vec<u8> {
    let mut out = Out(vec![0; LEN]);
    let state = info.map_or(TcpState::Closed, |info| info.state);
    out.u8(0, number(state));
    let Some(info) = info else {
        out.u32(16, DEFAULT_MSS);
        return out.0;
    };
    if state == TcpState::Listen {
        // tcp_get_info(): of a listener, what waits and how many may.
        out.u32(24, narrow(info.recv_queue));
        out.u32(28, narrow(info.send_queue));
        return out.0;
    }
    let mss = match info.mss {
        0 => DEFAULT_MSS,
        mss => mss.into(),
    };
    let seen = &info.measures;
    let since = |then: Option<Instant>| then.map_or(0, |then| millis(around.now - then));
    let received = info.rx_bytes + info.recv_queue as u64;
    let rto = LEAST_RTO.max(seen.rtt + seen.rtt_variation * 4);
    out.u8(2, u8::try_from(seen.retransmits).unwrap_or(u8::MAX));
    out.u8(5, OPTIONS);
    // Two bit-fields: the peer's shift, which smoltcp keeps to itself, and ours.
    out.u8(6, seen.window_shift << 4);
    out.u32(8, micros(rto));
    out.u32(16, mss);
    out.u32(20, mss);
    out.u32(24, seen.in_flight.div_ceil(mss));
    out.u32(44, since(seen.data_sent));
    out.u32(52, since(seen.data_received));
    out.u32(56, since(seen.ack_received));
    out.u32(60, around.mtu);
    out.u32(64, around.ring);
    out.u32(68, micros(seen.rtt));
    out.u32(72, micros(seen.rtt_variation));
    out.u32(76, NO_THRESHOLD);
    out.u32(80, around.ring / mss);
    out.u32(84, mss);
    out.u32(88, 3); // tcpi_reordering: net.ipv4.tcp_reordering
    out.u32(96, around.ring);
    out.u32(100, seen.retransmitted_segments);
    out.u64(104, u64::MAX); // no pacing
    out.u64(112, u64::MAX);
    out.u64(120, seen.acked);
    out.u64(128, received);
    out.u32(136, seen.segments_out.0);
    out.u32(140, seen.segments_in.0);
    out.u32(144, narrow(info.send_queue).saturating_sub(seen.in_flight));
    out.u32(148, micros(seen.rtt_least));
    out.u32(152, seen.segments_in.1);
    out.u32(156, seen.segments_out.1);
    out.u64(200, seen.sent_octets);
    out.u64(208, seen.retransmitted_octets);
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

struct Out(Vec<u8>);

impl Out {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        for (to, from) in self.0.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }

    fn u8(&mut self, at: usize, value: u8) {
        self.put(at, &[value]);
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_ne_bytes());
    }

    fn u64(&mut self, at: usize, value: u64) {
        self.put(at, &value.to_ne_bytes());
    }
}

fn micros(time: Duration) -> u32 {
    u32::try_from(time.total_micros()).unwrap_or(u32::MAX)
}

fn millis(time: Duration) -> u32 {
    u32::try_from(time.total_millis()).unwrap_or(u32::MAX)
}

fn narrow(octets: usize) -> u32 {
    u32::try_from(octets).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
