#!/usr/bin/env node
// What connections cost that are only there: memory of the service for each, and what a request on one more connection costs
// beside them. With real connections and, in the simulator, with up to 100,000. See docs/performance.md, "Memory and scale".

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpuSeconds, removeGroups, residentMiB } from './lib/accounts.mjs';
import { makeHost, netconNetwork, removeAll } from './lib/networks.mjs';
import { parseLine } from './lib/parse.mjs';
import { HOST_PORTS } from './lib/peers.mjs';
import { run, start, stop, stopAll, until } from './lib/processes.mjs';
import { factor, flat, scaleTables } from './lib/scale.mjs';
import { buildTools } from './lib/tools.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const GROUP = 'netcon-peer';
/** Longer than the service keeps what is quiet. */
const QUIET_MS = 2000;
/** Requests on all connections in turn. */
const IN_TURN = 40_000;

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    counts: { type: 'string', default: '10,1000,9000' },
    simulated: { type: 'string', default: '10,1000,10000,100000' },
    seconds: { type: 'string', default: '3' },
  },
});
const numbers = (list) => list.split(',').filter(Boolean).map(Number);

/** Voluntary context switches of all threads of a process. */
function switches(pid) {
  const one = (tid) =>
    Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8'))[1]);
  return readdirSync(`/proc/${pid}/task`).reduce((sum, tid) => sum + one(tid), 0);
}

function pageTablesMiB(pid) {
  return Number(/^VmPTE:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

async function measure(count, tools, directory) {
  const network = await netconNetwork(join(root, 'packages/cli/bin/netcon'), directory);
  const { pid } = network.service.child;
  await sleep(QUIET_MS);
  const before = { miB: residentMiB(GROUP), pageTables: pageTablesMiB(pid) };
  const to = [network.hostAddress, `${HOST_PORTS.echo}`];
  const argv = [...network.app, tools.hold, ...to, `${count}`, '60', `${IN_TURN}`];
  const holder = start(argv, { stdio: ['pipe', 'pipe', 'pipe'] });
  await until('idle connections', holder, () => holder.out.includes('}'), 90);
  const { open, why } = parseLine(holder.out);
  if (open !== count) throw new Error(`${open} connections instead of ${count}: ${why}`);
  await sleep(QUIET_MS);
  const held = { miB: residentMiB(GROUP), pageTables: pageTablesMiB(pid) };
  const slept = switches(pid);
  await sleep(3000);
  const wakeUps = switches(pid) - slept;
  const { seconds } = values;
  const cpu = cpuSeconds(GROUP);
  const report = parseLine(await run([...network.app, tools.latbench, 'pingpong', ...to, seconds, '64'], 60));
  const used = cpuSeconds(GROUP) - cpu;
  const turn = cpuSeconds(GROUP);
  holder.child.stdin.write('T');
  await until('requests in turn', holder, () => holder.out.split('\n').length > 2, 60);
  const usedInTurn = cpuSeconds(GROUP) - turn;
  holder.child.stdin.end();
  await holder.done;
  await sleep(QUIET_MS);
  const after = residentMiB(GROUP);
  await network.close();
  return {
    connections: count,
    p50: report.p50Us,
    cpuUs: (used / report.count) * 1e6,
    cpuInTurnUs: (usedInTurn / IN_TURN) * 1e6,
    wakeUps,
    idleMiB: before.miB,
    miB: held.miB,
    kib: ((held.miB - before.miB) * 1024) / count,
    pageTableKib: ((held.pageTables - before.pageTables) * 1024) / count,
    afterMiB: after,
  };
}

function simulate(counts) {
  if (counts.length === 0) return [];
  const cargo = ['run', '--quiet', '--release', '-p', 'netcon-sim', '--example', 'scale', '--', ...counts.map(String)];
  const out = execFileSync('cargo', cargo, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  return out.trim().split('\n').map(parseLine);
}

async function main() {
  if (process.getuid?.() !== 0) throw new Error('needs root: it makes network namespaces');
  const tools = buildTools(['latbench', 'hold']);
  const directory = mkdtempSync(join(tmpdir(), 'netcon-scale-'));
  const real = [];
  try {
    const host = await makeHost();
    const server = start([...host, tools.latbench, 'server', `${HOST_PORTS.echo}`]);
    await until('the echo server', server, async () => (await run([...host, 'ss', '-Hltn'])).trim() !== '');
    for (const count of numbers(values.counts)) real.push(await measure(count, tools, directory));
    await stop(server);
  } finally {
    await stopAll();
    await removeAll();
    removeGroups();
    rmSync(directory, { recursive: true, force: true });
  }
  const simulated = simulate(numbers(values.simulated));
  console.log(scaleTables(real, simulated));
  const costs = [
    real.map(({ cpuUs }) => cpuUs),
    real.map(({ cpuInTurnUs }) => cpuInTurnUs),
    simulated.map(({ othersIdle }) => othersIdle),
  ];
  for (const cost of costs.filter(({ length }) => length > 1)) {
    console.log(`most to least: ${factor(cost).toFixed(2)}`);
    if (!flat(cost)) process.exitCode = 1;
  }
}

main().catch((error) => {
  console.error(`scale: ${error.message}`);
  process.exitCode ||= 1;
});
