//! What an engine is told at its start, already validated.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use netcon_link::Faults;
use netcon_stack::Algorithm;

/// Everything an engine needs; see [`crate::Engine::open`].
#[derive(Clone, Debug)]
pub struct Config {
    /// Pathname of the RPC socket.
    pub socket_path: PathBuf,
    /// Directory of the native names; 0700, taken over from a service that was killed, removed at the end.
    pub names_dir: PathBuf,
    /// The stack's addresses with prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
    /// Default gateways.
    pub gateway_v4: Option<Ipv4Addr>,
    /// Default gateways.
    pub gateway_v6: Option<Ipv6Addr>,
    /// Without one, programs reach each other only.
    pub tap: Option<TapConfig>,
    /// Faults to inject on the link.
    pub fault: Option<Fault>,
    /// A pcap file to write the link's frames to.
    pub capture: Option<PathBuf>,
    /// Most entries in the table of sockets.
    pub max_sockets: usize,
    /// Congestion control of connections whose program chooses none.
    pub congestion: Algorithm,
    /// Connect programs of ours to each other directly.
    pub shortcut: bool,
    /// How long the engine looks for something to do before it sleeps, at most; 0 for not at all.
    pub busy_poll_micros: u32,
    /// Serve datagram sockets, where the system lets us.
    pub datagrams: bool,
}

/// The TAP device.
#[derive(Clone, Debug)]
pub struct TapConfig {
    /// Interface name.
    pub name: String,
    /// Addresses of the host's side, with prefix lengths.
    pub host_addresses: Vec<(IpAddr, u8)>,
    /// Ask for checksum and segmentation offload.
    pub offload: bool,
    /// IP MTU of the device.
    pub mtu: u16,
}

/// Faults to inject, the same in both directions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fault {
    /// Seed of the generator: the same seed gives the same faults.
    pub seed: u64,
    /// Which, and how often.
    pub faults: Faults,
}

/// What became of the TAP device.
#[derive(Clone, Debug)]
pub struct TapReport {
    /// The interface's name.
    pub name: String,
    /// Whether checksum and segmentation offload are in use.
    pub offload: bool,
    /// Why offload is not in use although it was asked for.
    pub offload_reason: Option<String>,
    /// Why the host's side could not be configured; `None` if it was.
    pub configure_reason: Option<String>,
}
