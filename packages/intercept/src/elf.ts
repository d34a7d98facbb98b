import { closeSync, openSync, readSync } from 'node:fs';

/** What an executable file is, as far as preloading is concerned. */
export type Format =
  | { kind: 'elf'; bits: 32 | 64; machine: number; dynamic: boolean }
  | { kind: 'script'; interpreter: string; argument: string | undefined }
  | { kind: 'unknown' };

/** elf(5): the machines that Node runs on. */
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;

const PT_INTERP = 3;
/** binfmt_script reads one line of at most 255 characters (execve(2)). */
const MAX_SHEBANG = 256;

/** Reads the first bytes of a file, and the program headers of an ELF file. */
export function probe(path: string): Format {
  const fd = openSync(path, 'r');
  try {
    return identify((at, length) => read(fd, at, length));
  } finally {
    closeSync(fd);
  }
}

/** The same over any source of bytes; total: broken files are `unknown` or have no interpreter. */
export function identify(bytes: (at: number, length: number) => Buffer): Format {
  const head = bytes(0, MAX_SHEBANG);
  if (head.subarray(0, 2).toString('latin1') === '#!') return script(head);
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return { kind: 'unknown' };
  const bits = head[4] === 2 ? 64 : 32;
  if (bits === 64 && head.length < 64) return { kind: 'unknown' };
  const little = head[5] === 1;
  const u16 = (at: number) => (little ? head.readUInt16LE(at) : head.readUInt16BE(at));
  const u64 = (at: number) => Number(little ? head.readBigUInt64LE(at) : head.readBigUInt64BE(at));
  const machine = u16(18);
  const table = bits === 64 ? u64(32) : u32(head, 28, little);
  const size = u16(bits === 64 ? 54 : 42);
  const count = u16(bits === 64 ? 56 : 44);
  const sane = size === (bits === 64 ? 56 : 32) && Number.isSafeInteger(table);
  const headers = sane ? bytes(table, size * count) : Buffer.alloc(0);
  let dynamic = false;
  for (let at = 0; at + 4 <= headers.length; at += size) dynamic ||= u32(headers, at, little) === PT_INTERP;
  return { kind: 'elf', bits, machine, dynamic };
}

function script(head: Buffer): Format {
  const line = head.subarray(2).toString('latin1').split('\n')[0] ?? '';
  const [, interpreter, argument] = /^[ \t]*(\S+)[ \t]*(.*?)[ \t\r]*$/.exec(line) ?? [];
  if (interpreter === undefined) return { kind: 'unknown' };
  return { kind: 'script', interpreter, argument: argument || undefined };
}

function u32(from: Buffer, at: number, little: boolean): number {
  return little ? from.readUInt32LE(at) : from.readUInt32BE(at);
}

function read(fd: number, at: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, at));
}
