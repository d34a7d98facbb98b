import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { placeLibrary } from '../src/index.js';

const dir = mkdtempSync(join(tmpdir(), 'netcon-library-'));
after(() => rmSync(dir, { recursive: true }));

test('a copy of the library replaces an older one as a whole, readable to everybody', () => {
  const library = join(dir, 'built.so');
  const place = join(dir, 'libnetcon.so');
  writeFileSync(library, 'new', { mode: 0o600 });
  writeFileSync(place, 'old');
  const before = statSync(place).ino;
  placeLibrary(place, library);
  assert.equal(readFileSync(place, 'utf8'), 'new');
  assert.notEqual(statSync(place).ino, before, 'what is mapped is not written to');
  assert.equal(statSync(place).mode & 0o777, 0o755);
  assert.deepEqual(readdirSync(dir).sort(), ['built.so', 'libnetcon.so']);
});

test('a place that cannot be written is an error that names it, and nothing is left', () => {
  const library = join(dir, 'built.so');
  assert.throws(() => placeLibrary(join(dir, 'none/libnetcon.so'), library), {
    code: 'NETCON_LIBRARY_COPY',
    message: /none\/libnetcon\.so/,
  });
  assert.throws(() => placeLibrary(dir, library), { code: 'NETCON_LIBRARY_COPY' });
  assert.deepEqual(readdirSync(dir).sort(), ['built.so', 'libnetcon.so']);
});
