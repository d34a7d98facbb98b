import { existsSync, lstatSync, mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { type Native, NetconError } from '@netcon/core-rs';
import { type Lock, takeLock } from './lock.js';
import type { ServicePaths } from './paths.js';

/**
 * Makes the directories and takes the lock; whoever holds the lock owns every file of that name. Returns what removes it
 * all: after a start that failed, all but the names that a killed service has left for the next one to find.
 *
 * @throws NETCON_ALREADY_RUNNING, NETCON_SOCKET_IN_USE, NETCON_SOCKET_BIND
 */
export function claim(paths: ServicePaths, api: Native): (after: 'end' | 'failure') => void {
  try {
    const madeDir = paths.ownDir && mkdirSync(paths.dir, { recursive: true, mode: dirMode() }) !== undefined;
    const lock = takeLock(paths.lock, api.tryLock);
    const heir = existsSync(paths.names);
    try {
      clearStale(paths.socket, api);
      clearStale(paths.api, api);
      mkdirSync(paths.names, { recursive: true, mode: 0o700 });
    } catch (thrown) {
      lock.release();
      throw thrown;
    }
    return (after) => removeTraces(paths, { madeDir, keepNames: heir && after === 'failure' }, lock);
  } catch (thrown) {
    if (thrown instanceof NetconError) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw new NetconError('NETCON_SOCKET_BIND', message, { cause: thrown, ...(code !== undefined && { errno: code }) });
  }
}

/** Removes the socket of a service that was killed; what is anything else stays, and is an error. */
function clearStale(path: string, api: Native): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw new NetconError('NETCON_SOCKET_IN_USE', `${path}: a file that is not a socket`);
  try {
    api.connectChannel(path).close();
  } catch (thrown) {
    // unix(7): nobody listens there. A listener of another type would give EPROTOTYPE.
    if (!(thrown instanceof NetconError && thrown.errno === 'ECONNREFUSED')) throw inUse(path, thrown);
    rmSync(path);
    return;
  }
  throw inUse(path, undefined);
}

function inUse(path: string, cause: unknown): NetconError {
  return new NetconError('NETCON_SOCKET_IN_USE', `${path}: a process listens there`, { cause });
}

/** /run/netcon is for every user to look into; a user's own directory is his. */
function dirMode(): number {
  return process.geteuid?.() === 0 ? 0o755 : 0o700;
}

function removeTraces(
  paths: ServicePaths,
  { madeDir, keepNames }: { madeDir: boolean; keepNames: boolean },
  lock: Lock,
): void {
  const traces = [paths.socket, paths.api, ...(keepNames ? [] : [paths.names])];
  for (const path of traces) rmSync(path, { force: true, recursive: true });
  lock.release();
  if (!madeDir) return;
  try {
    rmdirSync(paths.dir);
  } catch {
    // Another service lives there too.
  }
}
