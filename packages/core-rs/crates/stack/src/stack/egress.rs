//! Frames that go out: the stack's own first, then connections in turn, one super-frame each.

use std::net::IpAddr;

use smoltcp::time::Instant;

use super::segments::fin_outstanding;
use super::sending::Composed;
use super::{Stack, frame_buffer};
use crate::device::Exchange;
use crate::ethernet::{self, HEADER};
use crate::meta::{FrameSink, TxMeta};
use crate::neighbour::{Answer, Mac};
use crate::net::Route;
use crate::offload::Layout;
use crate::outbox::Way;
use crate::packet::{IpView, SYN, TCP, TcpView, build};
use crate::pcb::Stage;
use crate::{PcbId, datagrams};

/// Super-frames on their way round inside the stack, and buffers kept for them.
const LOOPED: usize = 64;
const POOL: usize = 4;
/// Errors that wait for the host of datagram sockets: what several neighbours have held.
const REFUSALS: usize = 256;

impl Stack {
    /// Sends about `budget` frames; true when there is more to send. Loopback is delivered here:
    /// poll events afterwards, and before calling again.
    pub fn poll_transmit(&mut self, now: Instant, budget: usize, sink: &mut dyn FrameSink) -> bool {
        self.advance(now);
        let held = std::mem::take(&mut self.held);
        self.retry_syns();
        for (id, _) in held {
            if let Some(conn) = self.pcbs.conn_mut(id) {
                conn.dirty = false;
            }
            self.mark_dirty(id);
        }
        let mut left = budget;
        // A turn that sends nothing costs no budget, but turns are bounded too.
        let mut turns = budget + self.dirty.len();
        while left > 0 && turns > 0 {
            turns -= 1;
            let sent = if let Some((buffer, len)) = self.looped.pop_front() {
                self.deliver(buffer, len);
                1
            } else if !self.outbox.is_empty() {
                self.send_own(sink)
            } else if let Some(id) = self.dirty.pop_front() {
                self.serve(id, sink)
            } else {
                break;
            };
            left = left.saturating_sub(sent);
        }
        self.has_work()
    }

    /// Sends a packet of the host of datagram sockets, complete with its checksums: as a packet of the
    /// stack's own, so that it takes the same way to a neighbour, the gateway or a group.
    pub fn send_datagram(&mut self, packet: &[u8]) {
        self.counters.datagrams_out += 1;
        let allowed = IpView::parse(packet).is_some_and(|ip| {
            let src_ok = self.net.is_own(ip.src) || ip.src.is_unspecified();
            src_ok
                && datagrams::is_outbound(&ip)
                && (self.net.is_group(ip.dst) || !self.net.is_own(ip.dst))
        });
        if !allowed || !self.net.has_link {
            self.counters.datagrams_refused += 1;
        } else if !self
            .outbox
            .push(Way::Route, |out| out.extend_from_slice(packet))
        {
            self.counters.queue_drops += 1;
        }
    }

    /// The next packet of the stack's own for the host of datagram sockets: an error about one of its
    /// packets. Poll until `None` after [`Stack::handle_timeout`].
    pub fn poll_datagram(&mut self) -> Option<Vec<u8>> {
        self.refusals.pop_front()
    }

    /// A neighbour that a packet waited for does not answer. Linux tells itself by ICMP, from its own
    /// address (ipv4_link_failure, ip6_link_failure).
    pub(super) fn report_unreachable(&mut self, packet: &[u8]) {
        let Some(ip) = IpView::parse_quoted(packet) else {
            return;
        };
        let is_hosts = self.net.datagrams && self.net.is_own(ip.src);
        if is_hosts && datagrams::is_reported(&ip) && self.refusals.len() < REFUSALS {
            let mut error = Vec::new();
            build::host_unreachable(&mut error, &ip);
            self.refusals.push_back(error);
        }
    }

