/** Builds the C programs of the tests into e2e/bin, and once more, with musl, into e2e/bin/musl. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { GLIBC_ONLY } from '../lib/differential.mjs';

const SOURCES = ['differential/', 'programs/'].map((dir) => fileURLToPath(new URL(`../${dir}`, import.meta.url)));
const BIN = fileURLToPath(new URL('../bin/', import.meta.url));
const FLAGS = [
  '-std=gnu11',
  '-O1',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-unused-result',
  '-Wno-restrict',
  '-Wno-stringop-overflow',
];

/** What a program is linked against besides libc. */
const LIBRARIES = { 'uring.c': ['-luring'], 'look-ups.c': ['-lresolv'] };
/** musl's headers come without the kernel's: of programs/ only what needs none. */
const ALSO_MUSL = ['http-get', 'look-ups'];
const [DIFFERENTIAL, PROGRAMS] = SOURCES;

for (const dir of SOURCES) build('gcc', dir, BIN, () => true);
build('musl-gcc', DIFFERENTIAL, `${BIN}musl/`, (name) => !GLIBC_ONLY.includes(name));
build('musl-gcc', PROGRAMS, `${BIN}musl/`, (name) => ALSO_MUSL.includes(name));

function build(compiler, dir, into, wanted) {
  mkdirSync(into, { recursive: true });
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.c') && wanted(name.slice(0, -2)))) {
    const program = `${into}${file.slice(0, -2)}`;
    if (isNewer(program, [`${dir}${file}`, `${SOURCES[0]}d.h`])) continue;
    execFileSync(compiler, [...FLAGS, '-o', program, `${dir}${file}`, '-lpthread', ...(LIBRARIES[file] ?? [])], {
      stdio: 'inherit',
    });
  }
}

function isNewer(target, sources) {
  const made = statSync(target, { throwIfNoEntry: false });
  return made !== undefined && sources.every((source) => statSync(source).mtimeMs < made.mtimeMs);
}
