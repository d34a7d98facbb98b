//! Connections that do not pass through the stack: both programs are here, and something outside carries their
//! octets. The stack keeps what such a connection holds in it: addresses, ports and the four-tuple, both ways.

use netcon_wire::SockAddr;
use smoltcp::time::Instant;

use super::Stack;
use crate::flow::{Flow, FlowKey};
use crate::net::Route;
use crate::pcb::{Kind, endpoint};
use crate::{ConnectError, PcbId};

/// Where a connect would begin, and the listener that its SYN would reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meeting {
    /// The listener.
    pub listener: PcbId,
    /// The connector's address, in its family; a port was chosen where it had none.
    pub local: SockAddr,
    key: FlowKey,
}

impl Stack {
    /// Who in this stack would answer a connect, as [`Stack::connect`] and a SYN would find it. Holds nothing yet;
    /// `None` when nobody listens or the way is not inside the stack.
    pub fn meet(
        &mut self,
        id: PcbId,
        to: SockAddr,
        now: Instant,
    ) -> Result<Option<Meeting>, ConnectError> {
        self.advance(now);
        self.may_connect(id)?;
        let start = self.starting_point(id, to)?;
        let ((local, port), (remote, remote_port)) = (start.key.local(), start.key.remote());
        if self.net.route(remote) != Route::Loop {
            return Ok(None);
        }
        let arrives = FlowKey::new(remote, remote_port, local, port);
        if self.flows.contains_key(&arrives) {
            return Ok(None);
        }
        let spread = self.port_key.hash(&arrives.words());
        let listener = self.ports.listener(remote, remote_port, spread);
        Ok(listener.map(|listener| Meeting {
            listener,
            local: endpoint((local, port), start.family),
            key: start.key,
        }))
    }

    /// The two are connected outside: the connector's block holds its end, and a new one, whose id comes back, the
    /// listener's. Each lasts until it is closed.
    pub fn join(&mut self, id: PcbId, meeting: &Meeting) -> Result<PcbId, ConnectError> {
        self.may_connect(id)?;
        let key = meeting.key;
        let ((local, port), (remote, remote_port)) = (key.local(), key.remote());
        let arrives = FlowKey::new(remote, remote_port, local, port);
        if self.flows.contains_key(&key) || self.flows.contains_key(&arrives) {
            return Err(ConnectError::InUse);
        }
        let listener = self
            .pcbs
            .get(meeting.listener)
            .ok_or(ConnectError::Refused)?;
        let (family, options, bind_options) =
            (listener.family, listener.options, listener.bind_options);
        let child = self.open(family).map_err(|_| ConnectError::NoBuffers)?;
        if let Some(pcb) = self.pcbs.get_mut(child) {
            pcb.options = options;
            pcb.bind_options = bind_options;
        }
        if let Some((bound, claim)) = self
            .pcbs
            .get(id)
            .and_then(|pcb| Some((pcb.bound?, pcb.flow_claim(local))))
        {
            self.ports.set_claim(bound.port, id, claim);
        }
        self.hold(id, key);
        self.hold(child, arrives);
        Ok(child)
    }

    fn hold(&mut self, id: PcbId, key: FlowKey) {
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return;
        };
        pcb.failed = None;
        pcb.kind = Kind::Direct(key);
        let (addr, port) = key.local();
        self.ports.flow_begins(port, pcb.flow_claim(addr));
        self.flows.insert(key, Flow::Pcb(id));
    }

    /// Gives back what a direct connection holds; true if it was one.
    pub(super) fn let_go(&mut self, id: PcbId) -> bool {
        let Some(pcb) = self.pcbs.get_mut(id) else {
            return false;
        };
        let Kind::Direct(key) = pcb.kind else {
            return false;
        };
        pcb.kind = Kind::Idle;
        let (addr, port) = key.local();
        self.ports.flow_ends(port, pcb.flow_claim(addr));
        if self.flows.get(&key) == Some(&Flow::Pcb(id)) {
            self.flows.remove(&key);
        }
        true
    }

    /// Connections outside the stack that wait for the listener's program: they take places in its backlog.
    pub fn backlog_outside(&mut self, listener: PcbId, waiting: usize) {
        if let Some(listener) = self.pcbs.listener_mut(listener) {
            listener.outside = waiting;
        }
    }
}
