#!/usr/bin/env node
// `pnpm bench`: netcon against kernel TCP over veth, in one run, round after round. See docs/performance.md.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LATBENCH, MEASURES, startServers } from './lib/measures.mjs';
import { makeHost, netconNetwork, removeAll, vethNetwork } from './lib/networks.mjs';
import { stopAll } from './lib/processes.mjs';
import { commit, describeMachine, table, writePage } from './lib/report.mjs';

const USAGE = `Usage: pnpm bench [--rounds N] [--quick] [--only veth|netcon] [--measures a,b] [--no-write]

Measures netcon and kernel TCP over veth in turn, and writes the medians to docs/performance.md.
Needs root, iproute2, util-linux, iperf3 and a C compiler; everything happens in namespaces of its own.

  --rounds N      how often each measure is taken (3)
  --quick         one second each, one round, nothing is written
  --only NETWORK  veth or netcon alone; nothing is written
  --measures LIST of: ${MEASURES.map((measure) => measure.key).join(', ')}; nothing is written
  --no-write      only print
  --help          this text`;

let interrupted = false;
const root = fileURLToPath(new URL('..', import.meta.url));

function options() {
  const { values } = parseArgs({
    // pnpm hands a "--" on.
    args: process.argv.slice(2).filter((arg) => arg !== '--'),
    options: {
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      measures: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const keys = values.measures?.split(',') ?? MEASURES.map((measure) => measure.key);
  const rounds = values.quick ? 1 : Number(values.rounds);
  const unknown = keys.filter((key) => !MEASURES.some((measure) => measure.key === key));
  if (unknown.length) throw new Error(`no such measure: ${unknown.join(', ')}`);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: a number from 1');
  if (values.only !== undefined && !['veth', 'netcon'].includes(values.only)) throw new Error('--only: veth or netcon');
  const write = !(values.quick || values.only || values.measures || values['no-write']);
  return { ...values, keys, rounds, write };
}

function buildTool() {
  const source = join(root, 'bench/tools/latbench.c');
  if (existsSync(LATBENCH) && statSync(LATBENCH).mtimeMs > statSync(source).mtimeMs) return;
  mkdirSync(join(root, 'bench/bin'), { recursive: true });
  const flags = ['-std=c11', '-D_GNU_SOURCE', '-O2', '-Wall', '-Wextra'];
  execFileSync(process.env.CC ?? 'cc', [...flags, '-o', LATBENCH, source], { stdio: 'inherit' });
}

async function measureAll(networks, servers, wanted) {
  const results = {};
  for (let round = 1; round <= wanted.rounds; round++) {
    for (const measure of MEASURES.filter((each) => wanted.keys.includes(each.key))) {
      const seconds = wanted.quick ? 1 : measure.seconds;
      // The networks in turn for each measure, so that neighbours in time are compared.
      for (const network of networks) {
        if (interrupted) throw new Error('interrupted');
        const figures = await measure.take(network, seconds, servers);
        results[measure.key] ??= {};
        results[measure.key][network.name] ??= [];
        results[measure.key][network.name].push(figures);
        console.log(`round ${round}  ${measure.key.padEnd(9)} ${network.name.padEnd(7)} ${JSON.stringify(figures)}`);
      }
    }
  }
  return results;
}

async function main() {
  const wanted = options();
  if (wanted.help) return console.log(USAGE);
  if (process.getuid?.() !== 0) throw new Error('needs root: it makes network namespaces');
  buildTool();
  const directory = mkdtempSync(join(tmpdir(), 'netcon-bench-'));
  const run = { date: new Date().toISOString().slice(0, 10), rounds: wanted.rounds, commit: commit(root) };
  try {
    run.machine = describeMachine();
    const host = await makeHost();
    const servers = await startServers(host);
    const networks = [];
    if (wanted.only !== 'netcon') networks.push(await vethNetwork());
    if (wanted.only !== 'veth') networks.push(await netconNetwork(join(root, 'packages/cli/bin/netcon'), directory));
    run.results = await measureAll(networks, servers, wanted);
    for (const network of networks) await network.close();
  } finally {
    await clean(directory);
  }
  console.log(`\n${table(run)}`);
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(join(root, 'bench/results/latest.json'), `${JSON.stringify(run, null, 2)}\n`);
  if (wanted.write) writePage(join(root, 'docs/performance.md'), table(run), 'pnpm bench');
}

async function clean(directory) {
  await stopAll();
  await removeAll();
  rmSync(directory, { recursive: true, force: true });
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    // What runs fails when its processes are gone, and cleans up.
    interrupted = true;
    stopAll();
    process.exitCode = 130;
  });
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode ||= 1;
});
