import { createHash } from 'node:crypto';

const CHUNK = 65_536;
const base = makeBase();

/** `size` bytes in which no two chunks are alike, so that a lost, doubled or swapped one changes the hash. */
export function* pattern(size) {
  for (let at = 0; at < size; at += CHUNK) {
    const chunk = Buffer.from(base);
    chunk.writeBigUInt64LE(BigInt(at) * 0x9e37n + 1n, 0);
    yield size - at < CHUNK ? chunk.subarray(0, size - at) : chunk;
  }
}

const hashes = new Map();

/** The SHA-256 of pattern(size). */
export function patternHash(size) {
  if (!hashes.has(size)) {
    const hash = createHash('sha256');
    for (const chunk of pattern(size)) hash.update(chunk);
    hashes.set(size, hash.digest('hex'));
  }
  return hashes.get(size);
}

/** Reproducible bytes that do not repeat within a chunk (xorshift32). */
function makeBase() {
  const bytes = Buffer.alloc(CHUNK);
  let x = 2_463_534_242;
  for (let i = 0; i < CHUNK; i += 4) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    bytes.writeInt32LE(x | 0, i);
  }
  return bytes;
}
