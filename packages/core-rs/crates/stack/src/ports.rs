//! Who holds which local address and port: conflicts of `bind` and `listen` by Linux's rules
//! (socket(7) `SO_REUSEADDR`; `inet_csk_get_port` in Linux), look-up of listeners, ephemeral ports.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use rustc_hash::FxBuildHasher;

use crate::PcbId;

/// Linux's `net.ipv4.ip_local_port_range`.
pub(crate) const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// An address a block is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) id: PcbId,
    /// IPv4 addresses unmapped; unspecified for any.
    pub(crate) addr: IpAddr,
    pub(crate) port: u16,
    /// An `AF_INET6` wildcard that takes IPv4 too.
    pub(crate) dual: bool,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
    pub(crate) listening: bool,
}

impl Binding {
    /// Linux's `inet_rcv_saddr_equal`.
    fn overlaps(&self, addr: IpAddr, dual: bool) -> bool {
        match (self.addr, addr) {
            (IpAddr::V4(a), IpAddr::V4(b)) => a.is_unspecified() || b.is_unspecified() || a == b,
            (IpAddr::V6(a), IpAddr::V6(b)) => a.is_unspecified() || b.is_unspecified() || a == b,
            (IpAddr::V6(a), IpAddr::V4(_)) => a.is_unspecified() && self.dual,
            (IpAddr::V4(_), IpAddr::V6(b)) => b.is_unspecified() && dual,
        }
    }

    /// How well a listener fits a local address, as in Linux's `compute_score`: an exact address
    /// before a wildcard, the same family before dual-stack.
    fn score(&self, local: IpAddr) -> Option<u8> {
        match (self.addr, local) {
            _ if self.addr == local => Some(3),
            (IpAddr::V4(a), IpAddr::V4(_)) if a.is_unspecified() => Some(2),
            (IpAddr::V6(a), IpAddr::V6(_)) if a.is_unspecified() => Some(2),
            (IpAddr::V6(a), IpAddr::V4(_)) if a.is_unspecified() && self.dual => Some(1),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
        }
    }
}

/// Connections and tombstones with one local address and port.
#[derive(Clone, Copy, Debug)]
struct Flows {
    addr: IpAddr,
    /// Made with and without `SO_REUSEADDR`.
    reuse: u32,
    strict: u32,
}

#[derive(Debug, Default)]
struct Port {
    bound: Vec<Binding>,
    flows: Vec<Flows>,
}

/// All local ports in use.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    // Ports are local numbers, no peer chooses them: a fast hash does.
    table: HashMap<u16, Port, FxBuildHasher>,
}

impl Ports {
    /// Whether `new` may be bound.
    pub(crate) fn may_bind(&self, new: &Binding) -> bool {
        let Some(port) = self.table.get(&new.port) else {
            return true;
        };
        let bound = port
            .bound
            .iter()
            .filter(|other| other.id != new.id)
            .all(|other| {
                let shared = (new.reuse_addr && other.reuse_addr && !other.listening)
                    || (new.reuse_port && other.reuse_port);
                shared || !other.overlaps(new.addr, new.dual)
            });
        let flows = port.flows.iter().all(|flows| {
            let conflicting = flows.strict > 0 || !new.reuse_addr;
            !conflicting || !new.overlaps(flows.addr, false)
        });
        bound && flows
    }

    /// Whether a bound block may listen: a second listener needs `SO_REUSEPORT` on both.
    pub(crate) fn may_listen(&self, new: &Binding) -> bool {
        let Some(port) = self.table.get(&new.port) else {
            return true;
        };
        port.bound
            .iter()
            .filter(|other| other.id != new.id && other.listening)
            .all(|other| {
                (new.reuse_port && other.reuse_port) || !other.overlaps(new.addr, new.dual)
            })
    }

    pub(crate) fn bind(&mut self, binding: Binding) {
        self.table
            .entry(binding.port)
            .or_default()
            .bound
            .push(binding);
    }

