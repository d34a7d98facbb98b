//! SipHash-1-3 over 64-bit words, keyed with the stack's secret: peers choose what is hashed, so
//! the hash must not be theirs to predict (and RFC 6528 wants a keyed one).

use std::hash::{BuildHasher, Hasher};

/// Builds keyed hashers for the hash maps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SipKey {
    k0: u64,
    k1: u64,
}

impl SipKey {
    /// A key for one purpose, derived from the secret.
    pub(crate) fn derive(secret: [u64; 2], purpose: u64) -> SipKey {
        let root = SipKey {
            k0: secret[0],
            k1: secret[1],
        };
        SipKey {
            k0: root.hash(&[purpose, 0]),
            k1: root.hash(&[purpose, 1]),
        }
    }

    /// The hash of some words.
    pub(crate) fn hash(&self, words: &[u64]) -> u64 {
        let mut hasher = self.build_hasher();
        for word in words {
            hasher.write_u64(*word);
        }
        hasher.finish()
    }
}

impl BuildHasher for SipKey {
    type Hasher = Sip;

    fn build_hasher(&self) -> Sip {
        Sip {
            v: [
                self.k0 ^ 0x736f_6d65_7073_6575,
                self.k1 ^ 0x646f_7261_6e64_6f6d,
                self.k0 ^ 0x6c79_6765_6e65_7261,
                self.k1 ^ 0x7465_6462_7974_6573,
            ],
            bytes: 0,
        }
    }
}

/// A hash in the making. Words are absorbed whole, so only fixed-size keys may be hashed.
#[derive(Clone, Debug)]
pub(crate) struct Sip {
    v: [u64; 4],
    bytes: u64,
}

impl Sip {
    #[inline]
    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        b = b.rotate_left(13) ^ a;
        a = a.rotate_left(32);
        c = c.wrapping_add(d);
        d = d.rotate_left(16) ^ c;
        a = a.wrapping_add(d);
        d = d.rotate_left(21) ^ a;
        c = c.wrapping_add(b);
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }
}

impl Hasher for Sip {
    #[inline]
    fn write_u64(&mut self, word: u64) {
        self.v[3] ^= word;
        self.round();
        self.v[0] ^= word;
        self.bytes = self.bytes.wrapping_add(8);
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn finish(&self) -> u64 {
        let mut end = self.clone();
        end.v[3] ^= self.bytes << 56;
        end.round();
        end.v[0] ^= self.bytes << 56;
        end.v[2] ^= 0xff;
        end.round();
        end.round();
        end.round();
        end.v[0] ^ end.v[1] ^ end.v[2] ^ end.v[3]
    }
}

#[cfg(test)]
mod tests;
