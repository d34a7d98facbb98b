//! The stack against a scripted peer: segments made by hand, answers looked at one by one. Pairs
//! of stacks are tested in the sim crate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netcon_wire::{Family, SockAddr};

use super::*;
use crate::ethernet::{ALL_NODES, Arp, BROADCAST, Ndp, multicast_mac, solicited_node};
use crate::flow::FlowKey;
use crate::meta::{FrameSink, RxMeta, TxMeta};
use crate::packet::build::{Segment, icmp_checksum, ip_header, tcp_checksum};
use crate::packet::options::Options;
use crate::packet::{ACK, FIN, ICMP, ICMPV6, IpView, PSH, RST, SYN, TcpView, UDP, mss_at};
use crate::{BindOptions, Cause, Cidr, HeapRings, IoError, PcbOptions, ethernet};

mod datagrams;
mod direct;
mod ecn;
mod frames;
mod memory;
mod neighbours;
mod resets;
mod segments;
mod timestamps;

const OWN_MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];
const PEER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

/// A stack, and everything on the other side of its link.
struct Puppet {
    stack: Stack,
    now: Instant,
    sent: Vec<(TxMeta, Vec<u8>)>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Sink(Vec<(TxMeta, Vec<u8>)>);

impl FrameSink for Sink {
    fn send(&mut self, meta: &TxMeta, frame: &[u8]) {
        self.0.push((*meta, frame.to_vec()));
    }
}

impl Puppet {
    fn new() -> Puppet {
        Puppet::with(|_| {})
    }

    fn with(change: impl Fn(&mut Config)) -> Puppet {
        Puppet::with_rings(Box::new(HeapRings::default()), change)
    }

    fn with_rings(
        rings: Box<dyn crate::RingSource + Send>,
        change: impl Fn(&mut Config),
    ) -> Puppet {
        let mut config = Config {
            mac: OWN_MAC,
            addresses: vec![
                Cidr::new(own(Family::Inet), 24),
                Cidr::new(own(Family::Inet6), 64),
            ],
            has_link: true,
            secret: [7, 8],
            ring: 128 << 10,
            ..Config::default()
        };
        change(&mut config);
        let now = Instant::from_secs(100);
        let stack = Stack::new(config, rings, now);
        let mut puppet = Puppet {
            stack,
            now,
            sent: Vec::new(),
            events: Vec::new(),
        };
        puppet.turn();
        puppet.sent.clear();
        puppet
    }

    /// Polls until there is nothing to do.
    fn turn(&mut self) {
        for _ in 0..1000 {
            let mut sink = Sink::default();
            let more = self.stack.poll_transmit(self.now, 64, &mut sink);
            self.sent.append(&mut sink.0);
            while let Some(event) = self.stack.poll_event() {
                self.events.push(event);
            }
            if !more {
                return;
            }
        }
        panic!("the stack never stops");
    }

    fn pass(&mut self, time: smoltcp::time::Duration) {
        self.now += time;
        self.stack.handle_timeout(self.now);
        self.turn();
    }

    fn frame(&mut self, frame: &[u8]) {
        let mut frame = frame.to_vec();
        self.stack
            .handle_frame(self.now, &RxMeta::default(), &mut frame);
        self.turn();
    }

    fn packet(&mut self, packet: &[u8]) {
        let frame = framed(OWN_MAC, packet);
        self.frame(&frame);
    }

    /// Makes the peer known to the neighbour cache.
    fn introduce(&mut self) {
        let mut arp = Vec::new();
        let (IpAddr::V4(peer), IpAddr::V4(target)) = (peer(Family::Inet), own(Family::Inet)) else {
            unreachable!()
        };
        Arp {
            request: true,
            from: (PEER_MAC, peer),
            target,
        }
        .write([0; 6], &mut arp);
        let mut frame = ethernet::header(OWN_MAC, PEER_MAC, ethernet::ARP).to_vec();
        frame.extend(arp);
        self.frame(&frame);
        let (IpAddr::V6(peer), IpAddr::V6(target)) = (peer_of(Family::Inet6), own(Family::Inet6))
        else {
            unreachable!()
        };
        let mut solicit = Vec::new();
        Ndp::solicit(&mut solicit, (PEER_MAC, peer), target, target);
        self.packet(&solicit);
        self.sent.clear();
    }

    /// The TCP segments sent since the last look.
    fn segments(&mut self) -> Vec<Seen> {
        let frames = std::mem::take(&mut self.sent);
        frames
            .iter()
            .filter_map(|(meta, frame)| Seen::of(meta, frame))
            .collect()
    }

    fn only_segment(&mut self) -> Seen {
        let mut segments = self.segments();
        assert_eq!(segments.len(), 1, "{segments:?}");
        segments.remove(0)
    }

    fn listen(&mut self, family: Family, port: u16) -> PcbId {
        let id = self.stack.open(family).expect("open");
        let at = SockAddr {
            port,
            ..SockAddr::unspecified(family)
        };
        self.stack
            .bind(id, at, BindOptions::default())
            .expect("bind");
        self.stack.listen(id, 8).expect("listen");
        id
    }

    /// The connection that has come in.
    fn incoming(&self) -> Option<PcbId> {
        self.events.iter().find_map(|event| {
            if let Event::Incoming { pcb, .. } = event {
                Some(*pcb)
            } else {
                None
            }
        })
    }

