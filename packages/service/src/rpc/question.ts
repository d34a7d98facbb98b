import { formatIp, parseIp } from '../ip.js';
import type { Family } from './addr.js';
import { type Reader, RpcDecodeError, type Writer } from './cursor.js';

/** Longest name in a question, bytes. */
const MAX_NAME_LEN = 512;
/** Longest DNS message to send, bytes. */
const MAX_QUERY_LEN = 900;
/** Most addresses that are put into order at once. */
const MAX_ORDER = 48;
/** An address in a list: 4 or 6, then 16 octets. */
const ADDRESS_LEN = 17;
const AF_INET = 2;
const AF_INET6 = 10;

/** What RESOLVE asks; see crates/wire/src/question.rs. */
export type Question =
  | { kind: 'Addresses'; family: Family | undefined; name: string }
  | { kind: 'Names'; ip: string }
  | { kind: 'Message'; message: Uint8Array }
  | { kind: 'Search'; class: number; type: number; name: string }
  | { kind: 'Families' }
  | { kind: 'Order'; addresses: string[] };

export function writeQuestion(w: Writer, question: Question): void {
  switch (question.kind) {
    case 'Addresses':
      w.u8(1);
      w.u16(question.family === undefined ? 0 : question.family === 4 ? AF_INET : AF_INET6);
      w.sized(textBytes(question.name), MAX_NAME_LEN);
      break;
    case 'Names':
      w.u8(2);
      w.put(addressBytes(question.ip));
      break;
    case 'Message':
      w.u8(3);
      w.sized(question.message, MAX_QUERY_LEN);
      break;
    case 'Search':
      w.u8(4);
      w.u16(question.class);
      w.u16(question.type);
      w.sized(textBytes(question.name), MAX_NAME_LEN);
      break;
    case 'Families':
      w.u8(5);
      break;
    case 'Order':
      w.u8(6);
      w.sized(Buffer.concat(question.addresses.map(addressBytes)), MAX_ORDER * ADDRESS_LEN);
      break;
  }
}

export function readQuestion(r: Reader): Question {
  switch (r.u8()) {
    case 1:
      return { kind: 'Addresses', family: readOptionalFamily(r), name: text(r.sized(MAX_NAME_LEN)) };
    case 2:
      return { kind: 'Names', ip: readAddress(r.take(ADDRESS_LEN)) };
    case 3:
      return { kind: 'Message', message: r.sized(MAX_QUERY_LEN) };
    case 4:
      return { kind: 'Search', class: r.u16(), type: r.u16(), name: text(r.sized(MAX_NAME_LEN)) };
    case 5:
      return { kind: 'Families' };
    case 6: {
      const bytes = r.sized(MAX_ORDER * ADDRESS_LEN);
      if (bytes.length % ADDRESS_LEN !== 0) throw new RpcDecodeError('BadField');
      const count = bytes.length / ADDRESS_LEN;
      const at = (i: number) => bytes.subarray(i * ADDRESS_LEN, (i + 1) * ADDRESS_LEN);
      return { kind: 'Order', addresses: Array.from({ length: count }, (_, i) => readAddress(at(i))) };
    }
    default:
      throw new RpcDecodeError('BadField');
  }
}

function readOptionalFamily(r: Reader): Family | undefined {
  const raw = r.u16();
  if (raw === 0) return undefined;
  if (raw !== AF_INET && raw !== AF_INET6) throw new RpcDecodeError('BadField');
  return raw === AF_INET ? 4 : 6;
}

function readAddress(bytes: Uint8Array): string {
  if (bytes[0] === 4) return formatIp(bytes.subarray(1, 5));
  if (bytes[0] === 6) return formatIp(bytes.subarray(1));
  throw new RpcDecodeError('BadField');
}

function addressBytes(ip: string): Uint8Array {
  const octets = parseIp(ip);
  if (octets === undefined) throw new RpcDecodeError('BadField');
  const bytes = new Uint8Array(ADDRESS_LEN);
  bytes[0] = octets.length === 4 ? 4 : 6;
  bytes.set(octets, 1);
  return bytes;
}

/** Names are bytes to the DNS; programs write UTF-8. */
function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function textBytes(name: string): Uint8Array {
  return new TextEncoder().encode(name);
}
