import { formatIp, parseIp } from '../ip.js';
import { type Reader, RpcDecodeError, type Writer } from './cursor.js';

const AF_INET = 2;
const AF_INET6 = 10;

export type Family = 4 | 6;

/** An address as it stands in frames; `scope` is sin6_scope_id. */
export interface SockAddr {
  ip: string;
  port: number;
  scope: number;
}

export function writeFamily(w: Writer, family: Family): void {
  w.u16(family === 4 ? AF_INET : AF_INET6);
}

export function readFamily(r: Reader): Family {
  const raw = r.u16();
  if (raw !== AF_INET && raw !== AF_INET6) throw new RpcDecodeError('BadField');
  return raw === AF_INET ? 4 : 6;
}

/** family u16, port u16, scope u32, address 16 (an IPv4 address stands in the first four). */
export function writeAddr(w: Writer, addr: SockAddr): void {
  const octets = parseIp(addr.ip);
  if (octets === undefined) throw new RpcDecodeError('BadField');
  writeFamily(w, octets.length === 4 ? 4 : 6);
  w.u16(addr.port);
  w.u32(addr.scope);
  const field = new Uint8Array(16);
  field.set(octets);
  w.put(field);
}

export function readAddr(r: Reader): SockAddr {
  const family = readFamily(r);
  const port = r.u16();
  const scope = r.u32();
  const octets = r.take(16);
  return { ip: formatIp(family === 4 ? octets.subarray(0, 4) : octets), port, scope };
}
