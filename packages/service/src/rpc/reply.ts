import { type Family, readAddr, readFamily, type SockAddr, writeAddr, writeFamily } from './addr.js';
import { Reader, RpcDecodeError, type Writer } from './cursor.js';
import { decodeHeader, encodeFrame, Op, type OpName, opName } from './frame.js';
import { type Interface, readInterface, writeInterface } from './interface.js';
import { MAX_OPTION_LEN } from './request.js';

/** Most addresses that a HELLO reply lists. */
export const MAX_ADDRESSES = 8;
/** Longest message for people in a HELLO reply, bytes of UTF-8. */
export const MAX_MESSAGE_LEN = 512;
/** Most bytes of an answer in one part. */
export const MAX_PART = 1000;

/** What a socket has become, in the order of the numbers on the wire. */
export const SOCKET_STATES = ['Fresh', 'Listening', 'Connecting', 'Connected', 'Failed'] as const;
export type SocketState = (typeof SOCKET_STATES)[number];

/** Answer to HELLO and ATTACH; a refused one carries its errno in `status` and why in `message`. */
export interface HelloReply {
  session: number;
  message: Uint8Array;
  addresses: SockAddr[];
}

export interface MapReply {
  id: number;
  family: Family;
  state: SocketState;
  local: SockAddr;
  peer: SockAddr;
}

export type ReplyBody =
  | { kind: 'Failed' }
  | ({ kind: 'Hello' } & HelloReply)
  | { kind: 'Socket'; id: number }
  | { kind: 'Addr'; addr: SockAddr }
  | { kind: 'Connect'; local: SockAddr; peer: SockAddr }
  | ({ kind: 'Map' } & MapReply)
  | { kind: 'Value'; value: Uint8Array }
  | ({ kind: 'Interface' } & Interface)
  | { kind: 'Done' }
  | { kind: 'Part'; more: boolean; bytes: Uint8Array };

/** A decoded reply; `status` is a Linux errno, 0 for success. */
export interface Reply {
  op: OpName;
  id: number;
  status: number;
  body: ReplyBody;
}

/** The frame of a reply. */
export function encodeReply(reply: Reply): Uint8Array {
  return encodeFrame(Op[reply.op], true, reply.id, (w) => {
    w.u32(reply.status);
    write(w, reply.body);
  });
}

/** Reads one record. A failed reply of any op but HELLO and ATTACH has the body `Failed`. */
export function decodeReply(frame: Uint8Array): Reply {
  const { header, payload } = decodeHeader(frame);
  if (!header.isReply) throw new RpcDecodeError('BadField');
  const op = opName(header.op);
  const r = new Reader(payload);
  const status = r.u32();
  return { op, id: header.id, status, body: read(op, status, r) };
}

function write(w: Writer, body: ReplyBody): void {
  switch (body.kind) {
    case 'Hello':
      w.u32(body.session);
      w.sized(body.message, MAX_MESSAGE_LEN);
      if (body.addresses.length > MAX_ADDRESSES) throw new RpcDecodeError('TooLong');
      w.u8(body.addresses.length);
      for (const addr of body.addresses) writeAddr(w, addr);
      break;
    case 'Socket':
      w.u32(body.id);
      break;
    case 'Addr':
      writeAddr(w, body.addr);
      break;
    case 'Connect':
      writeAddr(w, body.local);
      writeAddr(w, body.peer);
      break;
    case 'Map':
      w.u32(body.id);
      writeFamily(w, body.family);
      w.u8(SOCKET_STATES.indexOf(body.state));
      writeAddr(w, body.local);
      writeAddr(w, body.peer);
      break;
    case 'Value':
      w.sized(body.value, MAX_OPTION_LEN);
      break;
    case 'Interface':
      writeInterface(w, body);
      break;
    case 'Part':
      w.u8(body.more ? 1 : 0);
      w.sized(body.bytes, MAX_PART);
      break;
    case 'Failed':
    case 'Done':
      break;
  }
}

function read(op: OpName, status: number, r: Reader): ReplyBody {
  if (op === 'Hello' || op === 'Attach') return readHello(r);
  if (status !== 0) return { kind: 'Failed' };
  switch (op) {
    case 'Socket':
      return { kind: 'Socket', id: r.u32() };
    case 'Bind':
    case 'Listen':
    case 'GetSockName':
    case 'GetPeerName':
      return { kind: 'Addr', addr: readAddr(r) };
    case 'Connect':
      return { kind: 'Connect', local: readAddr(r), peer: readAddr(r) };
    case 'Map':
      return {
        kind: 'Map',
        id: r.u32(),
        family: readFamily(r),
        state: readState(r),
        local: readAddr(r),
        peer: readAddr(r),
      };
    case 'GetSockOpt':
    case 'Ready':
      return { kind: 'Value', value: r.sized(MAX_OPTION_LEN) };
    case 'Interface':
      return { kind: 'Interface', ...readInterface(r) };
    case 'SetSockOpt':
    case 'Shutdown':
    case 'Accepted':
    case 'NoDelay':
    case 'Dial':
      return { kind: 'Done' };
    case 'Resolve':
      return { kind: 'Part', more: r.u8() !== 0, bytes: r.sized(MAX_PART) };
  }
}

function readHello(r: Reader): ReplyBody {
  const session = r.u32();
  const message = r.sized(MAX_MESSAGE_LEN);
  const count = r.u8();
  if (count > MAX_ADDRESSES) throw new RpcDecodeError('BadField');
  return { kind: 'Hello', session, message, addresses: Array.from({ length: count }, () => readAddr(r)) };
}

function readState(r: Reader): SocketState {
  const state = SOCKET_STATES[r.u8()];
  if (state === undefined) throw new RpcDecodeError('BadField');
  return state;
}
