import { parseCidr } from '../addresses.js';
import { parseIp } from '../ip.js';

/** What decides which address is tried first: the stack's addresses and ways out. */
export interface Reach {
  /** The stack's addresses, as CIDR. */
  addresses: string[];
  gateways: string[];
  hasLink: boolean;
}

/** Precedence and label as glibc has them (sysdeps/posix/getaddrinfo.c, gai.conf(5)); IPv4 as v4-mapped. */
const POLICY: [prefix: string, precedence: number, label: number][] = [
  ['::1/128', 50, 0],
  ['::ffff:0:0/96', 10, 4],
  ['::/96', 20, 3],
  ['2001::/32', 40, 7],
  ['2002::/16', 30, 2],
  ['fec0::/10', 40, 5],
  ['fc00::/7', 40, 6],
  ['::/0', 40, 1],
];

const TABLE = POLICY.map(([prefix, precedence, label]) => {
  const [ip = '', length] = prefix.split('/');
  return { octets: wide(ip), bits: Number(length), precedence, label };
});

interface Candidate {
  place: number;
  destination: Uint8Array;
  source: Uint8Array | undefined;
}

/** The places of `addresses` in the order to try them: RFC 6724 6, the rules that apply to a single interface. */
export function orderAddresses(addresses: string[], reach: Reach): number[] {
  const candidates = addresses.map((ip, place): Candidate => {
    const source = sourceFor(ip, reach);
    return { place, destination: wide(ip), source: source === undefined ? undefined : wide(source) };
  });
  return candidates.sort(compare).map(({ place }) => place);
}

function compare(a: Candidate, b: Candidate): number {
  // Rule 1: avoid unusable destinations.
  const usable = Number(b.source !== undefined) - Number(a.source !== undefined);
  if (usable !== 0 || a.source === undefined || b.source === undefined) return usable || a.place - b.place;
  const matches = (test: (of: Uint8Array) => number) => (c: Candidate) =>
    Number(c.source !== undefined && test(c.source) === test(c.destination));
  const [scoped, labelled] = [matches(scopeOf), matches((octets) => policyOf(octets).label)];
  // Rules 2, 5, 6, 8: matching scope, matching label, precedence, smaller scope.
  const rules = [
    scoped(b) - scoped(a),
    labelled(b) - labelled(a),
    policyOf(b.destination).precedence - policyOf(a.destination).precedence,
    scopeOf(a.destination) - scopeOf(b.destination),
    // Rule 9, longest matching prefix, for IPv6 only (as glibc outside of one subnet).
    isV4(a.destination) || isV4(b.destination) ? 0 : common(b.destination, b.source) - common(a.destination, a.source),
  ];
  return rules.find((difference) => difference !== 0) ?? a.place - b.place;
}

/** The address that a connection to `ip` would come from; undefined if there is no way. */
function sourceFor(ip: string, { addresses, gateways, hasLink }: Reach): string | undefined {
  const target = wide(ip);
  const [v4, own] = [isV4(target), addresses.map((cidr) => cidr.split('/')[0] ?? '')];
  if (v4 && target[12] === 127) return '127.0.0.1';
  // The unspecified address means this host.
  if (ip === '0.0.0.0') return '127.0.0.1';
  if (ip === '::1' || ip === '::') return '::1';
  if (own.some((address) => common(wide(address), target) === 128)) return ip;
  if (!hasLink) return undefined;
  const same = addresses.filter((cidr) => isV4(wide(cidr.split('/')[0] ?? '')) === v4);
  const isOnLink = (cidr: string) => {
    const { octets, prefix } = parseCidr(cidr);
    return common(widen(octets), target) >= prefix + (v4 ? 96 : 0);
  };
  const hasGateway = gateways.some((gateway) => isV4(wide(gateway)) === v4);
  const from = same.find(isOnLink) ?? (hasGateway ? same[0] : undefined);
  return from?.split('/')[0];
}

function wide(ip: string): Uint8Array {
  return widen(parseIp(ip) ?? new Uint8Array(16));
}

/** IPv4 as v4-mapped, so that there is one table. */
function widen(octets: Uint8Array): Uint8Array {
  if (octets.length === 16) return octets;
  return Uint8Array.from([...new Array<number>(10).fill(0), 0xff, 0xff, ...octets]);
}

function isV4(octets: Uint8Array): boolean {
  return octets.every((octet, i) => i > 11 || octet === (i < 10 ? 0 : 0xff));
}

function policyOf(octets: Uint8Array): { precedence: number; label: number } {
  const fits = TABLE.filter((row) => common(row.octets, octets) >= row.bits);
  return fits.reduce((best, row) => (row.bits > best.bits ? row : best));
}

/** RFC 6724 3.1, 3.2: link-local 2, site-local 5, global 14; multicast has its own. */
function scopeOf(octets: Uint8Array): number {
  const [a = 0, b = 0] = octets;
  if (isV4(octets)) {
    const [c = 0, d = 0] = octets.subarray(12);
    return c === 127 || (c === 169 && d === 254) ? 2 : 14;
  }
  if (a === 0xff) return b & 15;
  const isLoopback = octets.every((octet, i) => octet === (i === 15 ? 1 : 0));
  if (isLoopback || (a === 0xfe && (b & 0xc0) === 0x80)) return 2;
  return a === 0xfe && (b & 0xc0) === 0xc0 ? 5 : 14;
}

/** How many leading bits are the same. */
function common(a: Uint8Array, b: Uint8Array | undefined): number {
  if (b === undefined) return 0;
  const at = a.findIndex((octet, i) => octet !== b[i]);
  if (at < 0) return 128;
  return at * 8 + Math.clz32(((a[at] ?? 0) ^ (b[at] ?? 0)) & 0xff) - 24;
}
