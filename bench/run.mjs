#!/usr/bin/env node
// `pnpm bench`: netcon, other user-space networks and kernel TCP over veth in one run, round after round. See docs/performance.md.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { busySeconds, cpuSeconds, removeGroups, residentMiB } from './lib/accounts.mjs';
import { checkFloor } from './lib/floor.mjs';
import { MEASURES, measureMemory } from './lib/measures.mjs';
import { makeHost, netconNetwork, removeAll, vethNetwork } from './lib/networks.mjs';
import { PEERS } from './lib/peers.mjs';
import { stopAll } from './lib/processes.mjs';
import { BASE, commit, describeMachine, figure, tables, writePage } from './lib/report.mjs';
import { startAppServers, startHostServers } from './lib/servers.mjs';
import { buildTools, findRunsc, versions } from './lib/tools.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const netcon = join(root, 'packages/cli/bin/netcon');
const CONTENDERS = {
  veth: (_tools, _directory, index) => vethNetwork(index),
  netcon: (_tools, directory, index) => netconNetwork(netcon, directory, index),
  ...PEERS,
};
const UNLESS_ASKED = ['tap-copy'];
const FLOOR = [
  'up1',
  'down1',
  'rr',
  'connect',
  'accept',
  'http-keep-client',
  'http-keep-server',
  'local-bulk',
  'local-rr',
];

const USAGE = `Usage: pnpm bench [options]

Measures netcon, other user-space networks and kernel TCP over veth in turn, and writes docs/performance.md and its plot.
Needs root, iproute2, util-linux, iperf3, wrk, nginx, curl and a C compiler, and for the others passt, slirp4netns, and Go
(which builds gVisor's runsc once) or runsc; what is missing is left out and said. All is in namespaces of its own.

  --rounds N       how often each measure is taken (3)
  --quick          one second each, one round, 1,000 idle connections at most; nothing is written
  --only LIST      of: ${Object.keys(CONTENDERS).join(', ')} (veth is always there); nothing is written
  --measures LIST  of: ${MEASURES.map(({ key }) => key).join(', ')}; nothing is written
  --no-memory      without the idle connections
  --quiet CORES    before each figure wait (15 s at most) for a moment in which other programs use less than this, and take
                   it again (twice at most) if they used more meanwhile; the quietest counts
  --budget SECONDS with --quiet: for waits and repeats, in all (1200)
  --no-write       only print
  --show FILE      print the tables of an earlier run (bench/results/*.json)
  --floor          a short run of veth and netcon; fails where netcon falls behind half of its goal three times in a row
  --help           this text`;

let interrupted = false;

