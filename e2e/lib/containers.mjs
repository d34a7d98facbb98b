/** OCI containers as docker makes them with --network none --read-only, run by crun. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { onEnd } from './cleanup.mjs';
import { Process, which } from './process.mjs';
import { scratch } from './service.mjs';

/** The uid outside that is root inside: containers have a user namespace. */
export const OUTSIDE = 100_000;

/** The mount point of the service's directory, and what a program is started with. */
export const PLACE = '/run/netcon';
export const PRELOADED = [`LD_PRELOAD=${PLACE}/libnetcon.so`, `NETCON_SOCKET=${PLACE}/service.sock`];

/** docker's default capabilities. */
const CAPABILITIES =
  `AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT`
    .split(' ')
    .map((name) => `CAP_${name}`);

/** Words before a command: with a cgroup file system that crun and podman understand, whatever this machine mounts. */
export const WITH_CGROUPS = [
  'unshare',
  '-m',
  '/bin/sh',
  '-c',
  'mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup && exec "$@"',
  '-',
];

let made = 0;

/** Starts a program in a container of its own. `mounts` maps paths inside to paths outside. */
export function startContainer(
  rootfs,
  args,
  { env = PRELOADED, mounts = {}, user = 0, input, userNamespace = true, proc = true } = {},
) {
  const name = `nce-${process.pid}-${++made}`;
  const bundle = scratch('netcon-bundle');
  chmodSync(bundle, 0o755);
  mkdirSync(`${bundle}/state`);
  writeFileSync(
    `${bundle}/config.json`,
    JSON.stringify(config({ rootfs, args, env, mounts, user, userNamespace, proc })),
  );
  const crun = [...WITH_CGROUPS, which('crun'), '--cgroup-manager=disabled', `--root=${bundle}/state`];
  const [command, ...words] = crun;
  // A container outlives the crun that was killed.
  const remove = onEnd(() => execFileSync(command, [...words, 'delete', '--force', name], { stdio: 'ignore' }));
  const container = new Process(command, [...words, 'run', '--bundle', bundle, name], { input });
  container.ended.finally(remove).catch(() => {});
  return container;
}

function config({ rootfs, args, env, mounts, user, userNamespace, proc }) {
  const namespaces = ['pid', 'network', 'ipc', 'uts', 'mount', ...(userNamespace ? ['user'] : [])];
  const range = [{ containerID: 0, hostID: OUTSIDE, size: 65_536 }];
  const temporary = (destination, ...options) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', ...options],
  });
  return {
    ociVersion: '1.0.2',
    hostname: 'container',
    root: { path: rootfs, readonly: true },
    process: {
      terminal: false,
      cwd: '/',
      args,
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin', ...env],
      user: { uid: user, gid: user },
      noNewPrivileges: true,
      capabilities: Object.fromEntries(
        ['bounding', 'effective', 'permitted'].map((set) => [
          set,
          user === 0 || set === 'bounding' ? CAPABILITIES : [],
        ]),
      ),
    },
    mounts: [
      ...(proc ? [{ destination: '/proc', type: 'proc', source: 'proc' }] : []),
      temporary('/dev', 'mode=755'),
      temporary('/tmp', 'mode=1777'),
      ...Object.entries(mounts).map(([destination, source]) => ({
        destination,
        source,
        type: 'none',
        options: ['bind', 'ro', 'nosuid', 'nodev'],
      })),
    ],
    linux: {
      namespaces: namespaces.map((type) => ({ type })),
      ...(userNamespace && { uidMappings: range, gidMappings: range }),
    },
  };
}
