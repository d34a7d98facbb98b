//! Between the engine's types and the plain objects.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use netcon_engine::{
    Algorithm, Config, Event, Fault, Faults, SenderInfo, SessionRow, SocketRow, Span, Status,
    TapConfig, TapReport,
};

use crate::error::{Code, Result, failed};
use crate::objects::{
    BindingEngineOptions, BindingEvent, BindingFault, BindingSender, BindingSession, BindingSocket,
    BindingStatus, BindingTapReport,
};

const DEFAULT_MTU: u16 = 1500;
/// Each socket is an fd of the service, which has 20,000 in many containers.
const DEFAULT_MAX_SOCKETS: u32 = 16_384;

pub(crate) fn config(o: &BindingEngineOptions) -> Result<Config> {
    Ok(Config {
        socket_path: PathBuf::from(&o.socket_path),
        names_dir: PathBuf::from(&o.names_dir),
        addresses: cidrs(&o.addresses)?,
        gateway_v4: o.gateway4.as_deref().map(parse).transpose()?,
        gateway_v6: o.gateway6.as_deref().map(parse).transpose()?,
        tap: match &o.tap {
            None => None,
            Some(t) => Some(TapConfig {
                name: t.name.clone(),
                host_addresses: cidrs(&t.host_addresses)?,
                offload: t.offload,
                mtu: t
                    .mtu
                    .and_then(|m| u16::try_from(m).ok())
                    .unwrap_or(DEFAULT_MTU),
            }),
        },
        fault: o.fault.as_ref().map(fault),
        capture: o.capture.as_ref().map(PathBuf::from),
        max_sockets: usize::try_from(o.max_sockets.unwrap_or(DEFAULT_MAX_SOCKETS)).unwrap_or(0),
        congestion: match o.congestion.as_deref() {
            None => Algorithm::default(),
            Some(name) => Algorithm::from_name(name)
                .ok_or_else(|| failed(Code("NETCON_OPTION_BAD"), format!("congestion {name}")))?,
        },
        shortcut: o.shortcut.unwrap_or(true),
        busy_poll_micros: o.busy_poll_micros.unwrap_or(0),
        datagrams: true,
    })
}

fn fault(f: &BindingFault) -> Fault {
    Fault {
        seed: whole(f.seed),
        faults: Faults {
            loss: f.loss,
            delay_micros: whole(f.delay_ms * 1e3),
            jitter_micros: whole(f.jitter_ms * 1e3),
            reorder: f.reorder,
            duplicate: f.duplicate,
        },
    }
}

/// JavaScript numbers as non-negative integers; `as` saturates and maps NaN to 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn whole(v: f64) -> u64 {
    v as u64
}

fn parse<T: FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| {
        failed(
            Code("NETCON_ADDRESS_INVALID"),
            format!("{text:?} is not an address"),
        )
    })
}

fn cidrs(list: &[String]) -> Result<Vec<(IpAddr, u8)>> {
    list.iter().map(|text| cidr(text)).collect()
}

fn cidr(text: &str) -> Result<(IpAddr, u8)> {
    let bad = || {
        let why = format!("{text:?} is not an address with a prefix length");
        failed(Code("NETCON_ADDRESS_INVALID"), why)
    };
    let (ip, len) = text.split_once('/').ok_or_else(bad)?;
    let ip: IpAddr = ip.parse().map_err(|_| bad())?;
    let len: u8 = len.parse().map_err(|_| bad())?;
    let most = if ip.is_ipv4() { 32 } else { 128 };
    if len > most {
        Err(bad())
    } else {
        Ok((ip, len))
    }
}

pub(crate) fn tap_report(r: TapReport) -> BindingTapReport {
    BindingTapReport {
        name: r.name,
        offload: r.offload,
        offload_reason: r.offload_reason,
        addresses_set: r.configure_reason.is_none(),
        reason: r.configure_reason,
    }
}

pub(crate) fn event(event: Event) -> BindingEvent {
    let empty = BindingEvent {
        kind: String::new(),
        level: None,
        message: None,
        session: None,
        pid: None,
        uid: None,
        gid: None,
        groups: None,
        returning: None,
        frame: None,
        question: None,
    };
    match event {
        Event::Hello(h) => BindingEvent {
            kind: "hello".to_owned(),
            session: Some(h.session.0),
            pid: Some(h.pid),
            uid: Some(h.uid),
            gid: Some(h.gid),
            groups: Some(h.groups),
            returning: Some(h.returning),
            frame: Some(h.frame.into()),
            ..empty
        },
        Event::Question(q) => BindingEvent {
            kind: "question".to_owned(),
            question: Some(q.question),
            session: Some(q.session.0),
            frame: Some(q.frame.into()),
            ..empty
        },
        Event::Warning(message) => BindingEvent {
            kind: "log".to_owned(),
            level: Some("warn".to_owned()),
            message: Some(message),
            ..empty
        },
        Event::Fatal(message) => BindingEvent {
            kind: "fatal".to_owned(),
            message: Some(message),
            ..empty
        },
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// Exact up to 2^53.
#[allow(clippy::cast_precision_loss)]
fn number(n: u64) -> f64 {
    n as f64
}

#[allow(clippy::cast_precision_loss)]
fn millis(micros: i64) -> f64 {
    (micros / 1000) as f64
}

pub(crate) fn status(s: Status) -> BindingStatus {
    BindingStatus {
        uptime_ms: millis(s.uptime_micros),
        connections: count(s.connections),
        listeners: count(s.listeners),
        sessions: count(s.sessions),
        sockets: count(s.sockets),
        counters: s
            .counters
            .into_iter()
            .map(|(k, v)| (k.to_owned(), number(v)))
            .collect(),
    }
}

pub(crate) fn socket(r: SocketRow) -> BindingSocket {
    BindingSocket {
        id: r.id,
        protocol: r.protocol.to_owned(),
        family: r.family.into(),
        state: r.state,
        shortcut: r.shortcut,
        local: r.local,
        peer: r.peer,
        recv_queue: number(r.recv_queue as u64),
        send_queue: number(r.send_queue as u64),
        session: r.session,
        pid: r.pid,
        program: r.program,
        uid: r.uid,
        age_ms: millis(r.age_micros),
        rx_bytes: number(r.rx_bytes),
        tx_bytes: number(r.tx_bytes),
        sender: r.sender.as_ref().map(sender),
    }
}

fn sender(s: &SenderInfo) -> BindingSender {
    let ms = |span: Span| number(span.micros()) / 1e3;
    BindingSender {
        congestion: s.algorithm.name().to_owned(),
        cwnd: number(s.cwnd),
        ssthresh: s.ssthresh.map(number),
        rtt_ms: s.srtt.map(ms),
        rtt_variation_ms: ms(s.rttvar),
        min_rtt_ms: ms(s.min_rtt),
        rto_ms: ms(s.rto),
        in_flight: number(s.in_flight),
        lost: number(s.lost),
        sacked: number(s.sacked),
        unsent: number(s.unsent),
        retransmissions: number(s.stats.retransmissions),
        timeouts: number(s.stats.timeouts),
        pacing_rate: s.pacing_rate.map(number),
        delivery_rate: number(s.delivery_rate),
    }
}

pub(crate) fn session(r: SessionRow) -> BindingSession {
    BindingSession {
        id: r.id,
        pid: r.pid,
        uid: r.uid,
        program: r.program,
        parent: r.parent,
        sockets: r.sockets,
        age_ms: millis(r.age_micros),
    }
}
