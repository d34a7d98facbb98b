/** Builds the C programs of the tests into e2e/bin. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

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

mkdirSync(BIN, { recursive: true });
for (const dir of SOURCES) {
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.c'))) {
    const program = `${BIN}${file.slice(0, -2)}`;
    if (isNewer(program, [`${dir}${file}`, `${SOURCES[0]}d.h`])) continue;
    execFileSync('gcc', [...FLAGS, '-o', program, `${dir}${file}`, '-lpthread'], { stdio: 'inherit' });
  }
}

function isNewer(target, sources) {
  const made = statSync(target, { throwIfNoEntry: false });
  return made !== undefined && sources.every((source) => statSync(source).mtimeMs < made.mtimeMs);
}
