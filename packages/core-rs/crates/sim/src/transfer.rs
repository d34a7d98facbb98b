//! Data that can be told wrong at every byte, and its way from one pcb to another.

use netcon_stack::{IoError, PcbId, Stack};

use crate::{Host, Pair, Side};

/// An endless stream of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Pattern(pub u64);

impl Pattern {
    /// The byte at a position.
    pub fn byte(self, at: u64) -> u8 {
        // Long periods, so that data of a wrong place is told.
        let mixed = (at ^ at >> 9 ^ at >> 17 ^ self.0).wrapping_mul(0x9e37_79b9);
        (mixed >> 16).to_le_bytes()[0]
    }

    fn fill(self, at: u64, buffer: &mut [u8]) {
        for (offset, byte) in buffer.iter_mut().enumerate() {
            *byte = self.byte(at + offset as u64);
        }
    }

    fn check(self, at: u64, data: &[u8]) {
        for (offset, byte) in data.iter().enumerate() {
            let at = at + offset as u64;
            assert_eq!(*byte, self.byte(at), "wrong byte at {at}");
        }
    }
}

/// Bytes on their way from one pcb to the other.
#[derive(Debug)]
pub struct Transfer {
    /// Where they come from.
    pub from: (Side, PcbId),
    /// Where they go.
    pub to: (Side, PcbId),
    /// How many.
    pub total: u64,
    /// Written so far.
    pub written: u64,
    /// Read and checked so far.
    pub read: u64,
    /// Shut the sending half down at the end.
    pub finish: bool,
    pattern: Pattern,
    finished: bool,
}

impl Transfer {
    /// A transfer that ends with a FIN.
    pub fn new(from: (Side, PcbId), to: (Side, PcbId), total: u64, seed: u64) -> Transfer {
        Transfer {
            from,
            to,
            total,
            written: 0,
            read: 0,
            finish: true,
            pattern: Pattern(seed),
            finished: false,
        }
    }

    /// Writes and reads what is possible now. True when everything has arrived.
    pub fn pump(&mut self, pair: &mut Pair) -> bool {
        self.write(&mut pair.host(self.from.0).stack);
        self.read(pair.host(self.to.0));
        self.read == self.total
    }

    /// Drives the pair until everything has arrived.
    pub fn run(&mut self, pair: &mut Pair) {
        let done = pair.drive(|pair| self.pump(pair));
        assert!(
            done,
            "stuck at {} of {} ({} written) at {}: {:?} {:?}",
            self.read, self.total, self.written, pair.now, pair.a.events, pair.b.events
        );
    }

    /// Writes what fits.
    pub fn write(&mut self, stack: &mut Stack) {
        while self.written < self.total {
            let left = self.total - self.written;
            let wrote = stack.write_with(self.from.1, |free| {
                let len = free.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                self.pattern.fill(self.written, &mut free[..len]);
                (len, len)
            });
            match wrote {
                Ok(0) | Err(IoError::NotConnected) => return,
                Ok(len) => self.written += len as u64,
                Err(error) => panic!("write at {}: {error:?}", self.written),
            }
        }
        if self.finish && !self.finished {
            self.finished = true;
            stack.shutdown_write(self.from.1);
        }
    }

    /// Reads and checks what has come.
    pub fn read(&mut self, host: &mut Host) {
        loop {
            let took = host.stack.read_with(self.to.1, |data| {
                self.pattern.check(self.read, data);
                (data.len(), data.len())
            });
            match took {
                Ok(0) | Err(IoError::NotConnected) => return,
                Ok(len) => self.read += len as u64,
                Err(error) => panic!("read at {}: {error:?}", self.read),
            }
        }
    }
}
