/** generate.mjs N: pattern(N) on standard output. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pattern } from '../lib/pattern.mjs';

await pipeline(
  Readable.from(pattern(Number(process.argv[2])), { objectMode: false, highWaterMark: 262_144 }),
  process.stdout,
);
