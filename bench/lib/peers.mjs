// Other user-space networks, as networks.mjs describes one.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  appPorts,
  configure,
  HOST,
  inside,
  link,
  makeNamespace,
  namespaceOf,
  OWN_ADDRESS,
  ROUTER_ADDRESS,
  removeNamespace,
} from './networks.mjs';
import { run, start, stop, until } from './processes.mjs';

/** What the host serves; pasta's bypass is told of these. */
export const HOST_PORTS = { iperf: 5201, echo: 7000, bulk: 7001, http: 8080 };

async function inNamespace(name) {
  const namespace = namespaceOf(name);
  await makeNamespace(namespace, true);
  return namespace;
}

async function pastaNetwork(index, name, note, outward, hostAddress, appAddress) {
  const namespace = await inNamespace(name);
  const ports = appPorts(index);
  const pasta = start(
    [
      ...inside(HOST),
      ...['pasta', '-f', '-q', '--config-net', '--runas', '0', '--netns-only', '--netns', `/run/netns/${namespace}`],
      ...['-I', 'tap0', '-t', `${ports.http},${ports.echo}`, '-u', 'none', '-T', outward, '-U', 'none'],
    ],
    { group: `${name}-peer` },
  );
  await until('pasta', pasta, async () => (await run(['ip', '-n', namespace, 'address'])).includes(OWN_ADDRESS));
  return {
    name,
    note,
    ports,
    hostAddress,
    appAddress,
    app: inside(namespace),
    mostIdle: 10_000,
    close: async () => {
      await stop(pasta);
      await removeNamespace(namespace);
    },
  };
}

const pasta = (_tools, _directory, index) =>
  pastaNetwork(index, 'pasta', 'passt’s pasta over its TAP, MTU 65520', 'none', ROUTER_ADDRESS, OWN_ADDRESS);

const pastaSplice = (_tools, _directory, index) => {
  const note = 'pasta’s bypass of the TAP: connections over loopback, spliced from socket to socket';
  const ports = Object.values(HOST_PORTS).join(',');
  return pastaNetwork(index, 'pasta-splice', note, ports, '127.0.0.1', '127.0.0.1');
};

async function slirp(_tools, directory, index) {
  const name = 'slirp4netns';
  const namespace = await inNamespace(name);
  const ports = appPorts(index);
  const api = join(directory, 'slirp.sock');
  rmSync(api, { force: true });
  const program = start(
    [
      ...inside(HOST),
      ...['slirp4netns', '--configure', '--mtu=65520', '--api-socket', api],
      ...['--netns-type=path', `/run/netns/${namespace}`, 'tap0'],
    ],
    { group: `${name}-peer` },
  );
  await until('slirp4netns', program, async () => (await run(['ip', '-n', namespace, 'route'])).includes('default'));
  for (const port of [ports.http, ports.echo]) {
    const forward = { proto: 'tcp', host_addr: '0.0.0.0', host_port: port, guest_addr: '10.0.2.100', guest_port: port };
    await askSlirp(api, { execute: 'add_hostfwd', arguments: forward });
  }
  return {
    name,
    note: 'libslirp over a TAP, MTU 65520',
    ports,
    app: inside(namespace),
    hostAddress: '10.0.2.2',
    appAddress: OWN_ADDRESS,
    mostIdle: 10_000,
    close: async () => {
      await stop(program);
      await removeNamespace(namespace);
    },
  };
}

function askSlirp(path, request) {
  return new Promise((resolve, reject) => {
    let answer = '';
    const stream = connect(path, () => stream.end(JSON.stringify(request)));
    stream.on('data', (data) => {
      answer += data;
    });
    stream.on('error', reject);
    stream.on('close', () => (answer.includes('error') ? reject(new Error(`slirp4netns: ${answer}`)) : resolve()));
  });
}

