//! Who holds which local address and port: conflicts of `bind` and `listen` by Linux's rules
//! (socket(7) `SO_REUSEADDR`; `inet_csk_get_port` in Linux), look-up of listeners, ephemeral ports.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;

use netcon_wire::Family;
use rustc_hash::FxBuildHasher;

use crate::{BindOptions, PcbId};

/// Linux's `net.ipv4.ip_local_port_range`.
pub(crate) const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// A local address, and how its holder shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// IPv4 addresses unmapped; unspecified for any.
    pub(crate) addr: IpAddr,
    /// An IPv6 address of a socket that takes IPv4 too (`IPV6_V6ONLY` is off).
    pub(crate) dual: bool,
    /// An IPv4 address of an `AF_INET6` socket.
    pub(crate) mapped: bool,
    pub(crate) reuse_addr: bool,
    pub(crate) reuse_port: bool,
}

impl Claim {
    /// `addr` as a socket of `family` with these options holds it.
    pub(crate) fn new(addr: IpAddr, family: Family, options: BindOptions) -> Claim {
        Claim {
            addr,
            dual: addr.is_ipv6() && family == Family::Inet6 && !options.v6only,
            mapped: addr.is_ipv4() && family == Family::Inet6,
            reuse_addr: options.reuse_addr,
            reuse_port: options.reuse_port,
        }
    }

    /// Linux's `inet_rcv_saddr_equal`, of a new claim and one that is held.
    fn overlaps(&self, other: &Claim) -> bool {
        let any = self.addr.is_unspecified() || other.addr.is_unspecified();
        match (self.addr, other.addr) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                any || self.addr == other.addr
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => any && self.dual,
            // A connection over IPv6 that would take IPv4 stands in the way of 0.0.0.0, too, but not
            // of ::ffff:0.0.0.0.
            (IpAddr::V4(_), IpAddr::V6(wide)) => {
                any && other.dual && (wide.is_unspecified() || !self.mapped)
            }
        }
    }

    fn both_reuse_port(&self, other: &Claim) -> bool {
        self.reuse_port && other.reuse_port
    }

    fn both_reuse_addr(&self, other: &Claim) -> bool {
        self.reuse_addr && other.reuse_addr
    }
}

/// An address a block is bound to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Binding {
    pub(crate) id: PcbId,
    pub(crate) claim: Claim,
    pub(crate) port: u16,
    pub(crate) listening: bool,
}

impl Binding {
    /// How well a listener fits a local address, as in Linux's `compute_score`: an exact address
    /// before a wildcard, the same family before dual-stack.
    fn score(&self, local: IpAddr) -> Option<u8> {
        let Claim { addr, dual, .. } = self.claim;
        match (addr, local) {
            _ if addr == local => Some(3),
            (IpAddr::V4(a), IpAddr::V4(_)) if a.is_unspecified() => Some(2),
            (IpAddr::V6(a), IpAddr::V6(_)) if a.is_unspecified() => Some(2),
            (IpAddr::V6(a), IpAddr::V4(_)) if a.is_unspecified() && dual => Some(1),
            (IpAddr::V4(_) | IpAddr::V6(_), _) => None,
        }
    }
}

/// Connections and tombstones that hold the same.
#[derive(Clone, Copy, Debug)]
struct Flows {
    claim: Claim,
    count: u32,
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
        let mine = &new.claim;
        self.no_conflict(new, |theirs, listening| {
            (mine.both_reuse_addr(theirs) && !listening) || mine.both_reuse_port(theirs)
        })
    }

    /// Whether everything on the port that overlaps with `new` may be shared.
    fn no_conflict(&self, new: &Binding, shared: impl Fn(&Claim, bool) -> bool) -> bool {
        let Some(port) = self.table.get(&new.port) else {
            return true;
        };
        let fits =
            |theirs: &Claim, listening| shared(theirs, listening) || !new.claim.overlaps(theirs);
        let mut others = port.bound.iter().filter(|other| other.id != new.id);
        others.all(|other| fits(&other.claim, other.listening))
            && port.flows.iter().all(|flows| fits(&flows.claim, false))
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
                new.claim.both_reuse_port(&other.claim) || !new.claim.overlaps(&other.claim)
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

    /// What a bound block holds from now on: another address while it is connected, other options.
    pub(crate) fn set_claim(&mut self, port: u16, id: PcbId, claim: Claim) {
        if let Some(port) = self.table.get_mut(&port) {
            for binding in port.bound.iter_mut().filter(|binding| binding.id == id) {
                binding.claim = claim;
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
    pub(crate) fn flow_begins(&mut self, port: u16, claim: Claim) {
        let flows = &mut self.table.entry(port).or_default().flows;
        match flows.iter_mut().find(|flows| flows.claim == claim) {
            Some(flows) => flows.count += 1,
            None => flows.push(Flows { claim, count: 1 }),
        }
    }

    /// A connection, or its tombstone, ends.
    pub(crate) fn flow_ends(&mut self, port: u16, claim: Claim) {
        let Some(entry) = self.table.get_mut(&port) else {
            return;
        };
        if let Some(flows) = entry.flows.iter_mut().find(|flows| flows.claim == claim) {
            flows.count = flows.count.saturating_sub(1);
        }
        entry.flows.retain(|flows| flows.count > 0);
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

    /// A port for an automatic `bind`: one that is shared with nobody, whatever the options say.
    pub(crate) fn free_port(&self, start: u64, wanted: &Binding) -> Option<u16> {
        candidates(start).find(|port| {
            let new = Binding {
                port: *port,
                ..*wanted
            };
            self.no_conflict(&new, |_, _| false)
        })
    }

    /// A port for an automatic bind by `connect`: others that connected may share it, as long as
    /// the four-tuple is free; nothing explicitly bound may.
    pub(crate) fn connect_port(
        &self,
        start: u64,
        local: &Claim,
        taken: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        candidates(start).find(|port| {
            let bound = self.table.get(port).is_some_and(|entry| {
                entry
                    .bound
                    .iter()
                    .any(|binding| local.overlaps(&binding.claim))
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
