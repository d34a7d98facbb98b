//! Frames that come in: what is for us, and what is answered at once.

use std::net::IpAddr;

use smoltcp::time::{Duration, Instant};

use super::Stack;
use super::segments::Feed;
use crate::ethernet::{self, Arp, BROADCAST, HEADER, Ndp};
use crate::icmp;
use crate::neighbour::Mac;
use crate::net::Route;
use crate::outbox::Way;
use crate::packet::{ICMP, ICMPV6, IpView, TCP, UDP, build};
use crate::{Datagram, PcbId, RxMeta, datagrams};

/// ICMP errors sent in a second at most (RFC 1812 4.3.2.8 wants a limit; Linux has 1000).
const ICMP_PER_SECOND: u32 = 100;

const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REQUEST_V6: u8 = 128;

/// What a frame is.
enum Arrival {
    /// Dealt with, or not for us.
    Done,
    Feed(Feed),
    /// The host of datagram sockets gets it.
    Datagram,
}

impl Stack {
    /// Takes an Ethernet frame from the link. May queue replies and events; sends nothing. Gives
    /// back a packet that is for the host of datagram sockets, see [`Config::datagrams`](crate::Config::datagrams).
    pub fn handle_frame<'f>(
        &mut self,
        now: Instant,
        meta: &RxMeta,
        frame: &'f mut [u8],
    ) -> Option<Datagram<'f>> {
        self.advance(now);
        self.counters.rx_frames += 1;
        self.counters.rx_bytes += frame.len() as u64;
        match self.judge(meta, frame) {
            Arrival::Done => None,
            Arrival::Feed(feed) => {
                self.feed(&feed, &mut frame[HEADER..]);
                None
            }
            Arrival::Datagram => {
                self.counters.datagrams_in += 1;
                let ip = IpView::parse(&frame[HEADER..])?;
                Some(Datagram::new(&ip, meta))
            }
        }
    }

    /// Does all that can be done with a frame that is only looked at.
    fn judge(&mut self, meta: &RxMeta, frame: &[u8]) -> Arrival {
        let Some((to, kind, payload)) = ethernet::parse(frame) else {
            self.counters.rx_bad += 1;
            return Arrival::Done;
        };
        if !self.net.has_link || (to != self.net.mac && !ethernet::is_group(to)) {
            self.counters.rx_ignored += 1;
            return Arrival::Done;
        }
        match kind {
            ethernet::ARP => self.handle_arp(payload),
            ethernet::IPV4 | ethernet::IPV6 => match IpView::parse(payload) {
                Some(ip) if self.is_datagram(&ip, to) => return Arrival::Datagram,
                Some(ip) => {
                    let feed = self.handle_from_link(&ip, meta.checksum_ok, to);
                    return feed.map_or(Arrival::Done, Arrival::Feed);
                }
                None => self.counters.rx_bad += 1,
            },
            _ => self.counters.rx_ignored += 1,
        }
        Arrival::Done
    }

    /// Whether a packet is for the host of datagram sockets. It hears groups and broadcasts too, and
    /// knows itself which it has joined; checksums are its business.
    fn is_datagram(&self, ip: &IpView<'_>, to: Mac) -> bool {
        let net = &self.net;
        if !net.datagrams || !datagrams::is_inbound(ip) || net.is_martian(ip) {
            return false;
        }
        let to_group = net.is_group(ip.dst);
        // RFC 1122 3.2.1.3: only who has no address yet sends from none, and only to all.
        let from_nowhere = ip.src.is_unspecified() && !to_group;
        let misled = ethernet::is_group(to) && !to_group;
        (to_group || net.is_own(ip.dst)) && !from_nowhere && !misled
    }

    fn handle_from_link(&mut self, ip: &IpView<'_>, checksum_ok: bool, to: Mac) -> Option<Feed> {
        let net = &self.net;
        let martian = net.is_martian(ip);
        let neighbour_discovery = ip.protocol == ICMPV6 && ip.dst.is_multicast();
        let ours = net.is_own(ip.dst) || neighbour_discovery;
        // RFC 1122 3.3.6: a frame to a group may not carry a packet to one host.
        let misled = ethernet::is_group(to) && !ip.dst.is_multicast();
        if martian || !ours || misled || ip.fragment {
            self.counters.rx_ignored += 1;
            return None;
        }
        if ip.src.is_unspecified() && ip.protocol != ICMPV6 {
            self.counters.rx_ignored += 1;
            return None;
        }
        if !checksum_ok && matches!(ip.protocol, TCP | ICMP | ICMPV6) && !ip.checksum_valid() {
            self.counters.rx_bad += 1;
            return None;
        }
        self.handle_packet(ip)
    }

    /// A packet for one of our addresses, from the link or from ourselves. A segment may have to be fed to
    /// its connection yet, by who may write to it.
    pub(super) fn handle_packet(&mut self, ip: &IpView<'_>) -> Option<Feed> {
        match (ip.protocol, ip.dst) {
            (TCP, _) => return self.handle_segment(ip),
            (ICMP, IpAddr::V4(_)) => self.handle_icmp(ip, ECHO_REQUEST_V4),
            (ICMPV6, IpAddr::V6(_)) => match Ndp::parse(ip) {
                Some(ndp) => self.handle_ndp(ip, ndp),
                None => self.handle_icmp(ip, ECHO_REQUEST_V6),
            },
            (UDP, _) => self.handle_udp(ip),
            _ => self.counters.rx_ignored += 1,
        }
        None
    }

    fn handle_icmp(&mut self, ip: &IpView<'_>, echo_request: u8) {
        let to_group = self.net.is_group(ip.dst) || ip.src.is_unspecified();
        match ip.payload().get(..8) {
            Some(head) if head[0] == echo_request && head[1] == 0 && !to_group => {
                self.answer(|out| build::echo_reply(out, ip));
            }
            Some(_) => {
                if let Some(error) = icmp::parse(ip) {
                    self.handle_icmp_error(&error);
                }
            }
            None => self.counters.rx_bad += 1,
        }
    }

    /// Nobody listens on UDP here.
    fn handle_udp(&mut self, ip: &IpView<'_>) {
        if self.now >= self.icmp_budget.0 + Duration::from_secs(1) {
            self.icmp_budget = (self.now, 0);
        }
        if self.icmp_budget.1 < ICMP_PER_SECOND && ip.payload().len() >= 8 {
            self.icmp_budget.1 += 1;
            self.answer(|out| build::port_unreachable(out, ip));
        }
    }

    fn handle_arp(&mut self, packet: &[u8]) {
        let Some(arp) = Arp::parse(packet) else {
            self.counters.rx_bad += 1;
            return;
        };
        let (mac, ip) = arp.from;
        let for_us = self
            .net
            .own
            .iter()
            .any(|cidr| cidr.address == IpAddr::V4(arp.target));
        let from = IpAddr::V4(ip);
        let sane = !ethernet::is_group(mac) && !self.net.is_own(from) && !self.net.is_group(from);
        if !sane {
            return;
        }
        if !ip.is_unspecified() && self.net.route(from) == Route::Hop(from) {
            // RFC 826: whoever asks for us will talk to us; others only update what we know.
            self.learn(from, mac, for_us);
        }
        if for_us && arp.request {
            let reply = Arp {
                request: false,
                from: (self.net.mac, arp.target),
                target: ip,
            };
            self.push(Way::Station(mac, ethernet::ARP), |out| {
                reply.write(mac, out)
            });
        }
    }

    fn handle_ndp(&mut self, ip: &IpView<'_>, ndp: Ndp) {
        let (IpAddr::V6(src), IpAddr::V6(_)) = (ip.src, ip.dst) else {
            return;
        };
        match ndp {
            Ndp::Solicitation { target, source } => {
                let target_ip = IpAddr::V6(target);
                if !self.net.own.iter().any(|cidr| cidr.address == target_ip) {
                    return;
                }
                let source = source.filter(|mac| !ethernet::is_group(*mac));
                if let Some(mac) = source.filter(|_| !src.is_unspecified()) {
                    self.learn(ip.src, mac, true);
                }
                // RFC 4861 7.2.4: who has no address yet is answered through all nodes.
                let to = if src.is_unspecified() {
                    ethernet::ALL_NODES
                } else {
                    src
                };
                let own = self.net.mac;
                self.answer(|out| Ndp::advertise(out, own, target, to));
            }
            Ndp::Advertisement { target, at } => {
                if let Some(mac) = at.filter(|mac| !ethernet::is_group(*mac)) {
                    self.learn(IpAddr::V6(target), mac, false);
                }
            }
        }
    }

    /// A neighbour has said where it is: what waited for it goes on.
    fn learn(&mut self, ip: IpAddr, mac: Mac, create: bool) {
        let (pending, waiters) = self.neighbours.learn(ip, mac, create, self.now);
        let kind = if ip.is_ipv4() {
            ethernet::IPV4
        } else {
            ethernet::IPV6
        };
        for packet in pending {
            self.push(Way::Station(mac, kind), |out| {
                out.extend_from_slice(&packet)
            });
        }
        waiters.into_iter().for_each(|id| self.unblock(id));
    }

    fn unblock(&mut self, id: PcbId) {
        if let Some(conn) = self.pcbs.conn_mut(id) {
            conn.blocked = false;
            self.mark_dirty(id);
        }
    }

    /// Asks who has an address: everybody, or the one believed to have it.
    pub(super) fn ask_for(&mut self, ip: IpAddr, known: Option<Mac>) {
        let own = self.net.mac;
        let Some(source) = self.net.source_for(ip) else {
            return;
        };
        match (ip, source) {
            (IpAddr::V4(target), IpAddr::V4(source)) => {
                let arp = Arp {
                    request: true,
                    from: (own, source),
                    target,
                };
                let to = known.unwrap_or(BROADCAST);
                self.push(Way::Station(to, ethernet::ARP), |out| {
                    arp.write([0; 6], out)
                });
            }
            (IpAddr::V6(target), IpAddr::V6(source)) => {
                let group = ethernet::solicited_node(target);
                let to = known.unwrap_or_else(|| ethernet::multicast_mac(group));
                let dst = if known.is_some() { target } else { group };
                self.push(Way::Station(to, ethernet::IPV6), |out| {
                    Ndp::solicit(out, (own, source), dst, target);
                });
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// Says on the link where our addresses are (RFC 5227 2.3, RFC 4861 7.2.6): whoever knew a
    /// former stack by another Ethernet address forgets it.
    pub(super) fn announce(&mut self) {
        if !self.net.has_link {
            return;
        }
        let own = self.net.mac;
        for cidr in self.net.own.clone() {
            match cidr.address {
                IpAddr::V4(ip) => {
                    let arp = Arp {
                        request: true,
                        from: (own, ip),
                        target: ip,
                    };
                    self.push(Way::Station(BROADCAST, ethernet::ARP), |out| {
                        arp.write([0; 6], out);
                    });
                }
                IpAddr::V6(ip) => {
                    let to = ethernet::multicast_mac(ethernet::ALL_NODES);
                    self.push(Way::Station(to, ethernet::IPV6), |out| {
                        Ndp::advertise(out, own, ip, ethernet::ALL_NODES);
                    });
                }
            }
        }
    }

    fn answer(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.push(Way::Route, write);
    }

    fn push(&mut self, way: Way, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.outbox.push(way, write) {
            self.counters.queue_drops += 1;
        }
    }
}
