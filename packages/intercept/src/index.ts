import { resolve } from 'node:path';
import { type ExecOptions, type Native, NetconError, native } from '@netcon/core-rs';
import { type InterceptOptions, interceptEnvironment } from './environment.js';
import { findLibrary } from './library.js';
import { checkTarget, starter } from './target.js';

export { bypassList, type InterceptOptions, interceptEnvironment } from './environment.js';
export { findLibrary, libraryPath, placeLibrary } from './library.js';
export { checkTarget, type Starter, starter } from './target.js';

/** What became of this process before Node changed it; restored for the program. */
export type Launch = ExecOptions;

/**
 * Replaces this process by the program: same pid, terminal and working directory. Returns only by throwing.
 *
 * @example intercept(['curl', 'http://10.77.0.1/'], { socket: '/run/netcon/netcon.sock' }, { ignoreSignals: [] }, process.env)
 */
export function intercept(
  argv: [string, ...string[]],
  options: InterceptOptions & { library?: string },
  launch: Launch,
  env: Record<string, string | undefined>,
  api: Pick<Native, 'execReplace'> = native,
): never {
  const file = checkTarget(argv[0], starter());
  const environment = interceptEnvironment(env, findLibrary(options.library), options);
  const list = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  try {
    return api.execReplace(file, argv, list, { ...launch, channel: resolve(options.socket) });
  } catch (thrown) {
    throw execError(argv[0], thrown as NetconError);
  }
}

function execError(program: string, error: NetconError): NetconError {
  const more = { cause: error, ...(error.errno !== undefined && { errno: error.errno }) };
  switch (error.errno) {
    case 'ENOENT':
      return new NetconError('NETCON_APP_NOT_FOUND', `${program}: ${error.message}`, more);
    case 'ENOEXEC':
      return new NetconError('NETCON_APP_FORMAT', `${program}: ${error.message}`, more);
    case undefined:
      return error;
    default:
      return new NetconError('NETCON_APP_DENIED', `${program}: ${error.message}`, more);
  }
}
