import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NetconError } from '@netcon/core-rs';

export const DEFAULT_NAME = 'netcon';
const SYSTEM_DIR = '/run/netcon';
/** unix(7): sun_path has 108 bytes, one of them the closing NUL. */
const MAX_SOCKET_PATH = 107;

/** Where a service of a given name keeps its files. */
export interface ServicePaths {
  /** Directory of the socket. */
  dir: string;
  /** The directory is netcon's own (made when missing), not one that the user chose. */
  ownDir: boolean;
  /** SOCK_SEQPACKET socket of the RPC. */
  socket: string;
  /** HTTP admin API. */
  api: string;
  /** Directory (0700) of native names. */
  names: string;
  lock: string;
}

/** What look-ups depend on; tests pass their own. */
export interface Surroundings {
  env: Record<string, string | undefined>;
  cwd: string;
  uid: number;
  exists: (path: string) => boolean;
  /** /run/netcon can be made or written. */
  systemDir: string | undefined;
}

/** Where a service with these options puts its socket. */
export function servicePaths(given: { socket?: string; name?: string }, at: Surroundings): ServicePaths {
  const name = given.name ?? DEFAULT_NAME;
  if (!/^[\w.-]{1,32}$/.test(name) || name.startsWith('.')) {
    throw new NetconError('NETCON_OPTION_BAD', `--name ${name}: a name has 1 to 32 letters, digits, "-", "_" and "."`);
  }
  const explicit = given.socket ?? (given.name === undefined ? at.env.NETCON_SOCKET : undefined);
  if (explicit) return around(resolve(at.cwd, explicit), false);
  const runtime = runtimeDir(at);
  const dir = at.uid === 0 ? (at.systemDir ?? runtime) : runtime;
  if (dir === undefined) {
    throw new NetconError('NETCON_SOCKET_NO_DIR', 'no directory for the socket: XDG_RUNTIME_DIR is not set');
  }
  return around(join(dir, `${name}.sock`), true);
}

/** The sockets where a service may be found, in order: --socket, NETCON_SOCKET, the user's directory, the system's. */
export function socketCandidates(given: { socket?: string; name?: string }, at: Surroundings): string[] {
  if (given.socket) return [resolve(at.cwd, given.socket)];
  if (given.name === undefined && at.env.NETCON_SOCKET) return [resolve(at.cwd, at.env.NETCON_SOCKET)];
  const file = `${given.name ?? DEFAULT_NAME}.sock`;
  return [runtimeDir(at), SYSTEM_DIR].filter((dir) => dir !== undefined).map((dir) => join(dir, file));
}

/** The socket of the service to use: the first that exists, else the one where a service would be expected. */
export function findSocket(
  given: { socket?: string; name?: string },
  at: Surroundings,
): { path: string; tried: string[] } {
  const tried = socketCandidates(given, at);
  const path = tried.find((candidate) => at.exists(candidate)) ?? tried[0] ?? SYSTEM_DIR;
  return { path, tried };
}

/** The API's socket beside a given RPC socket. */
export function apiSocketOf(socket: string): string {
  return `${socket.replace(/\.sock$/, '')}.api.sock`;
}

/** The real process's surroundings. */
export function surroundings(cwd: string, systemDir: string | undefined): Surroundings {
  return { env: process.env, cwd, uid: process.geteuid?.() ?? 0, exists: existsSync, systemDir };
}

export { SYSTEM_DIR };

function runtimeDir(at: Surroundings): string | undefined {
  const runtime = at.env.XDG_RUNTIME_DIR;
  return runtime?.startsWith('/') ? join(runtime, 'netcon') : undefined;
}

function around(socket: string, ownDir: boolean): ServicePaths {
  const base = socket.replace(/\.sock$/, '');
  const paths = {
    dir: resolve(socket, '..'),
    ownDir,
    socket,
    api: apiSocketOf(socket),
    names: `${base}.d`,
    lock: `${base}.lock`,
  };
  if (Buffer.byteLength(paths.api) > MAX_SOCKET_PATH) {
    throw new NetconError('NETCON_SOCKET_TOO_LONG', `${paths.api}: ${Buffer.byteLength(paths.api)} bytes`);
  }
  return paths;
}
