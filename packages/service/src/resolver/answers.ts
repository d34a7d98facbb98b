import { parseIp } from '../ip.js';
import type { Question } from '../rpc/question.js';
import type { RawAnswer, Resolver } from './lookup.js';
import { type Finding, Verdict } from './message.js';
import { orderAddresses, type Reach } from './order.js';

/** An address in a list: 4 or 6, then 16 octets (crates/wire/src/question.rs). */
export const ADDRESS_LENGTH = 17;
const FAMILY_INET = 1;
const FAMILY_INET6 = 2;
/** What the library has room for. */
const MAX_ADDRESSES = 256;
const MAX_NAMES = 8;

/** The answer to a question, in the form of crates/wire/src/question.rs. Without a resolver nothing is found. */
export async function answerQuestion(
  question: Question,
  resolver: Resolver | undefined,
  reach: Reach,
): Promise<Uint8Array> {
  switch (question.kind) {
    case 'Families':
      return Uint8Array.of(familiesOf(reach));
    case 'Order':
      return Uint8Array.from(orderAddresses(question.addresses, reach));
    case 'Addresses':
      return encodeFinding((await resolver?.addresses(question.name, question.family)) ?? NONE);
    case 'Names':
      return encodeFinding((await resolver?.names(question.ip)) ?? NONE);
    case 'Message':
      return encodeRaw((await resolver?.send(Buffer.from(question.message))) ?? NO_SERVER);
    case 'Search':
      return encodeRaw((await resolver?.search(question.name, question.type, question.class)) ?? NO_SERVER);
  }
}

const NONE: Finding = { verdict: Verdict.NotFound, ttl: 0, names: [], addresses: [] };
const NO_SERVER: RawAnswer = { verdict: Verdict.TryAgain, message: Buffer.alloc(0) };

function familiesOf({ addresses }: Reach): number {
  const v6 = addresses.some((cidr) => cidr.includes(':') && !/^fe[89ab]/i.test(cidr));
  const v4 = addresses.some((cidr) => !cidr.includes(':'));
  return (v4 ? FAMILY_INET : 0) | (v6 ? FAMILY_INET6 : 0);
}

function encodeRaw({ verdict, message }: RawAnswer): Uint8Array {
  return Buffer.concat([Uint8Array.of(verdict), message]);
}

/** Verdict u8, time to live u32, names and addresses each with their length in bytes. */
export function encodeFinding({ verdict, ttl, names, addresses }: Finding): Uint8Array {
  const named = names.slice(0, MAX_NAMES).flatMap((name) => {
    const bytes = Buffer.from(name, 'latin1').subarray(0, 255);
    return [Uint8Array.of(bytes.length), bytes];
  });
  const listed = addresses.slice(0, MAX_ADDRESSES).map(encodeAddress);
  const head = Buffer.alloc(5);
  head.writeUInt8(verdict, 0);
  head.writeUInt32LE(Math.min(ttl, 0xffffffff), 1);
  return Buffer.concat([head, sized(named), sized(listed)]);
}

function sized(parts: Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts);
  const length = Buffer.alloc(2);
  length.writeUInt16LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function encodeAddress(ip: string): Uint8Array {
  const octets = parseIp(ip) ?? new Uint8Array(4);
  const bytes = new Uint8Array(ADDRESS_LENGTH);
  bytes[0] = octets.length === 4 ? 4 : 6;
  bytes.set(octets, 1);
  return bytes;
}
