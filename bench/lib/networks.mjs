// The networks that are compared. `host` is the namespace of the servers; each contender reaches it in its own way.
//
// A network: `name`; `note`, what it is; `app`, what goes before an app's command; `hostAddress`, the host as the app knows it;
// `appAddress`, the app as the host knows it; `ports` on which the app's servers are reached; `local`, whether two
// programs of it reach each other on its 127.0.0.1; `mostIdle`, how many idle connections it can hold; `close`.
// Its processes but the app's are in the group `NAME-peer` (accounts.mjs).

import { connect } from 'node:net';
import { join } from 'node:path';
import { run, start, stop, until } from './processes.mjs';

const PREFIX = `netcon-bench-${process.pid}`;
export const HOST = `${PREFIX}-host`;
/** The host's own address, on the link of its default route: what pasta takes for its namespace. */
export const OWN_ADDRESS = '10.78.9.1';
export const ROUTER_ADDRESS = '10.78.9.2';

const made = [];

export const namespaceOf = (name) => `${PREFIX}-${name}`;
export const inside = (namespace) => ['nsenter', `--net=/run/netns/${namespace}`];

/** The ports of the app's servers: pasta and slirp4netns take them from the host, so each contender has its own. */
export function appPorts(index) {
  return { http: 8100 + index, echo: 7100 + index, iperf: 5300 + index };
}

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

/** The host, with a default route that leads nowhere. */
export async function makeHost() {
  await makeNamespace(HOST, true);
  await makeNamespace(namespaceOf('router'), true);
  await link([namespaceOf('router'), 'router0', `${ROUTER_ADDRESS}/24`], [HOST, 'own0', `${OWN_ADDRESS}/24`]);
  await run(['ip', '-n', HOST, 'route', 'add', 'default', 'via', ROUTER_ADDRESS]);
  return inside(HOST);
}

/** A veth pair; each end is [namespace, name, address]. */
export async function link(a, b) {
  const peer = ['peer', 'name', b[1], 'netns', b[0]];
  await run(['ip', '-n', a[0], 'link', 'add', a[1], 'type', 'veth', ...peer]);
  for (const end of [a, b]) await configure(end);
}

export async function configure([namespace, name, cidr]) {
  await run(['ip', '-n', namespace, 'address', 'add', cidr, 'dev', name]);
  await run(['ip', '-n', namespace, 'link', 'set', name, 'up']);
}

/** Namespaces that an earlier network of this run left, and the links in them. */
export async function removeNamespace(namespace) {
  if (!made.includes(namespace)) return;
  made.splice(made.indexOf(namespace), 1);
  await run(['ip', 'netns', 'del', namespace]).catch((error) => console.error(error.message));
}

export async function removeAll() {
  for (const namespace of [...made].reverse()) await removeNamespace(namespace);
}

export async function vethNetwork(index = 0) {
  const namespace = namespaceOf('veth');
  await makeNamespace(namespace, true);
  await link([namespace, 'veth0', '10.78.0.2/24'], [HOST, 'veth1', '10.78.0.1/24']);
  return {
    name: 'veth',
    note: 'kernel TCP on both sides of a veth pair',
    app: inside(namespace),
    appAddress: '10.78.0.2',
    hostAddress: '10.78.0.1',
    ports: appPorts(index),
    local: true,
    mostIdle: 10_000,
    close: async () => {
      await run(['ip', '-n', HOST, 'link', 'del', 'veth1']); // At once; with its namespace it goes a little later.
      await removeNamespace(namespace);
    },
  };
}

/** The app is in a namespace with no interface but a loopback that is down; the service's TAP is in `host`. */
export async function netconNetwork(netcon, directory, index = 1) {
  const namespace = namespaceOf('empty');
  await makeNamespace(namespace, false);
  const socket = join(directory, 'bench.sock');
  const argv = [
    ...inside(HOST),
    ...[netcon, 'service', '--socket', socket, '--tap', 'netcon0'],
    ...['--address', '10.77.0.2/24', '--host-address', '10.77.0.1/24'],
  ];
  const service = start(argv, { group: 'netcon-peer' });
  await until('the service', service, () => connects(socket), 30);
  return {
    name: 'netcon',
    note: 'the app intercepted, in a namespace without a network; the service, with its API, in the host',
    app: [...inside(namespace), netcon, 'intercept', '--socket', socket],
    appAddress: '10.77.0.2',
    hostAddress: '10.77.0.1',
    ports: appPorts(index),
    local: true,
    mostIdle: 9_000, // A connection is two descriptors of the service's, of 20,000 where the goal was set.
    service,
    close: async () => {
      await stop(service);
      await removeNamespace(namespace);
    },
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
