#!/usr/bin/env node
// Goodput over a path with loss and delay: netcon against kernel TCP with the same algorithm, in one run, cell after cell.
// See docs/performance.md. A path is a relay between two taps (bench/tools/relay.c); the far end is kernel TCP (iperf3).

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { connects, inside, makeNamespace, removeAll } from './lib/networks.mjs';
import { run, start, stop, stopAll, until } from './lib/processes.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const RELAY = join(root, 'bench/bin/relay');
const NETCON = join(root, 'packages/cli/bin/netcon');

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    seconds: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '1' },
    rate: { type: 'string', default: '400' },
    algorithms: { type: 'string', default: 'cubic,bbr' },
    loss: { type: 'string', default: '0,0.01,0.1,1,3,burst,reorder' },
    delay: { type: 'string', default: '5,50' },
    roles: { type: 'string', default: 'sender,receiver' },
    fairness: { type: 'boolean', default: false },
  },
});
const seconds = Number(values.seconds);

/** A column's faults, for the relay. */
function faults(name) {
  if (name === 'burst') return ['loss=0.01', 'burst=5'];
  if (name === 'reorder') return ['reorder=0.01'];
  return [`loss=${Number(name) / 100}`];
}

const near = `netcon-loss-${process.pid}-near`;
const far = `netcon-loss-${process.pid}-far`;
let seed = 0;

async function path(delay, loss, backwards) {
  const rate = Number(values.rate);
  const relay = start([
    ...[RELAY, near, 'near0', far, 'far0', `delay_us=${delay * 1000}`, `rate_mbit=${rate}`, `seed=${++seed}`],
    ...[`queue_us=${Math.max(10, delay) * 1000}`, `backwards=${Number(backwards)}`, ...faults(loss)],
  ]);
  await until('the relay', relay, () => relay.out.startsWith('ready'));
  const addresses = [
    [near, 'near0', '10.79.0.1/24'],
    [far, 'far0', '10.79.0.2/24'],
  ];
  for (const [space, tap, cidr] of addresses) {
    await run(['ip', '-n', space, 'address', 'add', cidr, 'dev', tap]);
    await run(['ip', '-n', space, 'link', 'set', tap, 'txqueuelen', '10000', 'up']);
  }
  await run(['ip', '-n', far, 'route', 'add', '10.77.0.0/24', 'via', '10.79.0.1']);
  return relay;
}

/** A server of its own each time: what is left of a connection over a path that is gone keeps it busy. */
async function goodput(app, algorithm, backwards, port = 5201) {
  const server = start([...inside(far), 'iperf3', '-s', '-1', '-p', `${port}`]);
  await until(
    'iperf3',
    server,
    async () => (await run([...inside(far), 'ss', '-Hltn', `sport = :${port}`])).trim() !== '',
  );
  try {
    return await measure(app, algorithm, backwards, port);
  } finally {
    await stop(server);
  }
}

async function measure(app, algorithm, backwards, port) {
  const client = [
    ...['iperf3', '-c', '10.79.0.2', '-p', `${port}`, '-t', `${seconds}`, '-O', '1', '-C', algorithm, '-J'],
    ...(backwards ? ['-R'] : []),
  ];
  const report = JSON.parse(await run([...app, ...client], seconds + 60));
  if (report.error !== undefined) throw new Error(`iperf3: ${report.error}`);
  return report.end.sum_received.bits_per_second / 1e6;
}

async function main() {
  if (!existsSync(RELAY) || statSync(RELAY).mtimeMs < statSync(join(root, 'bench/tools/relay.c')).mtimeMs) {
    mkdirSync(join(root, 'bench/bin'), { recursive: true });
    execFileSync(process.env.CC ?? 'cc', [
      '-std=c11',
      '-D_GNU_SOURCE',
      '-O2',
      '-Wall',
      '-Wextra',
      '-o',
      RELAY,
      join(root, 'bench/tools/relay.c'),
    ]);
  }
  const directory = mkdtempSync(join(tmpdir(), 'netcon-loss-'));
  await makeNamespace(near, true);
  await makeNamespace(far, true);
  await makeNamespace(`${near}-app`, false);
  await run([...inside(near), 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  const socket = join(directory, 'loss.sock');
  const service = start([
    ...[...inside(near), NETCON, 'service', '--socket', socket, '--tap', 'netcon0', '--gateway', '10.77.0.1'],
    ...['--address', '10.77.0.2/24', '--host-address', '10.77.0.1/24'],
  ]);
  await until('the service', service, () => connects(socket), 30);
  const apps = {
    linux: inside(near),
    netcon: [...inside(`${near}-app`), NETCON, 'intercept', '--socket', socket],
  };
  try {
    if (values.fairness) return await fairness(apps);
    for (const role of values.roles.split(',')) {
      for (const algorithm of values.algorithms.split(',')) {
        for (const delay of values.delay.split(',').map(Number)) {
          for (const loss of values.loss.split(',')) await cell(apps, role, algorithm, delay, loss);
        }
      }
    }
  } finally {
    await stop(service);
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Two flows of CUBIC through one bottleneck without other loss, and Jain's index of what they got. */
async function fairness(apps) {
  for (const delay of values.delay.split(',').map(Number)) {
    for (const [one, other] of [
      ['linux', 'linux'],
      ['netcon', 'netcon'],
      ['netcon', 'linux'],
    ]) {
      const rounds = [];
      for (let round = 0; round < Number(values.rounds); round++) {
        const relay = await path(delay, '0', false);
        try {
          const flows = [goodput(apps[one], 'cubic', false, 5201), goodput(apps[other], 'cubic', false, 5202)];
          const [a, b] = await Promise.all(flows);
          rounds.push({ a, b, index: (a + b) ** 2 / (2 * (a * a + b * b)) });
        } finally {
          await stop(relay);
        }
      }
      const { a, b, index } = rounds.sort((x, y) => x.index - y.index)[rounds.length >> 1];
      console.log(`| ${one}, ${other} | ${delay} ms | ${a.toFixed(1)} | ${b.toFixed(1)} | ${index.toFixed(2)} |`);
    }
  }
}

async function cell(apps, role, algorithm, delay, loss) {
  const backwards = role === 'receiver';
  const best = { linux: [], netcon: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of ['linux', 'netcon']) {
      const relay = await path(delay, loss, backwards);
      try {
        best[name].push(await goodput(apps[name], algorithm, backwards));
      } finally {
        await stop(relay);
      }
    }
  }
  const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
  const [linux, netcon] = [middle(best.linux), middle(best.netcon)];
  const share = (netcon / linux).toFixed(2);
  console.log(
    `| ${role} | ${algorithm} | ${delay} ms | ${loss} | ${linux.toFixed(1)} | ${netcon.toFixed(1)} | ${share} |`,
  );
}

try {
  await main();
} finally {
  await stopAll();
  await removeAll();
}
