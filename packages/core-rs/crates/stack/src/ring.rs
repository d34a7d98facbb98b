//! Memory of a connection's rings. The stack asks for it and gives it back; where it comes from
//! (mapped lazily, pooled) is the owner's business.

use std::fmt;

/// Bytes that a ring lives in.
pub trait RingBytes: Send {
    /// The bytes; always the same slice.
    fn bytes(&self) -> &[u8];

    /// The same slice, to write to.
    fn bytes_mut(&mut self) -> &mut [u8];

    /// Bytes of pages in memory that come with it; only an owner whose rings can be given back says more than 0.
    fn touched(&self) -> usize {
        0
    }

    /// What gives the pages back while the stack uses the ring; where there is nothing to give back, nothing.
    fn pages(&self) -> Option<Box<dyn RingPages>> {
        None
    }

    /// Lets the owner take its own type back in [`RingSource::give`].
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}

/// The pages of a ring that is in use.
pub trait RingPages: Send {
    /// Gives them back to where memory comes from. Called while the ring is empty: what it contains is not
    /// read before it is written again.
    fn give_back(&self);
}

/// Owned memory of one ring.
pub struct Ring(Box<dyn RingBytes>);

impl Ring {
    /// Wraps the owner's memory.
    pub fn new(bytes: impl RingBytes + 'static) -> Ring {
        Ring(Box::new(bytes))
    }

    /// See [`RingBytes::touched`].
    pub fn touched(&self) -> usize {
        self.0.touched()
    }

    /// See [`RingBytes::pages`].
    pub fn pages(&self) -> Option<Box<dyn RingPages>> {
        self.0.pages()
    }

    /// The owner's memory again, when it is a `T`.
    pub fn downcast<T: RingBytes + 'static>(self) -> Option<Box<T>> {
        self.0.into_any().downcast().ok()
    }
}

impl AsRef<[u8]> for Ring {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl AsMut<[u8]> for Ring {
    fn as_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ring")
    }
}

/// Where rings come from and go back to.
pub trait RingSource {
    /// Memory of exactly `len` bytes, or `None` when there is none: the connection is refused.
    /// The contents don't matter.
    fn take(&mut self, len: usize) -> Option<Ring>;

    /// Memory that is no longer used, of whose pages no more than `touched` bytes are in memory.
    fn give(&mut self, ring: Ring, touched: usize);

    /// Whether more memory lies free than a quiet owner should keep.
    fn excess(&self) -> bool {
        false
    }

    /// Lets it go.
    fn trim(&mut self) {}
}

impl RingBytes for Vec<u8> {
    fn bytes(&self) -> &[u8] {
        self
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send> {
        self
    }
}

/// Rings on the heap: for tests and small programs.
#[derive(Debug, Default)]
pub struct HeapRings {
    free: Vec<Ring>,
    /// Rings handed out and not given back.
    pub taken: usize,
}

impl RingSource for HeapRings {
    fn take(&mut self, len: usize) -> Option<Ring> {
        self.taken += 1;
        let reused = self.free.pop().and_then(Ring::downcast::<Vec<u8>>);
        let bytes = reused.map_or_else(|| vec![0; len], |kept| *kept);
        Some(Ring::new(if bytes.len() == len {
            bytes
        } else {
            vec![0; len]
        }))
    }

    fn give(&mut self, ring: Ring, _: usize) {
        self.taken = self.taken.saturating_sub(1);
        if self.free.len() < 64 {
            self.free.push(ring);
        }
    }
}