    /// Gives a connection its turn. Gives the number of frames it sent.
    fn serve(&mut self, id: PcbId, sink: &mut dyn FrameSink) -> usize {
        let now = self.now;
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return 0;
        };
        conn.dirty = false;
        if conn.stage == Stage::Detached || conn.blocked {
            return 0;
        }
        conn.owe(now);
        if !conn.wants_turn(now) && !fin_outstanding(conn.tcb.state()) {
            self.rearm_after(id, true);
            return 0;
        }
        let (looped, hop) = (conn.looped, conn.hop);
        let mac = if looped {
            Some([0; 6])
        } else {
            self.resolve(hop)
        };
        let Some(conn) = self.pcbs.conn_mut(id) else {
            return 0;
        };
        let Some(mac) = mac else {
            conn.blocked = true;
            self.neighbours.wait(hop, id);
            self.rearm(id);
            return 0;
        };
        let mut len = 0;
        if conn.needs_socket() {
            let mut io = Exchange {
                rx: None,
                tx: &mut self.scratch[HEADER..],
                tx_len: 0,
                largest: self.largest,
            };
            conn.tcb.egress(&mut self.iface, self.now, &mut io);
            len = io.tx_len;
        }
        let packet = &mut self.scratch[HEADER..HEADER + len];
        // Only SYNs leave as smoltcp makes them.
        let packet = if len > 0 && conn.announce(packet, self.now) {
            Composed {
                len,
                mss: conn.mss,
                data: None,
            }
        } else {
            // What goes round, and what is cut here, is needed in one piece.
            let in_parts = self.net.tso && !looped;
            conn.compose(&mut self.scratch, self.now, self.largest, in_parts)
        };
        let sent = if packet.len == 0 {
            0
        } else {
            self.ship(id, packet, mac, sink)
        };
        self.rearm_after(id, sent == 0);
        sent
    }

    /// Sends the packet of a connection that stands in the scratch buffer.
    fn ship(&mut self, id: PcbId, packet: Composed, mac: Mac, sink: &mut dyn FrameSink) -> usize {
        let Composed { len, mss, data } = packet;
        let end = HEADER + len;
        let Some(layout) = Layout::of(&self.scratch[..end]) else {
            return 0;
        };
        let Some(ip) = IpView::parse_quoted(&self.scratch[HEADER..end]) else {
            return 0;
        };
        let Some(tcp) = TcpView::parse(ip.payload()) else {
            return 0;
        };
        let to = ip.dst;
        let own_mss = self.net.mss(to, false);
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return 0;
        };
        let limit = pcb
            .options
            .max_segment
            .filter(|limit| *limit > 0)
            .unwrap_or(u16::MAX);
        let Some(conn) = pcb.conn_mut() else { return 0 };
        conn.meter.sent(tcp.payload_len, mss, self.now);
        if tcp.end().after(conn.snd_nxt) {
            conn.snd_nxt = tcp.end();
        }
        if conn.looped {
            self.counters.loop_frames += 1;
            if self.looped.len() >= LOOPED {
                self.counters.queue_drops += 1;
                return 1;
            }
            let fresh = self.pool.pop().unwrap_or_else(frame_buffer);
            let full = std::mem::replace(&mut self.scratch, fresh);
            self.looped.push_back((full, len));
            return 1;
        }
        let frame = &mut self.scratch[..end];
        frame[..HEADER].copy_from_slice(&ethernet::header(mac, self.net.mac, ip_type(to)));
        if tcp.has(SYN) {
            layout.set_mss(frame, own_mss.min(limit));
        }
        let (count, bytes) = if self.net.tso {
            let meta = layout.partial(frame, mss);
            self.counters.tx_super_frames += u64::from(meta.gso.is_some());
            if let Some(data) = &data {
                let (first, second) = conn.sender.payload(data);
                sink.send_parts(&meta, [&frame[..layout.header_len()], first, second]);
            } else {
                sink.send(&meta, frame);
            }
            (1, frame.len())
        } else {
            layout.cut(frame, mss, &mut self.piece, sink)
        };
        self.counters.tx_frames += count as u64;
        self.counters.tx_bytes += bytes as u64;
        count
    }

    /// Sends one of the stack's own packets. Gives 1: there was one, whatever became of it.
    fn send_own(&mut self, sink: &mut dyn FrameSink) -> usize {
        let mut frame = std::mem::take(&mut self.piece);
        frame.clear();
        frame.extend_from_slice(&[0; HEADER]);
        let station = match self.outbox.pop(&mut frame) {
            Some(Way::Station(mac, kind)) => Some((mac, kind)),
            Some(Way::Route) => self.route_own(&mut frame),
            None => None,
        };
        if let Some((mac, kind)) = station {
            frame[..HEADER].copy_from_slice(&ethernet::header(mac, self.net.mac, kind));
            self.counters.tx_frames += 1;
            self.counters.tx_bytes += frame.len() as u64;
            sink.send(&TxMeta::default(), &frame);
        }
        self.piece = frame;
        1
    }

    /// Finds the station for an IP packet of our own; delivers it here when it is for us, and
    /// keeps it when the station has to be asked for first.
    fn route_own(&mut self, frame: &mut [u8]) -> Option<(Mac, u16)> {
        let packet = &mut frame[HEADER..];
        let ip = IpView::parse_quoted(packet)?;
        let (dst, is_tcp) = (ip.dst, ip.protocol == TCP);
        // All nodes and such need no asking.
        if self.net.is_group(dst) {
            return Some((ethernet::group_mac(dst), ip_type(dst)));
        }
        match self.net.route(dst) {
            Route::None => None,
            Route::Loop => {
                self.counters.loop_frames += 1;
                // What this leads to is queued, never sent from here: no recursion.
                let feed = IpView::parse(packet).and_then(|ip| self.handle_packet(&ip));
                if let Some(feed) = feed {
                    self.feed(&feed, packet);
                }
                None
            }
            Route::Hop(_) if packet.len() > self.net.mtu => None,
            Route::Hop(hop) => {
                if is_tcp {
                    build::tcp_checksum(packet);
                }
                let mac = self.resolve(hop);
                if mac.is_none() && !self.neighbours.hold(hop, &frame[HEADER..]) {
                    self.counters.queue_drops += 1;
                }
                mac.map(|mac| (mac, ip_type(dst)))
            }
        }
    }

    /// A super-frame has come round.
    fn deliver(&mut self, mut buffer: Vec<u8>, len: usize) {
        let packet = &mut buffer[HEADER..HEADER + len];
        let feed = IpView::parse(packet).and_then(|ip| self.handle_packet(&ip));
        if let Some(feed) = feed {
            self.feed(&feed, packet);
        }
        if self.pool.len() < POOL {
            self.pool.push(buffer);
        }
    }

    /// The station of a neighbour; asks for it when it is not known.
    fn resolve(&mut self, hop: IpAddr) -> Option<Mac> {
        match self.neighbours.find(hop, self.now) {
            Answer::Known(mac) => Some(mac),
            Answer::Doubtful(mac) => {
                self.ask_for(hop, Some(mac));
                Some(mac)
            }
            Answer::Ask => {
                self.ask_for(hop, None);
                None
            }
            Answer::Asked => None,
        }
    }
}

fn ip_type(ip: IpAddr) -> u16 {
    if ip.is_ipv4() {
        ethernet::IPV4
    } else {
        ethernet::IPV6
    }
}
