import { accessSync, constants } from 'node:fs';
import { NetconError } from '@netcon/service/errors';
import { findSocket, type Surroundings, SYSTEM_DIR, surroundings } from '@netcon/service/paths';
import { RpcClient, type Welcome } from '@netcon/service/rpc';

/** What commands need of a service on this machine, without its HTTP side. */
export { ERRORS, type ErrorCode, NetconError } from '@netcon/service/errors';
export { apiSocketOf, findSocket } from '@netcon/service/paths';
export { version } from './version.js';

/** How to name a service: a path, or a name in the usual directories. */
export interface Which {
  socket?: string;
  name?: string;
}

/** The surroundings of this process. */
export function here(): Surroundings {
  return surroundings(process.cwd(), writable(SYSTEM_DIR) || writable('/run') ? SYSTEM_DIR : undefined);
}

/** The socket of the service to use. */
export function locate(which: Which): { path: string; tried: string[] } {
  return findSocket(which, here());
}

/** A service that answered. */
export interface Greeting extends Welcome {
  pid: number;
  uid: number;
}

/**
 * Says HELLO to the service at `path`: whether it lives, is trusted, speaks this version, and admits this user.
 *
 * @throws NETCON_SERVICE_*, NETCON_POLICY_REFUSED
 */
export function greet(path: string): Greeting {
  const client = RpcClient.connect(path);
  try {
    const { pid, uid } = client.peer();
    // A service sees all that its programs send: it must be run by the same user, or by root.
    if (uid !== 0 && uid !== process.geteuid?.()) {
      throw new NetconError('NETCON_SERVICE_UNTRUSTED', `${path}: the service runs as uid ${uid}`);
    }
    return { ...client.hello(process.pid, 'netcon'), pid, uid };
  } finally {
    client.close();
  }
}

function writable(dir: string): boolean {
  try {
    accessSync(dir, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