function options() {
  const { values } = parseArgs({
    // pnpm hands a "--" on.
    args: process.argv.slice(2).filter((arg) => arg !== '--'),
    options: {
      rounds: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      measures: { type: 'string' },
      'no-memory': { type: 'boolean', default: false },
      quiet: { type: 'string' },
      budget: { type: 'string', default: '1200' },
      'no-write': { type: 'boolean', default: false },
      show: { type: 'string' },
      floor: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.floor)
    Object.assign(values, { only: 'netcon', measures: FLOOR.join(','), 'no-memory': true, rounds: '1' });
  const defaults = Object.keys(CONTENDERS).filter((name) => !UNLESS_ASKED.includes(name));
  const contenders = [...new Set([BASE, ...chosen('--only', values.only, Object.keys(CONTENDERS), defaults)])];
  const keys = chosen(
    '--measures',
    values.measures,
    MEASURES.map(({ key }) => key),
  );
  const rounds = values.quick ? 1 : positive('--rounds', values.rounds);
  if (!Number.isInteger(rounds)) throw new Error('--rounds: a whole number');
  const quiet = values.quiet === undefined ? undefined : positive('--quiet', values.quiet);
  const write = !(values.quick || values.only || values.measures || values['no-memory'] || values['no-write']);
  return { ...values, contenders, keys, rounds, quiet, budget: positive('--budget', values.budget), write };
}

function chosen(option, list, known, otherwise = known) {
  const names = list?.split(',') ?? otherwise;
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length) throw new Error(`${option}: there is no ${unknown.join(', ')}; there are ${known.join(', ')}`);
  return names;
}

function positive(option, text) {
  const number = Number(text);
  if (!(number > 0)) throw new Error(`${option}: a number above 0, not '${text}'`);
  return number;
}

/** One measure of one contender: its figures, the CPU time it took, and what other programs used meanwhile. */
async function take(measure, network, seconds, context) {
  const groups = [`${network.name}-peer`, `${network.name}-app`, context.servers.group];
  const before = groups.map(cpuSeconds);
  const busy = busySeconds();
  const from = performance.now();
  const figures = await measure.take(network, seconds, context);
  const wall = (performance.now() - from) / 1000;
  if (before.some((value) => value === undefined)) return figures;
  const used = groups.map((group, i) => cpuSeconds(group) - before[i]);
  const other = Math.max(0, (busySeconds() - busy - used.reduce((a, b) => a + b)) / wall);
  const units = figures.bytes === undefined ? figures.operations / 1e6 : figures.bytes / 1e9;
  return { ...figures, cpu: (used[0] + used[1]) / units, other };
}

/** The same at a quiet moment. `wanted.budget` is what is left for waits and repeats. */
async function takeQuietly(measure, network, seconds, context, wanted) {
  let best;
  for (let attempt = 0; attempt < 3; attempt++) {
    if (interrupted) throw new Error('interrupted');
    if (wanted.quiet !== undefined) wanted.budget -= await waitForQuiet(Math.min(15, wanted.budget), wanted.quiet);
    const from = performance.now();
    const figures = await take(measure, network, seconds, context);
    if (best === undefined || figures.other < best.other) best = figures;
    if (attempt > 0) wanted.budget -= (performance.now() - from) / 1000;
    if (wanted.quiet === undefined || !(best.other > wanted.quiet) || wanted.budget <= 0) break;
  }
  return best;
}

/** Seconds that were waited in vain; 0 at a quiet moment. */
async function waitForQuiet(limit, cores) {
  const from = performance.now();
  for (let looks = 0; ; looks++) {
    const waited = (performance.now() - from) / 1000;
    if (waited > limit) return waited;
    const busy = busySeconds();
    await sleep(500);
    if ((busySeconds() - busy) / 0.5 < cores) return looks && waited;
  }
}

async function measureAll(networks, context, wanted) {
  const results = {};
  for (let round = 1; round <= wanted.rounds; round++) {
    for (const measure of MEASURES.filter(({ key }) => wanted.keys.includes(key))) {
      const seconds = wanted.quick || wanted.floor ? Math.min(2, measure.seconds) : measure.seconds;
      // The networks in turn for each measure, so that neighbours in time are compared.
      for (const network of networks) {
        if ((measure.local && !network.local) || (measure.only && !measure.only.includes(network.name))) continue;
        let figures;
        try {
          figures = await takeQuietly(measure, network, seconds, context, wanted);
        } catch (error) {
          // A contender that fails is a result; without kernel TCP there is none.
          if (interrupted || network.name === BASE || wanted.floor) throw error;
          figures = { error: error.message.slice(-300) };
        }
        results[measure.key] ??= {};
        results[measure.key][network.name] ??= [];
        results[measure.key][network.name].push(figures);
        console.log(`round ${round}  ${measure.key.padEnd(17)} ${network.name.padEnd(12)} ${brief(figures)}`);
      }
    }
  }
  return results;
}

function brief(figures) {
  if (figures.error) return figures.error;
  const short = ([key, value]) => [key, typeof value === 'number' ? Number(value.toPrecision(5)) : value];
  return JSON.stringify(Object.fromEntries(Object.entries(figures).map(short)));
}

/** Starts contenders; one that does not start is left out, and the run says why. */
async function startAll(context, run, wanted, use) {
  for (const [index, name] of wanted.contenders.entries()) {
    if (interrupted) throw new Error('interrupted');
    try {
      const network = await CONTENDERS[name](context.tools, context.directory, index);
      run.contenders[name] = { note: network.note };
      await use(network);
    } catch (error) {
      if (interrupted || name === BASE || name === 'netcon') throw error;
      const last = context.networks.at(-1);
      if (last?.name === name)
        await context.networks
          .pop()
          .close()
          .catch(() => {});
      run.contenders[name] = { note: '', error: error.message.slice(-300) };
      console.log(`${name} does not run: ${run.contenders[name].error}`);
    }
  }
}

async function measure(run, context, wanted) {
  if (!wanted['no-memory']) {
    run.memory = {};
    // One at a time, each fresh.
    await startAll(context, run, wanted, async (network) => {
      context.networks.push(network);
      run.memory[network.name] = await measureMemory(network, wanted.quick ? [1000] : [1000, 10_000], context);
      console.log(`memory  ${network.name.padEnd(12)} ${JSON.stringify(run.memory[network.name])}`);
      await context.networks.pop().close();
    });
  }
  const { networks } = context;
  await startAll(context, run, wanted, async (network) => {
    networks.push(network);
    network.servers = await startAppServers(network, context.tools, context.directory);
  });
  const resident = () => networks.map(({ name }) => residentMiB(`${name}-peer`));
  await sleep(1000);
  const before = resident();
  run.results = await measureAll(networks, context, wanted);
  if (wanted.floor) run.floor = await checkFloor(run, (key) => again(key, networks, context, run));
  await sleep(1000);
  const after = resident();
  run.after = Object.fromEntries(networks.map(({ name }, i) => [name, { before: before[i], after: after[i] }]));
}

/** One more round of one measure. */
async function again(key, networks, context, run) {
  const measure = MEASURES.find((each) => each.key === key);
  for (const network of networks) {
    run.results[key][network.name].push(await take(measure, network, measure.seconds, context));
  }
}

async function main() {
  const wanted = options();
  if (wanted.help) return console.log(USAGE);
  if (wanted.show) return console.log(tables(JSON.parse(readFileSync(wanted.show, 'utf8'))));
  if (process.getuid?.() !== 0) throw new Error('needs root: it makes network namespaces');
  const tools = buildTools(['latbench', 'bulk', 'hold', 'tapcopy']);
  if (wanted.contenders.includes('gvisor')) tools.runsc = findRunsc();
  const directory = mkdtempSync(join(tmpdir(), 'netcon-bench-'));
  const run = {
    date: new Date().toISOString().slice(0, 10),
    rounds: wanted.rounds,
    commit: commit(root),
    contenders: {},
  };
  run.versions = versions(tools.runsc);
  run.machine = describeMachine();
  const networks = [];
  try {
    const host = await makeHost();
    const servers = await startHostServers(host, tools, directory);
    await measure(run, { tools, directory, servers, networks }, wanted);
  } finally {
    await clean(networks, directory);
  }
  finish(run, wanted);
}

function finish(run, wanted) {
  const text = tables(run);
  console.log(`\n${text}`);
  const results = join(root, 'bench/results');
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'latest.json'), `${JSON.stringify(run, null, 2)}\n`);
  if (wanted.write) {
    writePage(join(root, 'docs/performance.md'), text, 'pnpm bench');
    writeFileSync(join(root, 'docs/performance.svg'), figure(run));
  }
  if (run.floor) {
    console.log(`\n${run.floor.map(({ line }) => line).join('\n')}`);
    const behind = run.floor.filter(({ ok }) => !ok).length;
    console.log(`# pass ${run.floor.length - behind}\n# fail ${behind}`);
    if (behind) process.exitCode = 1;
  }
}

async function clean(networks, directory) {
  for (const network of networks) {
    await network.servers?.stop();
    await network.close().catch((error) => console.error(`bench: ${network.name}: ${error.message}`));
  }
  await stopAll();
  await removeAll();
  removeGroups();
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch (error) {
    console.error(`bench: left behind: ${error.message}`); // What was measured is not lost for it.
  }
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
