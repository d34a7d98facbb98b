// The programs that the benchmark builds for itself, in bench/bin.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCES = fileURLToPath(new URL('../tools', import.meta.url));
const BIN = fileURLToPath(new URL('../bin', import.meta.url));

/** Builds the named C programs where they are older than their sources; their paths by name. */
export function buildTools(names) {
  mkdirSync(BIN, { recursive: true });
  return Object.fromEntries(names.map((name) => [name, buildTool(name)]));
}

function buildTool(name) {
  const source = join(SOURCES, `${name}.c`);
  const program = join(BIN, name);
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra', '-pthread'];
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', program, source], { stdio: 'inherit' });
  return program;
}

/**
 * gVisor's runsc: of an earlier build, or built now from the Go module gvisor.dev/gvisor, which is newer than what
 * distributions have, or the one that is installed. Undefined if there is none.
 */
export function findRunsc() {
  const built = join(BIN, 'runsc');
  if (existsSync(built)) return built;
  const go = which('go');
  if (go !== undefined) {
    console.log('building gVisor’s runsc, once: some minutes');
    try {
      const module = join(BIN, 'gvisor');
      mkdirSync(module, { recursive: true });
      const options = { cwd: module, stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, CGO_ENABLED: '0' } };
      if (!existsSync(join(module, 'go.mod'))) execFileSync(go, ['mod', 'init', 'gvisor-for-bench'], options);
      execFileSync(go, ['get', 'gvisor.dev/gvisor/runsc@latest'], options);
      execFileSync(go, ['build', '-o', built, 'gvisor.dev/gvisor/runsc'], options);
      return built;
    } catch (error) {
      console.error(`bench: runsc could not be built: ${error.message.slice(-500)}`);
    }
  }
  return which('runsc');
}

/** The path of an installed program. */
export function which(name) {
  const places = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, name));
  return places.find((path) => existsSync(path));
}

/** One line about each program that is compared or that measures. */
export function versions(runsc) {
  const asked = [
    ['pasta', '--version'],
    ['slirp4netns', '--version'],
    [runsc, '--version'],
    ['iperf3', '--version'],
    ['wrk', '-v'],
    ['nginx', '-v'],
  ];
  return asked.flatMap(([program, option]) => (program ? [firstLine(program, option)] : [])).filter(Boolean);
}

function firstLine(program, option) {
  try {
    return execFileSync('sh', ['-c', '"$0" "$1" 2>&1 || true', program, option], { encoding: 'utf8' })
      .split('\n')[0]
      .trim();
  } catch {
    return '';
  }
}
