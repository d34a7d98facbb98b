// What is measured. Each measure gives one or more figures of one round.

import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { run, start, stop, until } from './processes.mjs';

export const LATBENCH = fileURLToPath(new URL('../bin/latbench', import.meta.url));

const IPERF_PORT = 5201;
const ECHO_PORT = 7000;

/** Servers in the host's namespace, for all rounds: what the measures get besides the network. */
export async function startServers(host) {
  const servers = [
    start([...host, 'iperf3', '-s', '-p', `${IPERF_PORT}`]),
    start([...host, LATBENCH, 'server', `${ECHO_PORT}`]),
  ];
  await until('iperf3', servers[0], () => listens(host, IPERF_PORT));
  await until('the echo server', servers[1], () => listens(host, ECHO_PORT));
  return { host, echo: servers[1] };
}

async function listens(host, port) {
  const out = await run([...host, 'ss', '-Hltn', `sport = :${port}`]);
  return out.trim() !== '';
}

async function bulk(network, seconds, ...options) {
  const client = ['iperf3', '-c', network.hostAddress, '-p', `${IPERF_PORT}`, '-t', `${seconds}`, '-J', ...options];
  const report = JSON.parse(await run([...network.app, ...client], seconds + 30));
  return { gbits: report.end.sum_received.bits_per_second / 1e9 };
}

async function latbench(prefix, seconds, ...args) {
  const report = JSON.parse(await run([...prefix, LATBENCH, ...args], seconds + 30));
  if (report.errors > 0) throw new Error(`${args.join(' ')}: ${report.errors} errors`);
  return report;
}

async function pingpong(network, seconds) {
  const args = ['pingpong', network.hostAddress, `${ECHO_PORT}`, `${seconds}`, '64'];
  const report = await latbench(network.app, seconds, ...args);
  return { p50: report.p50Us, p99: report.p99Us, rate: report.perSecond };
}

/** The same with app, service and server on one processor: no waking of another one, which is half of the time above. */
async function pingpongOnOne(network, seconds, { echo }) {
  const pinned = [echo, network.service].filter((program) => program !== undefined);
  const pin = (mask) => Promise.all(pinned.map(({ child }) => run(['taskset', '-a', '-p', mask, `${child.pid}`])));
  await pin('1');
  try {
    return await pingpong({ ...network, app: ['taskset', '1', ...network.app] }, seconds);
  } finally {
    await pin((2n ** BigInt(availableParallelism()) - 1n).toString(16));
  }
}

async function connecting(network, seconds) {
  const args = ['connections', network.hostAddress, `${ECHO_PORT}`, `${seconds}`];
  return { rate: (await latbench(network.app, seconds, ...args)).perSecond };
}

/** The other way round: the server is the app. */
async function accepting(network, seconds, { host }) {
  const port = `${ECHO_PORT + 1}`;
  const server = start([...network.app, LATBENCH, 'server', port]);
  try {
    const probe = [LATBENCH, 'connections', network.appAddress, port, '0.001'];
    const answers = () =>
      latbench(host, 1, ...probe.slice(1)).then(
        () => true,
        () => false,
      );
    await until('the intercepted echo server', server, answers);
    const args = ['connections', network.appAddress, port, `${seconds}`];
    return { rate: (await latbench(host, seconds, ...args)).perSecond };
  } finally {
    await stop(server);
  }
}

/** `figures`: key, text, unit, digits, and whether more is better. */
export const MEASURES = [
  {
    key: 'up',
    seconds: 5,
    take: (network, seconds) => bulk(network, seconds),
    figures: [['gbits', 'bulk, app to host, one stream', 'Gbit/s', 2, true]],
  },
  {
    key: 'down',
    seconds: 5,
    take: (network, seconds) => bulk(network, seconds, '-R'),
    figures: [['gbits', 'bulk, host to app, one stream', 'Gbit/s', 2, true]],
  },
  {
    key: 'pingpong',
    seconds: 3,
    take: pingpong,
    figures: [
      ['p50', '64-byte ping-pong, median', 'us', 1, false],
      ['p99', '64-byte ping-pong, 99th percentile', 'us', 1, false],
      ['rate', '64-byte ping-pong', 'round trips/s', 0, true],
    ],
  },
  {
    key: 'pingpong1',
    seconds: 3,
    take: pingpongOnOne,
    figures: [
      ['p50', '64-byte ping-pong on one processor, median', 'us', 1, false],
      ['p99', '64-byte ping-pong on one processor, 99th percentile', 'us', 1, false],
    ],
  },
  {
    key: 'connect',
    seconds: 3,
    take: connecting,
    figures: [['rate', 'connect, 64 bytes each way, close: app is the client', 'connections/s', 0, true]],
  },
  {
    key: 'accept',
    seconds: 3,
    take: accepting,
    figures: [['rate', 'connect, 64 bytes each way, close: app is the server', 'connections/s', 0, true]],
  },
];
