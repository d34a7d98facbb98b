import { type Answer, decode, encode, type Packet, RECURSION_DESIRED, type RecordType } from 'dns-packet';

/** How a look-up ended, by the values of h_errno (netdb.h). */
export const Verdict = { Found: 0, NotFound: 1, TryAgain: 2, NoRecovery: 3, NoData: 4 } as const;
export type VerdictCode = (typeof Verdict)[keyof typeof Verdict];

/** What a look-up found; `names` begins with the canonical one. */
export interface Finding {
  verdict: VerdictCode;
  /** Seconds it may be kept; 0 for not at all. */
  ttl: number;
  names: string[];
  addresses: string[];
}

/** RFC 1035 4.1.1: a header has 12 bytes. */
const HEADER = 12;
/** RFC 2308 5: a negative answer is kept three hours at most; a positive one we keep a day. */
const MAX_NEGATIVE_TTL = 3 * 3600;
const MAX_TTL = 86_400;
/** A chain of aliases that is longer is taken for a loop. */
const MAX_ALIASES = 8;

/** Whether a name fits into a question: labels of 1 to 63 bytes, 253 in all; "." is the root. */
export function isQueryable(name: string): boolean {
  if (name === '.') return true;
  const labels = name.replace(/\.$/, '').split('.');
  const bytes = (label: string) => Buffer.byteLength(label);
  return labels.every((label) => label !== '' && bytes(label) < 64) && bytes(name.replace(/\.$/, '')) <= 253;
}

/** A question with recursion desired. */
export function encodeQuery(id: number, name: string, type: number, qclass: number): Buffer {
  const question = { type: 'A' as RecordType, name: name.replace(/\.$/, '') };
  const message = encode({ type: 'query', id, flags: RECURSION_DESIRED, questions: [question] });
  // Type and class are the last four bytes: programs ask for types that the library has no name for.
  message.writeUInt16BE(type, message.length - 4);
  message.writeUInt16BE(qclass, message.length - 2);
  return message;
}

/** The question section of a message as bytes, names in lower case; undefined if there is not exactly one. */
export function questionOf(message: Buffer): string | undefined {
  if (message.length < HEADER || message.readUInt16BE(4) !== 1) return undefined;
  let at = HEADER;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return undefined;
    at += 1 + length;
    if (length === 0) break;
  }
  if (at + 4 > message.length) return undefined;
  return message.toString('latin1', HEADER, at).toLowerCase() + message.toString('hex', at, at + 4);
}

/** Whether `answer` is one to `query`: id, question and the bit that says so. */
export function answers(query: Buffer, answer: Buffer): boolean {
  if (answer.length < HEADER || (answer[2] ?? 0) < 0x80) return false;
  if (answer.readUInt16BE(0) !== query.readUInt16BE(0)) return false;
  const asked = questionOf(query);
  // A server that can't read the question need not repeat it (FORMERR).
  if (answer.readUInt16BE(4) === 0) return rcodeOf(answer) !== 0;
  return asked === undefined ? true : questionOf(answer) === asked;
}

export function isTruncated(message: Buffer): boolean {
  return ((message[2] ?? 0) & 2) !== 0;
}

/** 0 NOERROR, 1 FORMERR, 2 SERVFAIL, 3 NXDOMAIN, 4 NOTIMP, 5 REFUSED. */
export function rcodeOf(message: Buffer): number {
  return (message[3] ?? 0) & 15;
}

/** Another server may do better: SERVFAIL, NOTIMP, REFUSED. */
export function isServersFault(message: Buffer): boolean {
  return [2, 4, 5].includes(rcodeOf(message));
}

/** As res_nquery of glibc has it. */
export function verdictOf(message: Buffer): VerdictCode {
  switch (rcodeOf(message)) {
    case 0:
      return message.readUInt16BE(6) > 0 ? Verdict.Found : Verdict.NoData;
    case 2:
      return Verdict.TryAgain;
    case 3:
      return Verdict.NotFound;
    default:
      return Verdict.NoRecovery;
  }
}

export const NOTHING: Finding = { verdict: Verdict.TryAgain, ttl: 0, names: [], addresses: [] };

/** Reads what an answer says about `name`: addresses, or for PTR names; aliases are followed. */
export function readAnswer(message: Buffer, name: string, type: 'A' | 'AAAA' | 'PTR'): Finding {
  let packet: Packet;
  try {
    packet = decode(message);
  } catch {
    return { ...NOTHING, verdict: Verdict.NoRecovery };
  }
  const verdict = verdictOf(message);
  if (verdict === Verdict.TryAgain || verdict === Verdict.NoRecovery) return { ...NOTHING, verdict };
  const records = packet.answers ?? [];
  const chain = followAliases(name, records);
  const owner = chain.at(-1) ?? name;
  const found = records.filter((record) => record.type === type && sameName(record.name, owner));
  const data = found.map((record) => String((record as { data: unknown }).data));
  if (data.length === 0) {
    const negative = verdict === Verdict.NotFound ? Verdict.NotFound : Verdict.NoData;
    return { verdict: negative, ttl: negativeTtl(packet), names: [], addresses: [] };
  }
  const used = [...found, ...records.filter((record) => record.type === 'CNAME')];
  const ttl = Math.min(MAX_TTL, ...used.map((record) => ttlOf(record)));
  if (type === 'PTR') return { verdict: Verdict.Found, ttl, names: data.filter(isHostName), addresses: [] };
  return { verdict: Verdict.Found, ttl, names: [...chain].reverse(), addresses: data };
}

/** The name asked for, then what each alias stands for. */
function followAliases(name: string, records: Answer[]): string[] {
  const chain = [name.replace(/\.$/, '')];
  while (chain.length <= MAX_ALIASES) {
    const last = chain.at(-1) ?? name;
    const alias = records.find((record) => record.type === 'CNAME' && sameName(record.name, last));
    if (alias === undefined) break;
    const target = String((alias as { data: unknown }).data);
    if (!isHostName(target)) break;
    chain.push(target);
  }
  return chain;
}

/** What may be handed to a program as a host's name (res_hnok: it may end in a shell). */
function isHostName(name: string): boolean {
  return name.length <= 255 && /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name);
}

function sameName(a: string, b: string): boolean {
  return a.replace(/\.$/, '').toLowerCase() === b.replace(/\.$/, '').toLowerCase();
}

function ttlOf(record: Answer): number {
  const { ttl } = record as { ttl?: number };
  // RFC 2181 8: with the highest bit set it is 0.
  return ttl === undefined || ttl > 0x7fffffff ? 0 : ttl;
}

/** RFC 2308 5: as the SOA says; without one nothing is kept. */
function negativeTtl(packet: Packet): number {
  const soa = packet.authorities?.find((record) => record.type === 'SOA');
  if (soa?.type !== 'SOA') return 0;
  return Math.min(MAX_NEGATIVE_TTL, ttlOf(soa), soa.data.minimum ?? 0);
}
