import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { NetconError } from '@netcon/core-rs';

/** What a program is started with. */
export interface InterceptOptions {
  /** The service's socket. */
  socket: string;
  /** A file for one line per hooked call. */
  trace?: string;
  /** `all`, or networks that go to the kernel's own stack. */
  bypass?: string[];
  /** The program may not start programs that can't be intercepted. */
  strict?: boolean;
}

type Env = Record<string, string | undefined>;

/** The environment of an intercepted program: its own, plus what the library reads. */
export function interceptEnvironment(base: Env, library: string, options: InterceptOptions): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(base)) if (value !== undefined) env[name] = value;
  env.LD_PRELOAD = preload(library, base.LD_PRELOAD);
  env.NETCON_SOCKET = resolve(options.socket);
  if (options.trace !== undefined) env.NETCON_TRACE = resolve(options.trace);
  if (options.bypass !== undefined && options.bypass.length > 0) env.NETCON_BYPASS = bypassList(options.bypass);
  if (options.strict) env.NETCON_STRICT = '1';
  return env;
}

/** Ours first, so that our symbols win; what the user preloads stays. */
function preload(library: string, existing: string | undefined): string {
  // ld.so(8): entries are separated by spaces or colons, and there is no escape.
  if (/[\s:]/.test(library)) {
    throw new NetconError(
      'NETCON_LIBRARY_MISSING',
      `${library}: LD_PRELOAD can't hold a path with a space or a colon`,
      {
        hint: 'move netcon to a path without spaces and colons, or install it: make install PREFIX=/usr/local',
      },
    );
  }
  const others = (existing ?? '').split(/[\s:]+/).filter((entry) => entry !== '' && entry !== library);
  return [library, ...others].join(' ');
}

/** Checks `all` or CIDRs (a bare address is a network of one) and joins them as the library reads them. */
export function bypassList(entries: string[]): string {
  const parts = entries.flatMap((entry) => entry.split(','));
  if (parts.includes('all')) return 'all';
  for (const part of parts) {
    const [ip = '', length, ...rest] = part.split('/');
    const version = isIP(ip);
    const bits = version === 4 ? 32 : 128;
    const prefix = length === undefined ? bits : Number(length);
    if (
      version === 0 ||
      rest.length > 0 ||
      length === '' ||
      !(Number.isInteger(prefix) && prefix >= 0 && prefix <= bits)
    ) {
      throw new NetconError('NETCON_BYPASS_BAD', `--bypass ${part}: neither "all" nor a network`);
    }
  }
  return parts.join(',');
}
