// The networks that are compared. `host` is the namespace of the servers; each contender reaches it in its own way.
//
//   veth    a namespace with a veth pair to `host`: kernel TCP on both sides
//   netcon  a namespace with no interface but a loopback that is down; the service's tap is in `host`

import { connect } from 'node:net';
import { join } from 'node:path';
import { run, start, stop, until } from './processes.mjs';

const PREFIX = `netcon-bench-${process.pid}`;
export const HOST = `${PREFIX}-host`;

const made = [];

export const inside = (namespace) => ['nsenter', `--net=/run/netns/${namespace}`];

export async function makeNamespace(namespace, loopback) {
  await run(['ip', 'netns', 'add', namespace]);
  made.push(namespace);
  if (loopback) await run(['ip', '-n', namespace, 'link', 'set', 'lo', 'up']);
  // Short connections by the ten thousand: many ports, few TIME-WAIT sockets. The same everywhere.
  // Without pacing: BBR, some machines' default, holds bulk and small messages back on a link that has no queue.
  const settings =
    'echo 10000 65000 >ip_local_port_range; echo 4096 >tcp_max_tw_buckets; echo 1 >tcp_tw_reuse; echo reno >tcp_congestion_control';
  await run([...inside(namespace), 'sh', '-ec', `cd /proc/sys/net/ipv4; ${settings}`]);
}

export async function makeHost() {
  await makeNamespace(HOST, true);
  return inside(HOST);
}

export async function removeAll() {
  for (const namespace of made.splice(0).reverse()) {
    await run(['ip', 'netns', 'del', namespace]).catch((error) => console.error(error.message));
  }
}

export async function vethNetwork() {
  const namespace = `${PREFIX}-veth`;
  await makeNamespace(namespace, true);
  const host = ['peer', 'name', 'veth1', 'netns', HOST];
  await run(['ip', '-n', namespace, 'link', 'add', 'veth0', 'type', 'veth', ...host]);
  for (const [where, link, cidr] of [
    [namespace, 'veth0', '10.78.0.2/24'],
    [HOST, 'veth1', '10.78.0.1/24'],
  ]) {
    await run(['ip', '-n', where, 'address', 'add', cidr, 'dev', link]);
    await run(['ip', '-n', where, 'link', 'set', link, 'up']);
  }
  return {
    name: 'veth',
    app: inside(namespace),
    appAddress: '10.78.0.2',
    hostAddress: '10.78.0.1',
    close: async () => {},
  };
}

export async function netconNetwork(netcon, directory) {
  const namespace = `${PREFIX}-empty`;
  await makeNamespace(namespace, false);
  const socket = join(directory, 'bench.sock');
  const service = start([
    ...inside(HOST),
    ...[netcon, 'service', '--socket', socket, '--tap', 'netcon0'],
    ...['--address', '10.77.0.2/24', '--host-address', '10.77.0.1/24'],
  ]);
  await until('the service', service, () => connects(socket), 30);
  return {
    name: 'netcon',
    app: [...inside(namespace), netcon, 'intercept', '--socket', socket],
    appAddress: '10.77.0.2',
    hostAddress: '10.77.0.1',
    service,
    close: () => stop(service),
  };
}

/** The RPC socket takes only packets (SOCK_SEQPACKET): the kernel says so to a stream that knocks. */
export function connects(path) {
  return new Promise((resolve) => {
    const stream = connect(path, () => resolve(true));
    stream.on('error', (error) => resolve(error.code === 'EPROTOTYPE'));
    stream.on('connect', () => stream.destroy());
  });
}
