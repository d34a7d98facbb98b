// What groups of processes used: CPU time as the kernel's control groups count it, memory as /proc says.

import { accessSync, constants, existsSync, mkdirSync, readFileSync, rmdirSync } from 'node:fs';

const PREFIX = `netcon-bench-${process.pid}`;
const V1 = '/sys/fs/cgroup/cpuacct';
const V2 = '/sys/fs/cgroup';
const made = new Set();

/** Where groups can be made here: `{ base, seconds }`, or undefined: then CPU time is not measured. */
const hierarchy = [
  { base: V1, has: 'cpuacct.usage', seconds: (dir) => Number(readFileSync(`${dir}/cpuacct.usage`, 'utf8')) / 1e9 },
  {
    base: V2,
    has: 'cgroup.controllers',
    seconds: (dir) => Number(/^usage_usec (\d+)$/m.exec(readFileSync(`${dir}/cpu.stat`, 'utf8'))[1]) / 1e6,
  },
].find(({ base, has }) => existsSync(`${base}/${has}`) && writable(base));

function writable(path) {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function directory(group) {
  const path = `${hierarchy.base}/${PREFIX}-${group}`;
  if (!made.has(path)) {
    mkdirSync(path, { recursive: true });
    made.add(path);
  }
  return path;
}

/** The command that runs `argv` in the group: it replaces itself by it, so that the process is the same. */
export function inGroup(group, argv) {
  if (hierarchy === undefined || group === undefined) return argv;
  return ['sh', '-c', 'echo 0 >"$0" && exec "$@"', `${directory(group)}/cgroup.procs`, ...argv];
}

/** CPU seconds that the group's processes used so far, those that ended included; undefined where that is not counted. */
export function cpuSeconds(group) {
  return hierarchy?.seconds(directory(group));
}

/** MiB of memory in which the group's processes reside. */
export function residentMiB(group) {
  if (hierarchy === undefined) return undefined;
  const pids = readFileSync(`${directory(group)}/cgroup.procs`, 'utf8')
    .split('\n')
    .filter(Boolean);
  const sizes = pids.map((pid) => readOr(`/proc/${pid}/smaps_rollup`, ''));
  return sizes.reduce((sum, text) => sum + Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0), 0) / 1024;
}

function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise; // The process ended meanwhile.
  }
}

/** MiB of the kernel's own objects, sockets among them, of the whole machine. */
export function slabMiB() {
  return Number(/^Slab:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))[1]) / 1024;
}

/** Seconds that all processors together were busy since the machine started, niced and stolen time left out. */
export function busySeconds() {
  const [user, , system, , , irq, softirq] = readFileSync('/proc/stat', 'utf8')
    .split('\n')[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + system + irq + softirq) / 100;
}

/** After their processes ended. */
export function removeGroups() {
  for (const path of made) {
    try {
      rmdirSync(path);
    } catch (error) {
      console.error(`bench: ${path}: ${error.message}`);
    }
  }
  made.clear();
}
