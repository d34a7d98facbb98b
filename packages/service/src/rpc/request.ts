import { type Family, readAddr, readFamily, type SockAddr, writeAddr, writeFamily } from './addr.js';
import { Reader, RpcDecodeError, type Writer } from './cursor.js';
import { decodeHeader, encodeFrame, Op, type OpName, opName } from './frame.js';
import { type Question, readQuestion, writeQuestion } from './question.js';

/** Longest program name, bytes. */
export const MAX_PROGRAM_LEN = 64;
/** Longest option value, bytes. */
export const MAX_OPTION_LEN = 512;
const LOW = 0xffff_ffffn;

/** What a program asks of the service; file descriptors travel beside the frame. */
export type Request =
  | { op: 'Hello' | 'Attach'; pid: number; program: Uint8Array }
  | { op: 'Socket'; family: Family; flags: number; kind: number }
  | { op: 'Bind'; addr: SockAddr }
  | { op: 'Listen'; backlog: number }
  | { op: 'Connect'; addr: SockAddr; flags: number }
  | { op: 'Map' | 'GetSockName' | 'GetPeerName' | 'Accepted' }
  | { op: 'GetSockOpt'; level: number; name: number; len: number }
  | { op: 'SetSockOpt'; level: number; name: number; value: Uint8Array }
  | { op: 'Shutdown'; how: number }
  | { op: 'Interface'; position: number }
  | { op: 'Resolve'; question: Question }
  | { op: 'Ready'; family: Family; more: number; channel: number }
  | { op: 'Dial'; addr: SockAddr; fd: number }
  | { op: 'NoDelay'; id: number; token: bigint; on: boolean };

/** The frame of a request. */
export function encodeRequest(id: number, request: Request): Uint8Array {
  return encodeFrame(Op[request.op], false, id, (w) => write(w, request));
}

/** Reads one record: the id to answer with, and the request. */
export function decodeRequest(frame: Uint8Array): { id: number; request: Request } {
  const { header, payload } = decodeHeader(frame);
  if (header.isReply) throw new RpcDecodeError('BadField');
  return { id: header.id, request: read(opName(header.op), new Reader(payload)) };
}

function write(w: Writer, request: Request): void {
  switch (request.op) {
    case 'Hello':
    case 'Attach':
      w.u32(request.pid);
      w.sized(request.program, MAX_PROGRAM_LEN);
      break;
    case 'Socket':
      writeFamily(w, request.family);
      w.u8(request.flags);
      // A trailing byte: 0, a stream, is left out.
      w.u8(request.kind);
      break;
    case 'Bind':
      writeAddr(w, request.addr);
      break;
    case 'Listen':
      w.i32(request.backlog);
      break;
    case 'Connect':
      writeAddr(w, request.addr);
      w.u8(request.flags);
      break;
    case 'GetSockOpt':
      w.i32(request.level);
      w.i32(request.name);
      w.u16(request.len);
      break;
    case 'SetSockOpt':
      w.i32(request.level);
      w.i32(request.name);
      w.sized(request.value, MAX_OPTION_LEN);
      break;
    case 'Shutdown':
      w.u8(request.how);
      break;
    case 'Interface':
      w.u8(request.position);
      break;
    case 'Resolve':
      writeQuestion(w, request.question);
      break;
    case 'Ready':
      writeFamily(w, request.family);
      w.u8(request.more);
      w.i32(request.channel);
      break;
    case 'Dial':
      writeAddr(w, request.addr);
      w.i32(request.fd);
      break;
    case 'NoDelay':
      w.u32(request.id);
      w.u32(Number(request.token & LOW));
      w.u32(Number(request.token >> 32n));
      w.u8(request.on ? 1 : 0);
      break;
    case 'Map':
    case 'GetSockName':
    case 'GetPeerName':
    case 'Accepted':
      break;
  }
}

function read(op: OpName, r: Reader): Request {
  switch (op) {
    case 'Hello':
    case 'Attach':
      return { op, pid: r.u32(), program: r.sized(MAX_PROGRAM_LEN) };
    case 'Socket':
      return { op, family: readFamily(r), flags: r.u8(), kind: readKind(r) };
    case 'Bind':
      return { op, addr: readAddr(r) };
    case 'Listen':
      return { op, backlog: r.i32() };
    case 'Connect':
      return { op, addr: readAddr(r), flags: r.u8() };
    case 'GetSockOpt':
      return { op, level: r.i32(), name: r.i32(), len: r.u16() };
    case 'SetSockOpt':
      return { op, level: r.i32(), name: r.i32(), value: r.sized(MAX_OPTION_LEN) };
    case 'Shutdown': {
      const how = r.u8();
      if (how > 2) throw new RpcDecodeError('BadField');
      return { op, how };
    }
    case 'Interface':
      return { op, position: r.u8() };
    case 'Resolve':
      return { op, question: readQuestion(r) };
    case 'Ready':
      return { op, family: readFamily(r), more: r.u8(), channel: r.i32() };
    case 'Dial':
      return { op, addr: readAddr(r), fd: r.i32() };
    case 'NoDelay': {
      const [id, low, high] = [r.u32(), r.u32(), r.u32()];
      return { op, id, token: (BigInt(high) << 32n) | BigInt(low), on: r.u8() !== 0 };
    }
    case 'Map':
    case 'GetSockName':
    case 'GetPeerName':
    case 'Accepted':
      return { op };
  }
}

/** Stream (left out), UDP, UDP-Lite, ping. */
function readKind(r: Reader): number {
  const kind = r.remaining === 0 ? 0 : r.u8();
  if (kind > 3) throw new RpcDecodeError('BadField');
  return kind;
}
