//! Joins the stack to a link: the link is put together, frames go out, ring memory comes from sys.

use std::any::Any;
use std::io;

use netcon_link::{CaptureLink, Checksum, FaultLink, Link, Segment, TapLink, TxOffload};
use netcon_stack::{FrameSink, Ring, RingBytes, RingPages, RingSource, TxMeta};
use netcon_sys::heap;
use netcon_sys::netlink;
use netcon_sys::slab::{Keep, Pages, Slab, SlabPool};
use netcon_sys::tap::{Tap, TapError};

use crate::config::{Config, TapConfig, TapReport};
use crate::error::OpenError;

/// The tap's queue towards us: longer than the default 500, or bursts of small frames are lost.
const TX_QUEUE_LEN: u32 = 2000;
/// Free rings' pages that are kept for the next connections: those of a dozen bulk transfers while there are some, a few
/// hundred small connections' worth otherwise.
const WARM: Keep = Keep {
    busy: 64 << 20,
    quiet: 1 << 20,
};

/// When so many rings more than now were in use, their connections have left holes in the heap that are worth a look:
/// 4 MiB. malloc_trim(3) takes a millisecond or a few.
const MANY: usize = 1000;

type BoxedLink = Box<dyn Link + Send>;

/// The link that the configuration asks for.
pub(crate) fn open_link(config: &Config) -> Result<Option<(BoxedLink, TapReport)>, OpenError> {
    let Some(tap) = &config.tap else {
        return Ok(None);
    };
    let (device, report) = open_tap(tap)?;
    let mut link: BoxedLink = Box::new(TapLink::new(device));
    if let Some(fault) = &config.fault {
        link = Box::new(FaultLink::new(link, fault.seed, fault.faults, fault.faults));
    }
    if let Some(path) = &config.capture {
        let failed = |source| OpenError::Capture {
            path: path.clone(),
            source,
        };
        link = Box::new(CaptureLink::create(link, path).map_err(failed)?);
    }
    Ok(Some((link, report)))
}

fn open_tap(tap: &TapConfig) -> Result<(Tap, TapReport), OpenError> {
    let name = || tap.name.clone();
    let (device, info) = Tap::open(&tap.name, tap.offload).map_err(|e| match e {
        TapError::NoDevice => OpenError::TapNoDevice,
        TapError::Denied => OpenError::TapDenied(name()),
        TapError::Busy => OpenError::TapBusy(name()),
        TapError::BadName => OpenError::TapName(name()),
        other @ TapError::Other { .. } => OpenError::Tap {
            name: name(),
            reason: other.to_string(),
        },
    })?;
    let configured = netlink::configure(
        &info.name,
        &tap.host_addresses,
        Some(tap.mtu.into()),
        Some(TX_QUEUE_LEN),
    );
    let report = TapReport {
        name: info.name,
        offload: info.offload,
        offload_reason: info.reason,
        configure_reason: configured.err().map(|e| e.to_string()),
    };
    Ok((device, report))
}

fn offload(meta: &TxMeta) -> TxOffload {
    TxOffload {
        checksum: meta.csum.map(|c| Checksum {
            start: c.start,
            offset: c.offset,
        }),
        segment: meta.gso.map(|g| Segment {
            v6: g.v6,
            header_len: g.hdr_len,
            size: g.size,
        }),
    }
}

/// Sends the stack's frames on a link, or nowhere when there is none.
pub(crate) struct LinkSink<'a> {
    pub(crate) link: Option<&'a mut (dyn Link + Send + 'static)>,
    pub(crate) sent: &'a mut u64,
    pub(crate) failed: &'a mut u64,
}

impl LinkSink<'_> {
    /// A frame the link cannot take is lost, as on any wire; TCP sends it again.
    fn count(&mut self, sent: &io::Result<()>) {
        match sent {
            Ok(()) => *self.sent += 1,
            Err(_) => *self.failed += 1,
        }
    }
}

impl FrameSink for LinkSink<'_> {
    fn send(&mut self, meta: &TxMeta, frame: &[u8]) {
        let Some(link) = self.link.as_mut() else {
            return;
        };
        let sent = link.send(&offload(meta), frame);
        self.count(&sent);
    }

    fn send_parts(&mut self, meta: &TxMeta, parts: [&[u8]; 3]) {
        let Some(link) = self.link.as_mut() else {
            return;
        };
        let sent = link.send_parts(&offload(meta), parts);
        self.count(&sent);
    }
}

/// Ring memory out of a pool of mappings.
#[derive(Debug)]
pub(crate) struct SlabRings {
    pool: SlabPool,
    /// Rings in use, and the most since the heap was tidied.
    used: usize,
    most: usize,
}

struct SlabRing(Slab);

impl RingBytes for SlabRing {
    fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn touched(&self) -> usize {
        self.0.touched()
    }

    fn pages(&self) -> Option<Box<dyn RingPages>> {
        Some(Box::new(SlabPages(self.0.pages())))
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

struct SlabPages(Pages);

impl RingPages for SlabPages {
    fn give_back(&self) {
        // Refused, it stays, which is harmless.
        let _ = self.0.give_back();
    }
}

impl SlabRings {
    pub(crate) fn new(len: usize) -> SlabRings {
        SlabRings {
            pool: SlabPool::new(len, WARM),
            used: 0,
            most: 0,
        }
    }
}

impl RingSource for SlabRings {
    fn take(&mut self, _len: usize) -> Option<Ring> {
        let slab = self.pool.take()?;
        self.used += 1;
        self.most = self.most.max(self.used);
        Some(Ring::new(SlabRing(slab)))
    }

    fn give(&mut self, ring: Ring, touched: usize) {
        self.used -= 1;
        if let Some(slab) = ring.downcast::<SlabRing>() {
            self.pool.give(slab.0, touched);
        }
    }

    fn excess(&self) -> bool {
        self.pool.excess() || self.most - self.used >= MANY
    }

    fn trim(&mut self) {
        self.pool.trim();
        if self.most - self.used >= MANY {
            self.most = self.used;
            heap::trim();
        }
    }
}
