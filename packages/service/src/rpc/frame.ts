import { Reader, RpcDecodeError, Writer } from './cursor.js';

/** "NC", the first two bytes of a frame. */
export const MAGIC = 0x434e;
/** A peer with another major version is refused. */
export const VERSION_MAJOR = 1;
/** Counts compatible additions. */
export const VERSION_MINOR = 1;
export const HEADER_LEN = 16;
export const MAX_PAYLOAD = 1008;
const FLAG_REPLY = 1;

/** Op numbers; see crates/wire/src/request.rs for what each one asks. */
export const Op = {
  Hello: 1,
  Attach: 2,
  Socket: 3,
  Bind: 4,
  Listen: 5,
  Connect: 6,
  Map: 7,
  GetSockName: 8,
  GetPeerName: 9,
  GetSockOpt: 10,
  SetSockOpt: 11,
  Shutdown: 12,
  Accepted: 13,
  Interface: 14,
  Resolve: 15,
  Ready: 16,
  NoDelay: 17,
  Dial: 18,
} as const;

export type OpName = keyof typeof Op;

export interface Header {
  minor: number;
  op: number;
  isReply: boolean;
  id: number;
}

/** Splits a received record into header and payload; bytes behind the payload are ignored. */
export function decodeHeader(frame: Uint8Array): { header: Header; payload: Uint8Array } {
  const r = new Reader(frame);
  if (r.u16() !== MAGIC) throw new RpcDecodeError('BadMagic');
  const major = r.u8();
  const minor = r.u8();
  if (major !== VERSION_MAJOR) throw new RpcDecodeError('BadVersion', major);
  const op = r.u16();
  const isReply = (r.u16() & FLAG_REPLY) !== 0;
  const id = r.u32();
  const length = r.u32();
  if (length > MAX_PAYLOAD) throw new RpcDecodeError('Truncated');
  return { header: { minor, op, isReply, id }, payload: r.take(length) };
}

/** Header and payload as one frame. */
export function encodeFrame(op: number, isReply: boolean, id: number, payload: (w: Writer) => void): Uint8Array {
  const body = new Writer(MAX_PAYLOAD);
  payload(body);
  const bytes = body.done();
  const w = new Writer(HEADER_LEN + bytes.length);
  w.u16(MAGIC);
  w.u8(VERSION_MAJOR);
  w.u8(VERSION_MINOR);
  w.u16(op);
  w.u16(isReply ? FLAG_REPLY : 0);
  w.u32(id);
  w.u32(bytes.length);
  w.put(bytes);
  return w.done();
}

/** The id a frame would be answered with, whatever else is wrong with it. */
export function frameId(frame: Uint8Array): number {
  if (frame.length < HEADER_LEN) return 0;
  return new DataView(frame.buffer, frame.byteOffset).getUint32(8, true);
}

/** The name of an op number. */
export function opName(op: number): OpName {
  const name = OP_NAMES.get(op);
  if (name === undefined) throw new RpcDecodeError('UnknownOp', op);
  return name;
}

const OP_NAMES = new Map(Object.entries(Op).map(([name, number]) => [number as number, name as OpName]));
