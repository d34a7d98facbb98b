//! Who is behind an address on the link: the cache that ARP (RFC 826) and NDP (RFC 4861) fill.
//!
//! A neighbour is asked for up to three times, a second apart, as Linux does; then it has failed,
//! and the next packet asks anew. Packets of the stack's own wait in a short queue meanwhile;
//! connections are told to wait and to try again. A neighbour not confirmed for a while is asked
//! again while it is in use, so an idle stack has no timer here.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use smoltcp::time::{Duration, Instant};

use crate::PcbId;
use crate::hash::SipKey;

/// Entries held; the one longest unconfirmed gives way.
const ENTRIES: usize = 1024;
/// Linux's `mcast_solicit` and `ucast_solicit`.
const PROBES: u8 = 3;
/// Linux's `retrans_time`.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);
/// RFC 4861 10, `REACHABLE_TIME`.
const FRESH: Duration = Duration::from_secs(30);
/// Packets waiting for one neighbour, and the longest of them.
const PENDING: usize = 16;
const PENDING_LEN: usize = 2048;
/// Connections waiting for one neighbour that are told when it fails.
const WAITERS: usize = 4096;

/// An Ethernet address.
pub(crate) type Mac = [u8; 6];

#[derive(Debug)]
struct Neighbour {
    mac: Option<Mac>,
    confirmed: Instant,
    /// Probes sent since it was last confirmed.
    probes: u8,
    /// A probe is out, and [`Neighbours::due`] has its entry.
    probing: bool,
    pending: VecDeque<Box<[u8]>>,
    waiters: Vec<PcbId>,
}

/// What is known of a neighbour.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Its address.
    Known(Mac),
    /// Its address; ask it (alone) whether it is still there.
    Doubtful(Mac),
    /// Not known: ask everybody.
    Ask,
    /// Not known, and asked.
    Asked,
}

/// What to do when a probe was not answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lapse {
    /// Ask again; the neighbour alone when its address is known.
    Probe(IpAddr, Option<Mac>),
    /// Given up. These connections and packets waited.
    Failed(Vec<PcbId>, VecDeque<Box<[u8]>>),
}

/// The cache.
#[derive(Debug)]
pub(crate) struct Neighbours {
    table: HashMap<IpAddr, Neighbour, SipKey>,
    /// When probes are due; all wait equally long, so the order is one of time.
    due: VecDeque<(Instant, IpAddr)>,
}

impl Neighbours {
    pub(crate) fn new(key: SipKey) -> Neighbours {
        Neighbours {
            table: HashMap::with_hasher(key),
            due: VecDeque::new(),
        }
    }

    /// Looks a neighbour up in order to send to it.
    pub(crate) fn find(&mut self, ip: IpAddr, now: Instant) -> Answer {
        if !self.table.contains_key(&ip) {
            self.make_room();
            self.table.insert(ip, Neighbour::unknown(now));
        }
        let Some(neighbour) = self.table.get_mut(&ip) else {
            return Answer::Asked;
        };
        let stale = neighbour.mac.is_none() || now >= neighbour.confirmed + FRESH;
        let ask = stale && !neighbour.probing;
        if ask {
            neighbour.probing = true;
            neighbour.probes = 1;
            self.due.push_back((now + PROBE_INTERVAL, ip));
        }
        match (neighbour.mac, ask) {
            (Some(mac), false) => Answer::Known(mac),
            (Some(mac), true) => Answer::Doubtful(mac),
            (None, true) => Answer::Ask,
            (None, false) => Answer::Asked,
        }
    }

    /// Keeps a packet until the neighbour is known; false when it was dropped.
    pub(crate) fn hold(&mut self, ip: IpAddr, packet: &[u8]) -> bool {
        let Some(neighbour) = self.table.get_mut(&ip) else {
            return false;
        };
        let room = neighbour.pending.len() < PENDING && packet.len() <= PENDING_LEN;
        if room {
            neighbour.pending.push_back(packet.into());
        }
        room
    }

    /// Notes a connection that waits for the neighbour.
    pub(crate) fn wait(&mut self, ip: IpAddr, id: PcbId) {
        if let Some(neighbour) = self.table.get_mut(&ip)
            && neighbour.waiters.len() < WAITERS
        {
            neighbour.waiters.push(id);
        }
    }

    /// A neighbour has said where it is. An unknown one is only noted when `create`: it asked for
    /// us, and will be answered. Gives what waited.
    pub(crate) fn learn(
        &mut self,
        ip: IpAddr,
        mac: Mac,
        create: bool,
        now: Instant,
    ) -> (VecDeque<Box<[u8]>>, Vec<PcbId>) {
        if create && !self.table.contains_key(&ip) {
            self.make_room();
            self.table.insert(ip, Neighbour::unknown(now));
        }
        let Some(neighbour) = self.table.get_mut(&ip) else {
            return Default::default();
        };
        neighbour.mac = Some(mac);
        neighbour.confirmed = now;
        neighbour.probing = false;
        (
            std::mem::take(&mut neighbour.pending),
            std::mem::take(&mut neighbour.waiters),
        )
    }

    /// When the next probe is due.
    pub(crate) fn deadline(&mut self) -> Option<Instant> {
        while let Some((_, ip)) = self.due.front() {
            if self
                .table
                .get(ip)
                .is_some_and(|neighbour| neighbour.probing)
            {
                return self.due.front().map(|(at, _)| *at);
            }
            self.due.pop_front();
        }
        None
    }

    /// Takes one probe that is due.
    pub(crate) fn lapse(&mut self, now: Instant) -> Option<Lapse> {
        while self.deadline()? <= now {
            let (_, ip) = self.due.pop_front()?;
            let Some(neighbour) = self.table.get_mut(&ip).filter(|n| n.probing) else {
                continue;
            };
            if neighbour.probes < PROBES {
                neighbour.probes += 1;
                self.due.push_back((now + PROBE_INTERVAL, ip));
                return Some(Lapse::Probe(ip, neighbour.mac));
            }
            let gone = self.table.remove(&ip)?;
            return Some(Lapse::Failed(gone.waiters, gone.pending));
        }
        None
    }

    /// Neighbours known, for tests and listings.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    fn make_room(&mut self) {
        if self.table.len() < ENTRIES {
            return;
        }
        // One walk over a small table, and only when it is full.
        let oldest = self
            .table
            .iter()
            .min_by_key(|(_, n)| (n.probing, n.confirmed));
        if let Some(ip) = oldest.map(|(ip, _)| *ip) {
            self.table.remove(&ip);
        }
        if self.due.len() > 2 * ENTRIES {
            let table = &self.table;
            self.due
                .retain(|(_, ip)| table.get(ip).is_some_and(|n| n.probing));
        }
    }
}

impl Neighbour {
    fn unknown(now: Instant) -> Neighbour {
        Neighbour {
            mac: None,
            confirmed: now,
            probes: 0,
            probing: false,
            pending: VecDeque::new(),
            waiters: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
