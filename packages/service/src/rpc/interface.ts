import { readAddr, type SockAddr, writeAddr } from './addr.js';
import { type Reader, RpcDecodeError, type Writer } from './cursor.js';

const NAME_LEN = 16;
const MAX_ADDRESSES = 9;

/** An interface as programs see it; `flags` and `hardware` are Linux's IFF_* and ARPHRD_*. */
export interface Interface {
  name: string;
  index: number;
  flags: number;
  hardware: number;
  mtu: number;
  queue: number;
  mac: Uint8Array;
  addresses: { addr: SockAddr; prefix: number }[];
}

export function writeInterface(w: Writer, { name, addresses, ...numbers }: Interface): void {
  const field = new Uint8Array(NAME_LEN);
  const text = new TextEncoder().encode(name);
  if (text.length >= NAME_LEN || addresses.length > MAX_ADDRESSES) throw new RpcDecodeError('TooLong');
  field.set(text);
  w.put(field);
  w.u32(numbers.index);
  w.u32(numbers.flags);
  w.u16(numbers.hardware);
  w.u32(numbers.mtu);
  w.u32(numbers.queue);
  w.put(numbers.mac);
  w.u8(addresses.length);
  for (const { addr, prefix } of addresses) {
    writeAddr(w, addr);
    w.u8(prefix);
  }
}

export function readInterface(r: Reader): Interface {
  const field = r.take(NAME_LEN);
  const end = field.indexOf(0);
  if (end < 0) throw new RpcDecodeError('BadField');
  const numbers = {
    name: new TextDecoder().decode(field.subarray(0, end)),
    index: r.u32(),
    flags: r.u32(),
    hardware: r.u16(),
    mtu: r.u32(),
    queue: r.u32(),
    mac: r.take(6),
  };
  const count = r.u8();
  if (count > MAX_ADDRESSES) throw new RpcDecodeError('BadField');
  const addresses = Array.from({ length: count }, () => ({ addr: readAddr(r), prefix: r.u8() }));
  return { ...numbers, addresses };
}
