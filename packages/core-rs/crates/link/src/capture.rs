//! A copy of each frame into a pcap file, for tcpdump and wireshark.
//!
//! What is written is what the stack sees: a super-frame is one record, and a checksum that the link
//! was to complete is still partial (`tcpdump -K` does not complain about it).

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::fd::BorrowedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Link, RxOffload, TxOffload};

/// draft-ietf-opsawg-pcap 4: microseconds, in the byte order of the writer.
const MAGIC: u32 = 0xa1b2_c3d4;
const VERSION: [u16; 2] = [2, 4];
/// No frame is cut (tcpdump's own default).
const SNAP_LEN: u32 = 262_144;
const LINKTYPE_ETHERNET: u32 = 1;
/// How long a record may stay in memory: who reads along waits no longer than this.
const FLUSH_MICROS: u64 = 100_000;

/// Writes a pcap file.
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn new(mut out: W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend_from_slice(&MAGIC.to_ne_bytes());
        for part in VERSION {
            header.extend_from_slice(&part.to_ne_bytes());
        }
        // Two reserved words.
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&SNAP_LEN.to_ne_bytes());
        header.extend_from_slice(&LINKTYPE_ETHERNET.to_ne_bytes());
        out.write_all(&header)?;
        Ok(Self { out })
    }

    /// Appends a frame seen at `micros` since 1970.
    ///
    /// # Errors
    ///
    /// Those of the writer; the file may end in the middle of a record then.
    pub fn write(&mut self, micros: u64, frame: &[u8]) -> io::Result<()> {
        // Unsigned 32-bit seconds end in 2106; after that they start again, as the format has it.
        let seconds = u32::try_from((micros / 1_000_000) & u64::from(u32::MAX)).unwrap_or(0);
        let fraction = u32::try_from(micros % 1_000_000).unwrap_or(0);
        let len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        for field in [seconds, fraction, len, len] {
            self.out.write_all(&field.to_ne_bytes())?;
        }
        self.out.write_all(frame)
    }

    /// Hands on what is buffered.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// A link that records what passes. Recording stops at the first error; the link goes on.
#[derive(Debug)]
pub struct CaptureLink<L, W: Write = BufWriter<File>> {
    inner: L,
    pcap: Option<PcapWriter<W>>,
    now: u64,
    flush_at: Option<u64>,
    clock: fn() -> u64,
    warning: Option<String>,
}

impl<L: Link> CaptureLink<L> {
    /// Records into a new file, readable by its owner only: it holds what programs say to each other.
    ///
    /// # Errors
    ///
    /// Those of open(2) and write(2).
    pub fn create(inner: L, path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        Self::new(inner, BufWriter::with_capacity(1 << 18, file), wall_clock)
    }
}

impl<L: Link, W: Write + Send> CaptureLink<L, W> {
    /// Records into any writer, with a clock of microseconds since 1970.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    pub fn new(inner: L, out: W, clock: fn() -> u64) -> io::Result<Self> {
        Ok(Self {
            inner,
            pcap: Some(PcapWriter::new(out)?),
            now: 0,
            flush_at: Some(0),
            clock,
            warning: None,
        })
    }

    fn record(&mut self, frame: &[u8]) {
        let now = (self.clock)();
        self.attempt(|pcap| pcap.write(now, frame));
        self.flush_at
            .get_or_insert(self.now.saturating_add(FLUSH_MICROS));
    }

    fn attempt(&mut self, action: impl FnOnce(&mut PcapWriter<W>) -> io::Result<()>) {
        let Some(pcap) = &mut self.pcap else {
            return;
        };
        if let Err(e) = action(pcap) {
            self.pcap = None;
            self.warning = Some(format!("capture stopped: {e}"));
        }
    }
}

impl<L: Link, W: Write + Send> Link for CaptureLink<L, W> {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<Option<(RxOffload, usize)>> {
        let received = self.inner.recv(buf)?;
        if let Some((_, len)) = received
            && let Some(frame) = buf.get(..len)
        {
            self.record(frame);
        }
        Ok(received)
    }

    fn send(&mut self, offload: &TxOffload, frame: &[u8]) -> io::Result<()> {
        self.record(frame);
        self.inner.send(offload, frame)
    }

    fn poll_timeout(&self) -> Option<u64> {
        let flush_at = self.flush_at.filter(|_| self.pcap.is_some());
        [flush_at, self.inner.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    fn handle_timeout(&mut self, now_micros: u64) {
        self.inner.handle_timeout(now_micros);
        self.now = now_micros;
        if self.flush_at.is_some_and(|at| at <= now_micros) {
            self.flush_at = None;
            self.attempt(PcapWriter::flush);
        }
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }

    fn take_warning(&mut self) -> Option<String> {
        self.warning.take().or_else(|| self.inner.take_warning())
    }
}

fn wall_clock() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
