import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** A name server; `via` says over which network it is asked. */
export interface Server {
  ip: string;
  port: number;
  via: 'stack' | 'host';
}

/** What resolv.conf(5) says. */
export interface ResolvConf {
  servers: string[];
  search: string[];
  ndots: number;
  timeoutMs: number;
  attempts: number;
  rotate: boolean;
  useTcp: boolean;
}

/** Reads resolv.conf(5) with the bounds that glibc puts on it; what it does not know it skips. */
export function parseResolvConf(text: string, host = hostname()): ResolvConf {
  const conf: ResolvConf = {
    servers: [],
    search: [],
    ndots: 1,
    timeoutMs: 5000,
    attempts: 2,
    rotate: false,
    useTcp: false,
  };
  const domain = host.includes('.') ? host.slice(host.indexOf('.') + 1) : '';
  conf.search = domain === '' ? [] : [domain];
  for (const line of text.split('\n')) {
    // A comment begins in the first column, or behind a value.
    const [key = '', ...values] = line.split(/[#;]/, 1)[0]?.trim().split(/\s+/) ?? [];
    const [first] = values;
    if (first === undefined) continue;
    if (key === 'nameserver' && isIP(first) !== 0) conf.servers.push(first);
    else if (key === 'domain') conf.search = [first];
    else if (key === 'search') conf.search = values.filter((value) => value !== '.');
    else if (key === 'options') for (const option of values) applyOption(conf, option);
  }
  // MAXNS, resolv.h.
  conf.servers = conf.servers.slice(0, 3);
  return conf;
}

function applyOption(conf: ResolvConf, option: string): void {
  const [name = '', value] = option.split(':');
  const number = Number.parseInt(value ?? '', 10);
  if (name === 'rotate') conf.rotate = true;
  else if (name === 'use-vc') conf.useTcp = true;
  else if (Number.isNaN(number) || number < 0) return;
  else if (name === 'ndots') conf.ndots = Math.min(number, 15);
  // RES_MAXRETRANS and RES_MAXRETRY, resolv.h.
  else if (name === 'timeout') conf.timeoutMs = Math.min(Math.max(number, 1), 30) * 1000;
  else if (name === 'attempts') conf.attempts = Math.min(Math.max(number, 1), 5);
}

/**
 * The servers to ask. Those the user names are asked over netcon's network. The host's own may stand at an address that
 * only the host can reach (127.0.0.53 of systemd-resolved, a link-local address with its interface): these are asked
 * over the host's network.
 */
export function serversOf(conf: ResolvConf, given: Server[]): Server[] {
  if (given.length > 0) return given;
  // resolv.conf(5): without a server, the one of this host.
  const listed = conf.servers.length > 0 ? conf.servers : ['127.0.0.1'];
  return listed.map((ip) => ({ ip, port: 53, via: isHostsOwn(ip) ? 'host' : 'stack' }));
}

function isHostsOwn(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1' || ip.includes('%');
}

/** A file that is read again when it has changed; what can't be read is empty. */
export class WatchedFile {
  private seen = '';
  private text = '';
  private readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** The text, and whether it is another than last time. */
  read(): { text: string; changed: boolean } {
    const stamp = stampOf(this.path);
    if (stamp === this.seen) return { text: this.text, changed: false };
    this.seen = stamp;
    const before = this.text;
    try {
      this.text = readFileSync(this.path, 'utf8');
    } catch {
      this.text = '';
    }
    return { text: this.text, changed: this.text !== before };
  }
}

function stampOf(path: string): string {
  try {
    const { mtimeNs, size, ino } = statSync(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch {
    return 'absent';
  }
}
