// What is measured. Each measure gives the figures of one round: `value` in `unit`, and what else it knows.

import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { residentMiB, slabMiB } from './accounts.mjs';
import { parseIperf, parseLine, parseWrk } from './parse.mjs';
import { HOST_PORTS } from './peers.mjs';
import { run, start, stop, until } from './processes.mjs';
import { FILE_NAME } from './servers.mjs';

const LOOPBACK = '127.0.0.1';
const REQUESTS_UNDER_LOAD = 1000; // a second
const inApp = (network) => ({ group: `${network.name}-app` });

async function iperf(network, seconds, address, port, ...options) {
  const client = ['iperf3', '-c', address, '-p', `${port}`, '-t', `${seconds}`, '-J', ...options];
  return parseIperf(await run([...network.app, ...client], seconds + 30, inApp(network)));
}

const bulk =
  (...options) =>
  (network, seconds) =>
    iperf(network, seconds, network.hostAddress, HOST_PORTS.iperf, ...options);

/** The content is compared by hash; so much that a pipe of 0.1 times veth's rate takes some seconds. */
const verified =
  (direction, streams) =>
  async (network, seconds, { tools }) => {
    const mebibytes = `${Math.ceil((seconds * 512) / streams)}`;
    const argv = [tools.bulk, direction, network.hostAddress, `${HOST_PORTS.bulk}`, `${streams}`, mebibytes];
    const report = parseLine(await run([...network.app, ...argv], 120, inApp(network)));
    return { value: (report.bytes * 8) / report.seconds / 1e9, bytes: report.bytes };
  };

async function latbench(prefix, seconds, options, ...argv) {
  const report = parseLine(await run([...prefix, ...argv], seconds + 30, options));
  if (report.errors > 0) throw new Error(`${argv.slice(1).join(' ')}: ${report.errors} errors`);
  return {
    value: report.perSecond,
    p50: report.p50Us,
    p99: report.p99Us,
    p999: report.p999Us,
    operations: report.count,
  };
}

const pingpong = (network, seconds, { tools }) =>
  latbench(
    ...[network.app, seconds, inApp(network), tools.latbench],
    ...['pingpong', network.hostAddress, `${HOST_PORTS.echo}`, `${seconds}`, '64'],
  );

/** The same with app, service and server on one processor: no waking of another one, which is half of the time above. */
async function pingpongOnOne(network, seconds, context) {
  const pinned = [context.servers.echo, network.service].filter((program) => program !== undefined);
  const pin = (mask) => Promise.all(pinned.map(({ child }) => run(['taskset', '-a', '-p', mask, `${child.pid}`])));
  await pin('1');
  try {
    return await pingpong({ ...network, app: ['taskset', '1', ...network.app] }, seconds, context);
  } finally {
    await pin((2n ** BigInt(availableParallelism()) - 1n).toString(16));
  }
}

const connecting = (network, seconds, { tools }) =>
  latbench(
    ...[network.app, seconds, inApp(network), tools.latbench],
    ...['connections', network.hostAddress, `${HOST_PORTS.echo}`, `${seconds}`],
  );

const accepting = (network, seconds, { tools, servers }) =>
  latbench(
    ...[servers.host, seconds, { group: servers.group }, tools.latbench],
    ...['connections', network.appAddress, `${network.ports.echo}`, `${seconds}`],
  );

async function wrk(prefix, options, seconds, url, connections, ...more) {
  const argv = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '--latency', ...more, url];
  const figures = parseWrk(await run([...prefix, ...argv], seconds + 30, options));
  return { ...figures, operations: figures.value * seconds };
}

const CLOSE = ['-H', 'Connection: close'];
const httpClient =
  (connections, ...more) =>
  (network, seconds) => {
    const url = `http://${network.hostAddress}:${HOST_PORTS.http}/${FILE_NAME}`;
    return wrk(network.app, inApp(network), seconds, url, connections, ...more);
  };
const httpServer =
  (connections, ...more) =>
  (network, seconds, { servers }) => {
    const url = `http://${network.appAddress}:${network.ports.http}/${FILE_NAME}`;
    return wrk(servers.host, { group: servers.group }, seconds, url, connections, ...more);
  };

/** Two programs of the app. */
const localBulk = (network, seconds) => iperf(network, seconds, LOOPBACK, network.ports.iperf);
const localPingpong = (network, seconds, { tools }) =>
  latbench(
    ...[network.app, seconds, inApp(network), tools.latbench],
    ...['pingpong', LOOPBACK, `${network.ports.echo}`, `${seconds}`, '64'],
  );

/** Requests that are due whether or not the ones before were answered, beside a bulk transfer. */
const underLoad =
  (...options) =>
  async (network, seconds, { tools }) => {
    const load = iperf(network, seconds + 2, network.hostAddress, HOST_PORTS.iperf, ...options);
    load.catch(() => {}); // It is awaited below.
    await sleep(700); // The transfer is under way, past its slow start.
    const figures = await latbench(
      ...[network.app, seconds, inApp(network), tools.latbench],
      ...['openloop', network.hostAddress, `${HOST_PORTS.echo}`, `${seconds}`, `${REQUESTS_UNDER_LOAD}`],
    );
    const { value: gbits } = await load;
    return { ...figures, value: figures.p99, gbits };
  };

