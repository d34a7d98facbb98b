//! The plain objects that cross the binding. Their meaning: netcon-engine's types of like names.
#![allow(missing_docs)]

use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingEngineOptions {
    pub socket_path: String,
    pub names_dir: String,
    pub addresses: Vec<String>,
    pub gateway4: Option<String>,
    pub gateway6: Option<String>,
    pub tap: Option<BindingTapOptions>,
    pub fault: Option<BindingFault>,
    pub capture: Option<String>,
    pub max_sockets: Option<u32>,
    pub congestion: Option<String>,
    pub shortcut: Option<bool>,
    pub busy_poll_micros: Option<u32>,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingTapOptions {
    pub name: String,
    pub host_addresses: Vec<String>,
    pub offload: bool,
    pub mtu: Option<u32>,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingFault {
    pub seed: f64,
    pub loss: f64,
    pub delay_ms: f64,
    pub jitter_ms: f64,
    pub reorder: f64,
    pub duplicate: f64,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingTapReport {
    pub name: String,
    pub offload: bool,
    pub offload_reason: Option<String>,
    pub addresses_set: bool,
    pub reason: Option<String>,
}

/// `kind` is "hello" (session to frame), "question" (question, session, frame), "log" (level, message) or "fatal" (message).
#[napi(object)]
pub struct BindingEvent {
    pub kind: String,
    pub level: Option<String>,
    pub message: Option<String>,
    pub session: Option<u32>,
    pub pid: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub groups: Option<Vec<u32>>,
    pub returning: Option<bool>,
    pub frame: Option<Buffer>,
    pub question: Option<u32>,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingStatus {
    pub uptime_ms: f64,
    pub connections: u32,
    pub listeners: u32,
    pub sessions: u32,
    pub sockets: u32,
    pub counters: std::collections::HashMap<String, f64>,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingSocket {
    pub id: u32,
    pub protocol: String,
    pub family: u32,
    pub state: String,
    pub shortcut: bool,
    pub local: String,
    pub peer: String,
    pub recv_queue: f64,
    pub send_queue: f64,
    pub session: u32,
    pub pid: u32,
    pub program: String,
    pub uid: u32,
    pub age_ms: f64,
    pub rx_bytes: f64,
    pub tx_bytes: f64,
    pub sender: Option<BindingSender>,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingSender {
    pub congestion: String,
    pub cwnd: f64,
    pub ssthresh: Option<f64>,
    pub rtt_ms: Option<f64>,
    pub rtt_variation_ms: f64,
    pub min_rtt_ms: f64,
    pub rto_ms: f64,
    pub in_flight: f64,
    pub lost: f64,
    pub sacked: f64,
    pub unsent: f64,
    pub retransmissions: f64,
    pub timeouts: f64,
    pub pacing_rate: Option<f64>,
    pub delivery_rate: f64,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingSession {
    pub id: u32,
    pub pid: u32,
    pub uid: u32,
    pub program: String,
    pub parent: Option<u32>,
    pub sockets: u32,
    pub age_ms: f64,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingExecOptions {
    pub nofile_soft: Option<f64>,
    pub channel: Option<String>,
    pub ignore_signals: Vec<i32>,
}

#[napi(object)]
#[derive(Clone, Debug)]
pub struct BindingPeer {
    pub pid: u32,
    pub uid: u32,
    pub gid: u32,
}