    /// An established connection with the peer's port 4000, accepted on port 80.
    fn established(&mut self, family: Family) -> Conversation {
        let talk = self.established_keeping_the_listener(family);
        let listener = self
            .stack
            .pcbs()
            .find(|(_, info)| info.state == TcpState::Listen);
        self.stack.close(listener.expect("listener").0);
        self.turn();
        self.events.clear();
        talk
    }

    fn established_keeping_the_listener(&mut self, family: Family) -> Conversation {
        self.introduce();
        self.listen(family, 80);
        let mut talk = Conversation::new(family, 4000, 80);
        self.packet(&talk.syn());
        let syn_ack = self.only_segment();
        assert_eq!(syn_ack.flags, SYN | ACK);
        talk.ack = syn_ack.seq.plus(1);
        talk.seq = talk.seq.plus(1);
        self.packet(&talk.segment(ACK, b""));
        talk.pcb = self.incoming();
        self.events.clear();
        self.sent.clear();
        talk
    }
}

/// The peer's side of a connection.
struct Conversation {
    flow: FlowKey,
    seq: Seq,
    ack: Seq,
    pcb: Option<PcbId>,
}

impl Conversation {
    fn new(family: Family, from: u16, to: u16) -> Conversation {
        let flow = FlowKey::new(peer(family), from, own(family), to);
        Conversation {
            flow,
            seq: Seq(5_000),
            ack: Seq(0),
            pcb: None,
        }
    }

    fn pcb(&self) -> PcbId {
        self.pcb.expect("accepted")
    }

    fn segment(&self, flags: u8, payload: &[u8]) -> Vec<u8> {
        raw_segment(self.flow, self.seq, self.ack, flags, &[], payload)
    }

    /// With another sequence number.
    fn at(&self, seq: Seq, flags: u8, payload: &[u8]) -> Vec<u8> {
        raw_segment(self.flow, seq, self.ack, flags, &[], payload)
    }

    /// A SYN with MSS 1460 and window scale 7.
    fn syn(&self) -> Vec<u8> {
        let options = [2, 4, 5, 0xb4, 1, 3, 3, 7];
        raw_segment(self.flow, self.seq, Seq(0), SYN, &options, b"")
    }
}

fn raw_segment(
    flow: FlowKey,
    seq: Seq,
    ack: Seq,
    flags: u8,
    options: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = Vec::new();
    Segment {
        flow,
        seq,
        ack,
        flags,
        window: 60_000,
        hop_limit: 64,
        options: Options::new(None),
    }
    .write(&mut packet);
    let header = packet.len() - 20;
    packet[header + 12] = u8::try_from((20 + options.len()) / 4).expect("options") << 4;
    packet.extend_from_slice(options);
    packet.extend_from_slice(payload);
    fix_lengths(&mut packet);
    tcp_checksum(&mut packet);
    packet
}

/// Makes the IP header agree with the packet's length.
fn fix_lengths(packet: &mut [u8]) {
    let len = packet.len();
    let be = |len: usize| u16::try_from(len).expect("length").to_be_bytes();
    if packet[0] >> 4 == 4 {
        packet[2..4].copy_from_slice(&be(len));
        packet[10..12].fill(0);
        let sum = crate::checksum::finish(crate::checksum::sum(&packet[..20]));
        packet[10..12].copy_from_slice(&sum);
    } else {
        packet[4..6].copy_from_slice(&be(len - 40));
    }
}

/// A segment that the stack has sent.
#[derive(Debug)]
struct Seen {
    meta: TxMeta,
    seq: Seq,
    ack: Seq,
    flags: u8,
    len: u32,
    mss: Option<u16>,
    dst_port: u16,
    src_port: u16,
}

impl Seen {
    fn of(meta: &TxMeta, frame: &[u8]) -> Option<Seen> {
        let (_, kind, packet) = ethernet::parse(frame)?;
        if kind == ethernet::ARP {
            return None;
        }
        let ip = IpView::parse(packet).expect("well-formed");
        if ip.protocol != crate::packet::TCP {
            return None;
        }
        if meta.csum.is_none() {
            assert!(ip.checksum_valid(), "a wrong checksum was sent");
        }
        let segment = ip.payload();
        let tcp = TcpView::parse(segment).expect("well-formed");
        let mss = mss_at(segment).map(|at| u16::from_be_bytes([segment[at], segment[at + 1]]));
        Some(Seen {
            meta: *meta,
            seq: tcp.seq,
            ack: tcp.ack,
            flags: tcp.flags,
            len: tcp.payload_len,
            mss,
            dst_port: tcp.dst_port,
            src_port: tcp.src_port,
        })
    }
}

fn own(family: Family) -> IpAddr {
    match family {
        Family::Inet => IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)),
        Family::Inet6 => IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1)),
    }
}

fn peer_of(family: Family) -> IpAddr {
    peer(family)
}

fn peer(family: Family) -> IpAddr {
    match family {
        Family::Inet => IpAddr::V4(Ipv4Addr::new(10, 77, 0, 9)),
        Family::Inet6 => IpAddr::V6(Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 9)),
    }
}

fn framed(to: [u8; 6], packet: &[u8]) -> Vec<u8> {
    let kind = if packet[0] >> 4 == 4 {
        ethernet::IPV4
    } else {
        ethernet::IPV6
    };
    let mut frame = ethernet::header(to, PEER_MAC, kind).to_vec();
    frame.extend_from_slice(packet);
    frame
}
