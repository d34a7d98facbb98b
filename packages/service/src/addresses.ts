import { NetconError } from '@netcon/core-rs';
import { formatIp, parseIp } from './ip.js';

/** An interface address: an address and the length of its network's prefix. */
export interface Cidr {
  octets: Uint8Array;
  prefix: number;
}

/** Who has which address; every list may hold IPv4 and IPv6. */
export interface AddressPlan {
  stack: string[];
  host: string[];
  gateways: string[];
}

export const DEFAULT_STACK = ['10.77.0.2/24', 'fd77::2/64'];
export const DEFAULT_HOST = ['10.77.0.1/24', 'fd77::1/64'];

/**
 * Reads `10.77.0.2/24` or `fd77::2/64` as the address of a host in that network.
 *
 * @throws NETCON_ADDRESS_INVALID, saying what is wrong with it
 */
export function parseCidr(text: string): Cidr {
  const [ip = '', length, ...rest] = text.split('/');
  const octets = parseIp(ip);
  if (octets === undefined) throw bad(text, 'not an IPv4 or IPv6 address');
  if (length === undefined) throw bad(text, 'the prefix length is missing');
  const bits = octets.length * 8;
  if (rest.length > 0 || !/^\d{1,3}$/.test(length) || Number(length) > bits) {
    throw bad(text, `the prefix length is a number from 1 to ${bits}`);
  }
  const cidr = { octets, prefix: Number(length) };
  const fault = unusable(cidr, bits);
  if (fault !== undefined) throw bad(text, fault);
  return cidr;
}

/** The canonical text of an address and its prefix length. */
export function formatCidr({ octets, prefix }: Cidr): string {
  return `${formatIp(octets)}/${prefix}`;
}

/** Whether an address lies in the network of `cidr`. */
export function inNetwork(octets: Uint8Array, cidr: Cidr): boolean {
  if (octets.length !== cidr.octets.length) return false;
  return octets.every((octet, i) => ((octet ^ (cidr.octets[i] ?? 0)) & maskOctet(cidr.prefix, i)) === 0);
}

/**
 * Completes what the user gave: without addresses the defaults hold; with one side only, the other side gets the first
 * free address of each network.
 */
export function planAddresses(given: { stack?: string[]; host?: string[]; gateways?: string[] }): AddressPlan {
  const none = !given.stack?.length && !given.host?.length;
  const stack = (none ? DEFAULT_STACK : (given.stack ?? [])).map(parseCidr);
  const host = (none ? DEFAULT_HOST : (given.host ?? [])).map(parseCidr);
  const plan = {
    stack: stack.length > 0 ? stack : host.flatMap((cidr) => neighbour(cidr)),
    host: host.length > 0 ? host : stack.flatMap((cidr) => neighbour(cidr)),
  };
  if (plan.stack.length > 8) throw bad(`${plan.stack.length} addresses`, 'the stack has at most 8');
  refuseTwice([...plan.stack, ...plan.host]);
  const gateways = (given.gateways ?? []).map((text) => gateway(text, plan.stack));
  return { stack: plan.stack.map(formatCidr), host: plan.host.map(formatCidr), gateways };
}

/** Whether a gateway or address text is IPv6. */
export function isV6(text: string): boolean {
  return text.includes(':');
}

function gateway(text: string, stack: Cidr[]): string {
  const octets = parseIp(text);
  if (octets === undefined) throw bad(text, 'a gateway is an address without a prefix length');
  const linkLocal = octets[0] === 0xfe && ((octets[1] ?? 0) & 0xc0) === 0x80;
  if (!linkLocal && !stack.some((cidr) => inNetwork(octets, cidr))) {
    const networks = stack.map(formatCidr).join(', ');
    throw new NetconError('NETCON_ADDRESS_CONFLICT', `gateway ${text}: in none of the stack's networks (${networks})`, {
      hint: "give the gateway an address of the stack's network: netcon service --address CIDR --gateway ADDRESS",
    });
  }
  return formatIp(octets);
}

function neighbour(cidr: Cidr): Cidr[] {
  const bits = cidr.octets.length * 8;
  if (cidr.prefix === bits) return [];
  const network = cidr.octets.map((octet, i) => octet & maskOctet(cidr.prefix, i));
  const last = network.length - 1;
  // The second address of a network of two (RFC 3021, RFC 6164) has an odd last octet, as the first of a larger one.
  const candidates = cidr.prefix === bits - 1 ? [0, 1] : [1, 2];
  for (const host of candidates) {
    const octets = network.with(last, (network[last] ?? 0) | host);
    if (octets.some((octet, i) => octet !== cidr.octets[i])) return [{ octets, prefix: cidr.prefix }];
  }
  return [];
}

function refuseTwice(all: Cidr[]): void {
  const seen = new Set<string>();
  for (const { octets } of all) {
    const ip = formatIp(octets);
    if (seen.has(ip)) throw new NetconError('NETCON_ADDRESS_CONFLICT', `${ip}: given twice`);
    seen.add(ip);
  }
}

function unusable({ octets, prefix }: Cidr, bits: number): string | undefined {
  if (prefix === 0) return `the prefix length is a number from 1 to ${bits}`;
  if (octets.every((octet) => octet === 0)) return 'the unspecified address';
  const v4 = octets.length === 4;
  if (v4 && octets[0] === 127) return 'loopback addresses are always there';
  if (!v4 && octets.every((octet, i) => octet === (i === 15 ? 1 : 0))) return 'loopback addresses are always there';
  if (v4 ? (octets[0] ?? 0) >= 224 : octets[0] === 0xff) return 'not a unicast address';
  if (prefix >= bits - 1) return undefined;
  const hostBits = (value: 0 | 0xff) =>
    octets.every((octet, i) => ((octet ^ value) & ~maskOctet(prefix, i) & 0xff) === 0);
  if (hostBits(0)) return 'the address of the network itself';
  if (v4 && hostBits(0xff)) return 'the broadcast address of the network';
  return undefined;
}

function maskOctet(prefix: number, index: number): number {
  const bits = Math.min(8, Math.max(0, prefix - index * 8));
  return (0xff << (8 - bits)) & 0xff;
}

function bad(text: string, why: string): NetconError {
  return new NetconError('NETCON_ADDRESS_INVALID', `${text}: ${why}`);
}
