// build-cdylib.mjs CRATE PROFILE DESTINATION: builds a cdylib crate and puts the library at DESTINATION (relative to the
// caller's directory). cargo itself says where its artefact is, so CARGO_TARGET_DIR is honoured.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const [crate, profile, destination] = process.argv.slice(2);
if (destination === undefined) throw new Error('usage: build-cdylib.mjs CRATE PROFILE DESTINATION');

const cargo = spawnSync(
  'cargo',
  ['build', '--locked', '-p', crate, '--profile', profile, '--message-format=json-render-diagnostics'],
  { cwd: resolve(import.meta.dirname, '../../..'), stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 },
);
if (cargo.error) {
  process.stderr.write(`cargo did not run: ${cargo.error.message}. Rust is needed: https://rustup.rs\n`);
  process.exit(1);
}
if (cargo.status !== 0) process.exit(cargo.status ?? 1);

const library = cargo.stdout
  .toString()
  .split('\n')
  .filter((line) => line.startsWith('{'))
  .map((line) => JSON.parse(line))
  .filter((m) => m.reason === 'compiler-artifact' && m.target.kind.includes('cdylib'))
  .flatMap((m) => m.filenames)
  .findLast((name) => name.endsWith('.so'));
if (library === undefined) throw new Error(`cargo built no library for ${crate}`);

// By rename: a process that has the old library mapped keeps its old file.
const target = resolve(destination);
mkdirSync(dirname(target), { recursive: true });
copyFileSync(library, `${target}.new`);
renameSync(`${target}.new`, target);