const TEXT = { bulk: 'bulk', verified: 'bulk, content verified by hash', load: 'beside bulk' };

/**
 * `per`: what CPU time is divided by. `digits` of the value. `lessIsBetter` where that is so. `local` needs two
 * programs of the app that reach each other, and is compared with the kernel's loopback. `verify`: not a goal's measure.
 */
export const MEASURES = [
  { key: 'up1', text: `${TEXT.bulk}, app to host, 1 stream`, unit: 'Gbit/s', seconds: 5, take: bulk() },
  { key: 'down1', text: `${TEXT.bulk}, host to app, 1 stream`, unit: 'Gbit/s', seconds: 5, take: bulk('-R') },
  { key: 'up8', text: `${TEXT.bulk}, app to host, 8 streams`, unit: 'Gbit/s', seconds: 3, take: bulk('-P8') },
  { key: 'down8', text: `${TEXT.bulk}, host to app, 8 streams`, unit: 'Gbit/s', seconds: 3, take: bulk('-P8', '-R') },
  {
    key: 'up1-hash',
    text: `${TEXT.verified}, app to host, 1 stream`,
    unit: 'Gbit/s',
    seconds: 3,
    take: verified('up', 1),
  },
  {
    key: 'down1-hash',
    text: `${TEXT.verified}, host to app, 1 stream`,
    unit: 'Gbit/s',
    seconds: 3,
    take: verified('down', 1),
  },
  {
    key: 'up8-hash',
    text: `${TEXT.verified}, app to host, 8 streams`,
    unit: 'Gbit/s',
    seconds: 3,
    take: verified('up', 8),
  },
  {
    key: 'down8-hash',
    text: `${TEXT.verified}, host to app, 8 streams`,
    unit: 'Gbit/s',
    seconds: 3,
    take: verified('down', 8),
  },
  { key: 'rr', text: '64 bytes there and back', unit: '1/s', seconds: 2, take: pingpong },
  {
    key: 'rr-one-cpu',
    text: '64 bytes there and back, all on one processor',
    unit: '1/s',
    seconds: 2,
    take: pingpongOnOne,
    only: ['veth', 'netcon'],
  },
  {
    key: 'connect',
    text: 'connect, 64 bytes there and back, close; app is client',
    unit: '1/s',
    seconds: 2,
    take: connecting,
  },
  { key: 'accept', text: 'the same, app is server', unit: '1/s', seconds: 2, take: accepting },
  {
    key: 'http-close-client',
    text: 'HTTP 1 KiB, a connection each, 16 at once, app is client',
    unit: '1/s',
    seconds: 2,
    take: httpClient(16, ...CLOSE),
  },
  {
    key: 'http-close-server',
    text: 'the same, nginx is the app',
    unit: '1/s',
    seconds: 2,
    take: httpServer(16, ...CLOSE),
  },
  {
    key: 'http-keep-client',
    text: 'HTTP 1 KiB, 64 connections kept, app is client',
    unit: '1/s',
    seconds: 2,
    take: httpClient(64),
  },
  { key: 'http-keep-server', text: 'the same, nginx is the app', unit: '1/s', seconds: 2, take: httpServer(64) },
  {
    key: 'local-bulk',
    text: 'both programs in the app: bulk, 1 stream',
    unit: 'Gbit/s',
    seconds: 3,
    take: localBulk,
    local: true,
  },
  {
    key: 'local-rr',
    text: 'both programs in the app: 64 bytes there and back',
    unit: '1/s',
    seconds: 2,
    take: localPingpong,
    local: true,
  },
  {
    key: 'load-up',
    text: `p99 of 1,000 requests/s ${TEXT.load}, app to host`,
    unit: 'us',
    seconds: 3,
    take: underLoad(),
    lessIsBetter: true,
  },
  {
    key: 'load-down',
    text: `p99 of 1,000 requests/s ${TEXT.load}, host to app`,
    unit: 'us',
    seconds: 3,
    take: underLoad('-R'),
    lessIsBetter: true,
  },
];

/** What of a contender's that was just started resides in memory: idle, and with idle connections from the app to the host. */
export async function measureMemory(network, counts, { tools }) {
  const group = `${network.name}-peer`;
  await sleep(1000);
  const result = { idleMiB: residentMiB(group), held: [] };
  for (const count of counts.map((each) => Math.min(each, network.mostIdle))) {
    const slab = slabMiB();
    const argv = [...network.app, tools.hold, network.hostAddress, `${HOST_PORTS.echo}`, `${count}`, '60'];
    const holder = start(argv, { ...inApp(network), stdio: ['pipe', 'pipe', 'pipe'] });
    try {
      await until('idle connections', holder, () => holder.out.includes('}'), 90);
      const { open, why } = parseLine(holder.out);
      await sleep(1000);
      const miB = residentMiB(group);
      result.held.push({
        count,
        open,
        why,
        miB,
        slabMiB: slabMiB() - slab,
        kib: ((miB - result.idleMiB) * 1024) / open,
      });
    } catch (error) {
      result.held.push({ count, open: 0, why: error.message });
    } finally {
      holder.child.stdin.end();
      await Promise.race([holder.done, sleep(20_000, undefined, { ref: false })]);
      await stop(holder);
    }
    await sleep(1000);
  }
  return result;
}