/** runsc in an OCI bundle whose root is '/' under an overlay in memory; netstack on a veth to the host. */
async function gvisor({ runsc }, directory, index) {
  if (runsc === undefined)
    throw new Error('runsc is not installed and could not be built from the Go module gvisor.dev/gvisor');
  const name = 'gvisor';
  const namespace = await inNamespace(name);
  await link([namespace, 'veth0', '10.78.6.2/24'], [HOST, 'veth6', '10.78.6.1/24']);
  await run(['ip', '-n', namespace, 'route', 'add', 'default', 'via', '10.78.6.1']);
  const bundle = join(directory, name);
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(join(bundle, 'root'), { recursive: true });
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(bundleConfig(namespace)));
  const common = [runsc, '--root', join(bundle, 'root'), '--network=sandbox', '--platform=systrap', '--ignore-cgroups'];
  common.push('--overlay2=root:memory');
  const id = `${namespace}-${Date.now()}`;
  const sandbox = start([...common, 'run', '--bundle', bundle, id], { group: `${name}-peer` });
  const state = () => run([...common, 'state', id]).catch(() => '');
  await until('runsc', sandbox, async () => (await state()).includes('"running"'), 30);
  return {
    name,
    note: 'runsc (systrap), its netstack on a veth pair; CPU and memory are of the sandbox, the app in it',
    ports: appPorts(index),
    app: [...common, 'exec', id],
    hostAddress: '10.78.6.1',
    appAddress: '10.78.6.2',
    local: true,
    mostIdle: 10_000,
    close: async () => {
      const quietly = (argv) => run(argv).catch(() => '');
      await quietly([...common, 'kill', '--all', id, 'KILL']);
      await stop(sandbox);
      await quietly([...common, 'delete', '--force', id]);
      await quietly(['umount', join(bundle, 'root', 'null-netns')]);
      await run(['ip', '-n', HOST, 'link', 'del', 'veth6']);
      await removeNamespace(namespace);
    },
  };
}

function bundleConfig(namespace) {
  const all = ['CAP_NET_BIND_SERVICE', 'CAP_KILL', 'CAP_SETUID', 'CAP_SETGID', 'CAP_DAC_OVERRIDE', 'CAP_CHOWN'];
  const capabilities = { bounding: all, effective: all, permitted: all, inheritable: all };
  const files = { type: 'RLIMIT_NOFILE', hard: 1048576, soft: 1048576 };
  const spaces = ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type }));
  return {
    ociVersion: '1.0.0',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['/bin/sleep', '86400'],
      env: [`PATH=${process.env.PATH}`],
      cwd: '/',
      capabilities,
      rlimits: [files],
    },
    root: { path: '/', readonly: false },
    hostname: 'bench',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs' },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
    ],
    linux: { namespaces: [...spaces, { type: 'network', path: `/run/netns/${namespace}` }] },
  };
}

/** Kernel TCP on both sides; a process copies frames between two TAPs. */
async function tapCopy({ tapcopy }, _directory, index) {
  const name = 'tap-copy';
  const namespace = await inNamespace(name);
  const copier = start([tapcopy, `/run/netns/${HOST}`, 'tapcopy0', `/run/netns/${namespace}`, 'tapcopy1'], {
    group: `${name}-peer`,
  });
  await until('tapcopy', copier, () => copier.out.startsWith('ready'));
  await configure([HOST, 'tapcopy0', '10.78.5.1/24']);
  await configure([namespace, 'tapcopy1', '10.78.5.2/24']);
  return {
    name,
    note: 'kernel TCP on both sides, a C program that copies super-frames between two TAPs: what TAPs cost alone',
    ports: appPorts(index),
    app: inside(namespace),
    hostAddress: '10.78.5.1',
    appAddress: '10.78.5.2',
    mostIdle: 10_000,
    close: async () => {
      await stop(copier);
      await removeNamespace(namespace);
    },
  };
}

export const PEERS = { pasta, 'pasta-splice': pastaSplice, slirp4netns: slirp, gvisor, 'tap-copy': tapCopy };