    pub(crate) fn set_listening(&mut self, port: u16, id: PcbId) {
        if let Some(port) = self.table.get_mut(&port) {
            for binding in port.bound.iter_mut().filter(|binding| binding.id == id) {
                binding.listening = true;
            }
        }
    }

    pub(crate) fn unbind(&mut self, port: u16, id: PcbId) {
        if let Some(entry) = self.table.get_mut(&port) {
            entry.bound.retain(|binding| binding.id != id);
            self.tidy(port);
        }
    }

    /// A connection begins.
    pub(crate) fn flow_begins(&mut self, addr: IpAddr, port: u16, reuse: bool) {
        let flows = &mut self.table.entry(port).or_default().flows;
        let at = flows
            .iter()
            .position(|flow| flow.addr == addr)
            .unwrap_or_else(|| {
                flows.push(Flows {
                    addr,
                    reuse: 0,
                    strict: 0,
                });
                flows.len() - 1
            });
        *(if reuse {
            &mut flows[at].reuse
        } else {
            &mut flows[at].strict
        }) += 1;
    }

    /// A connection, or its tombstone, ends.
    pub(crate) fn flow_ends(&mut self, addr: IpAddr, port: u16, reuse: bool) {
        let Some(entry) = self.table.get_mut(&port) else {
            return;
        };
        if let Some(flow) = entry.flows.iter_mut().find(|flow| flow.addr == addr) {
            let count = if reuse {
                &mut flow.reuse
            } else {
                &mut flow.strict
            };
            *count = count.saturating_sub(1);
        }
        entry.flows.retain(|flow| flow.reuse + flow.strict > 0);
        self.tidy(port);
    }

    /// The listener for a SYN; `spread` chooses among those of one `SO_REUSEPORT` group.
    pub(crate) fn listener(&self, local: IpAddr, port: u16, spread: u64) -> Option<PcbId> {
        let bound = &self.table.get(&port)?.bound;
        let scored = || {
            let listening = bound.iter().filter(|binding| binding.listening);
            listening.filter_map(|binding| Some((binding.score(local)?, binding.id)))
        };
        let best = scored().map(|(score, _)| score).max()?;
        let group = || {
            scored()
                .filter(|(score, _)| *score == best)
                .map(|(_, id)| id)
        };
        let pick = spread % group().count() as u64;
        group().nth(usize::try_from(pick).unwrap_or(0))
    }

    /// A port for an automatic `bind`.
    pub(crate) fn free_port(&self, start: u64, wanted: &Binding) -> Option<u16> {
        candidates(start).find(|port| {
            self.may_bind(&Binding {
                port: *port,
                ..*wanted
            })
        })
    }

    /// A port for an automatic bind by `connect`: others that connected may share it, as long as
    /// the four-tuple is free; nothing explicitly bound may.
    pub(crate) fn connect_port(
        &self,
        start: u64,
        local: IpAddr,
        taken: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        candidates(start).find(|port| {
            let bound = self.table.get(port).is_some_and(|entry| {
                entry
                    .bound
                    .iter()
                    .any(|binding| binding.overlaps(local, false))
            });
            !bound && !taken(*port)
        })
    }

    fn tidy(&mut self, port: u16) {
        if self
            .table
            .get(&port)
            .is_some_and(|e| e.bound.is_empty() && e.flows.is_empty())
        {
            self.table.remove(&port);
        }
    }
}

/// Every ephemeral port once, from a place the caller's hash chose (RFC 6056 3.3.3).
fn candidates(start: u64) -> impl Iterator<Item = u16> {
    let (first, last) = (*EPHEMERAL.start(), *EPHEMERAL.end());
    let count = u64::from(last - first) + 1;
    (0..count).filter_map(move |step| {
        let offset = u16::try_from(start.wrapping_add(step) % count).ok()?;
        Some(first + offset)
    })
}
