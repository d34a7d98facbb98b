import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type Congestion, type FaultOptions, NetconError } from '@netcon/core-rs';
import { type AddressPlan, planAddresses } from './addresses.js';
import { parseFault } from './fault.js';
import { formatIp, parseIp } from './ip.js';
import { type ServicePaths, type Surroundings, servicePaths } from './paths.js';
import { createPolicy, type Lookup, type Policy } from './policy.js';
import type { Server } from './resolver/resolv-conf.js';

export const DEFAULT_TAP = 'netcon0';

/** What `netcon service` takes; everything has a default. */
export interface ServiceOptions {
  name?: string;
  socket?: string;
  /** Interface name, or false for none. */
  tap?: string | false;
  addresses?: string[];
  hostAddresses?: string[];
  gateways?: string[];
  allow?: string[];
  capture?: string;
  /** See {@link parseFault}. */
  fault?: string;
  offload?: boolean;
  maxSessions?: number;
  maxSockets?: number;
  /** `IP`, `IP:PORT` or `[IP]:PORT` of DNS servers; without them those of resolv.conf. False for no DNS. */
  resolvers?: string[] | false;
  /** Instead of /etc/resolv.conf. */
  resolvConf?: string;
  /** cubic, reno or bbr. */
  congestion?: string;
  /** False: connections between two programs go through the stack as well. */
  shortcut?: boolean;
  /** Microseconds of busy polling before the engine sleeps; 0 for none. */
  busyPoll?: number;
}

/** Options checked and completed; nothing has been opened yet. */
export interface ServiceConfig {
  name: string;
  paths: ServicePaths;
  tap: string | undefined;
  offload: boolean;
  plan: AddressPlan;
  policy: Policy;
  capture: string | undefined;
  fault: FaultOptions | undefined;
  maxSessions: number;
  maxSockets: number;
  /** Servers that were named, or false where names are not looked up by DNS. */
  resolvers: Server[] | false;
  resolvConf: string;
  congestion: Congestion;
  shortcut: boolean;
  busyPoll: number;
}

/** Checks options before anything is opened. */
export function configure(options: ServiceOptions, at: Surroundings, lookup?: Lookup): ServiceConfig {
  const tap = options.tap === false ? undefined : (options.tap ?? DEFAULT_TAP);
  // netdevice(7): IFNAMSIZ is 16 with its NUL; the kernel refuses "/" and white space, and %d would make a number.
  if (tap !== undefined && !/^(?!\.{1,2}$)[^\s/%:]{1,15}$/.test(tap)) {
    throw new NetconError('NETCON_TAP_NAME', `--tap ${tap}: not an interface name`);
  }
  return {
    name: options.name ?? 'netcon',
    paths: servicePaths(options, at),
    tap,
    offload: options.offload ?? true,
    plan: planAddresses({
      ...(options.addresses && { stack: options.addresses }),
      ...(options.hostAddresses && { host: options.hostAddresses }),
      ...(options.gateways && { gateways: options.gateways }),
    }),
    policy: createPolicy(options.allow ?? [], at.uid, lookup),
    capture: options.capture,
    fault: options.fault === undefined ? undefined : parseFault(options.fault),
    maxSessions: positive('--max-sessions', options.maxSessions ?? 4096),
    maxSockets: positive('--max-sockets', options.maxSockets ?? defaultMaxSockets()),
    resolvers: options.resolvers === false ? false : (options.resolvers ?? []).map(parseResolver),
    resolvConf: options.resolvConf ?? '/etc/resolv.conf',
    congestion: congestion(options.congestion ?? 'cubic'),
    shortcut: options.shortcut ?? true,
    busyPoll: busyPoll(options.busyPoll ?? defaultBusyPoll()),
  };
}

/** A server that the user names is asked over netcon's network. */
function parseResolver(text: string): Server {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const octets = parseIp(bracketed ?? plain ?? text);
  const number = Number(port ?? 53);
  if (octets === undefined || number < 1 || number > 65_535) {
    throw new NetconError('NETCON_RESOLVER_BAD', `--resolver ${text}: not an address, or not a port`);
  }
  return { ip: formatIp(octets), port: number, via: 'stack' };
}

const CONGESTION: readonly Congestion[] = ['cubic', 'reno', 'bbr'];

function congestion(name: string): Congestion {
  const found = CONGESTION.find((known) => known === name);
  if (found !== undefined) return found;
  throw new NetconError('NETCON_OPTION_BAD', `--congestion ${name}: ${CONGESTION.join(', ')}`);
}

/** A look costs others their turn where there is one processor only. */
function defaultBusyPoll(): number {
  return availableParallelism() > 1 ? 50 : 0;
}

function busyPoll(micros: number): number {
  if (Number.isInteger(micros) && micros >= 0 && micros <= 1_000_000) return micros;
  throw new NetconError('NETCON_OPTION_BAD', `--busy-poll ${micros}: microseconds, from 0 to 1000000`);
}

function positive(option: string, value: number): number {
  if (Number.isInteger(value) && value > 0 && value <= 1_000_000) return value;
  throw new NetconError('NETCON_OPTION_BAD', `${option} ${value}: a number from 1 to 1000000`);
}

/** Each socket costs the service up to two descriptors (its end, and the program's while a connect is under way). */
function defaultMaxSockets(): number {
  const wanted = 65_536;
  const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  const limit = Number(line?.[1] ?? wanted * 2);
  return Math.max(64, Math.min(wanted, Math.floor((limit - 64) / 2)));
}
