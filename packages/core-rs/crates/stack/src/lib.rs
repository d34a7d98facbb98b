//! A TCP/IP stack without sockets, clocks or threads: frames and `now` go in; frames, events and
//! the next deadline come out.
//!
//! [`Stack`] speaks Ethernet, ARP, NDP, ICMP, ICMPv6 and TCP over IPv4 and IPv6. smoltcp is the
//! TCP state machine of each connection; everything around it is here: control blocks with the
//! semantics of lwIP's raw API, listeners with a backlog, demultiplexing, neighbours, timers,
//! TIME-WAIT, initial sequence numbers, and segmentation left to the link.
//!
//! The turn of an owner's loop: [`Stack::handle_frame`] for what came, [`Stack::handle_timeout`],
//! [`Stack::poll_event`] until `None`, verbs, [`Stack::poll_transmit`], and sleep until
//! [`Stack::poll_timeout`]. Why it is built like that: `docs/internals/stack.md`; what each verb
//! means: `docs/internals/pcb.md`.
#![forbid(unsafe_code)]

mod checksum;
mod config;
mod counters;
mod datagrams;
mod device;
pub mod errno;
mod error;
mod ethernet;
mod event;
mod flow;
mod hash;
mod icmp;
mod id;
mod isn;
mod meta;
mod meter;
mod neighbour;
mod net;
mod offload;
mod options;
mod outbox;
mod packet;
mod pcb;
mod ports;
mod ring;
mod sack;
mod seq;
mod stack;
mod stamps;
mod tcb;
mod timers;
mod tombstone;

pub use netcon_sender::{Algorithm, Info as SenderInfo, Span, Stats as SenderStats};
pub use netcon_wire::{Family, SockAddr};
pub use smoltcp::time::{Duration, Instant};

pub use config::{Cidr, Config};
pub use counters::Counters;
pub use datagrams::Datagram;
pub use error::{BindError, ConnectError, IoError, ListenError, OpenError};
pub use ethernet::link_local;
pub use event::{Cause, Event};
pub use id::PcbId;
pub use meta::{FrameSink, PartialChecksum, RxMeta, Segmentation, TxMeta};
pub use meter::Measures;
pub use options::{BindOptions, KeepAlive, PcbInfo, PcbOptions, TcpState};
pub use ring::{HeapRings, Ring, RingBytes, RingPages, RingSource};
pub use stack::{Meeting, Stack};
