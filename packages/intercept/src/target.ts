import { accessSync, constants, type Stats, statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { NetconError } from '@netcon/core-rs';
import { EM_AARCH64, EM_X86_64, probe } from './elf.js';

/** binfmt_script(4) lets interpreters be scripts this deep; deeper is ELOOP. */
const MAX_SCRIPTS = 4;
/** env(1), by which scripts find their interpreter in PATH, is followed to what it starts. */
const ENV = 'env';

/** Who would start the program. */
export interface Starter {
  path: string | undefined;
  euid: number;
  egid: number;
  machine: number;
}

/** This process as a starter. */
export function starter(): Starter {
  return {
    path: process.env.PATH,
    euid: process.geteuid?.() ?? 0,
    egid: process.getegid?.() ?? 0,
    machine: process.arch === 'arm64' ? EM_AARCH64 : EM_X86_64,
  };
}

/**
 * The file that execve(2) is to run, after a check that the library can be preloaded into it.
 *
 * @throws NETCON_APP_*, saying what about the program is in the way
 */
export function checkTarget(program: string, who: Starter): string {
  const file = lookUp(program, who.path);
  checkFile(program, file, who, 0);
  return file;
}

/** As execvp(3): a name with a slash is a path, others are looked up in PATH. */
export function lookUp(program: string, path: string | undefined): string {
  if (program.includes('/')) {
    if (stat(program) === undefined) throw new NetconError('NETCON_APP_NOT_FOUND', `${program}: no such file`);
    return resolve(program);
  }
  let denied: string | undefined;
  for (const dir of (path ?? '/usr/local/bin:/usr/bin:/bin').split(':')) {
    const file = join(dir || '.', program);
    if (!stat(file)?.isFile()) continue;
    if (executable(file)) return resolve(file);
    denied ??= file;
  }
  if (denied !== undefined) throw new NetconError('NETCON_APP_DENIED', `${denied}: not executable`);
  throw new NetconError('NETCON_APP_NOT_FOUND', `${program}: not found in PATH`);
}

function checkFile(program: string, file: string, who: Starter, depth: number): void {
  const stats = stat(file);
  if (stats === undefined) {
    throw new NetconError('NETCON_APP_NOT_FOUND', `${program}: its interpreter ${file} does not exist`);
  }
  if (!stats.isFile()) throw new NetconError('NETCON_APP_DENIED', `${file}: not a regular file`);
  if (!executable(file)) throw new NetconError('NETCON_APP_DENIED', `${file}: not executable`);
  const raised = depth === 0 || !isScript(file) ? setId(stats, who) : undefined;
  if (raised !== undefined && !isScript(file)) {
    const message = `${file}: ${raised}: the dynamic linker ignores LD_PRELOAD there (ld.so(8))`;
    throw new NetconError('NETCON_APP_SETUID', message);
  }
  const format = read(file);
  switch (format.kind) {
    case 'unknown':
      throw new NetconError('NETCON_APP_FORMAT', `${file}: neither an ELF file nor a script`);
    case 'elf':
      checkElf(file, format, who);
      break;
    case 'script':
      checkScript(program, file, format, who, depth);
  }
}

function checkElf(file: string, elf: { bits: number; machine: number; dynamic: boolean }, who: Starter): void {
  if (elf.bits === 32) {
    throw new NetconError('NETCON_APP_32BIT', `${file}: a 32-bit program; the library is 64-bit`);
  }
  if (elf.machine !== who.machine) {
    throw new NetconError('NETCON_APP_MACHINE', `${file}: built for another machine (ELF machine ${elf.machine})`);
  }
  // The dynamic linker itself has no interpreter, and honours LD_PRELOAD for what it loads.
  if (!elf.dynamic && !/^ld[-.]/.test(basename(file))) {
    throw new NetconError('NETCON_APP_STATIC', `${file}: statically linked: nothing can be preloaded into it`);
  }
}

function checkScript(
  program: string,
  file: string,
  script: { interpreter: string; argument: string | undefined },
  who: Starter,
  depth: number,
): void {
  if (depth >= MAX_SCRIPTS) throw new NetconError('NETCON_APP_FORMAT', `${file}: too many levels of interpreters`);
  checkFile(program, script.interpreter, who, depth + 1);
  const started = basename(script.interpreter) === ENV ? envTarget(script.argument) : undefined;
  if (started !== undefined) checkFile(program, lookUp(started, who.path), who, depth + 1);
}

/** The program in `#!/usr/bin/env [-S] [NAME=VALUE...] program ...`, if that is what it says. */
function envTarget(argument: string | undefined): string | undefined {
  const words = (argument ?? '').split(/[ \t]+/).filter((word) => word !== '' && word !== '-S');
  const program = words.find((word) => !word.includes('='));
  return program?.startsWith('-') ? undefined : program;
}

function read(file: string): ReturnType<typeof probe> {
  try {
    return probe(file);
  } catch {
    // Executable but not readable: the kernel can run what we can't look into. It is for the kernel to say no.
    return { kind: 'elf', bits: 64, machine: starter().machine, dynamic: true };
  }
}

function isScript(file: string): boolean {
  return read(file).kind === 'script';
}

/** execve(2): the bits count only if they change an id; set-gid without group execution is no set-gid. */
function setId(stats: Stats, who: Starter): string | undefined {
  if ((stats.mode & 0o4000) !== 0 && stats.uid !== who.euid) return 'a set-user-id program';
  if ((stats.mode & 0o2010) === 0o2010 && stats.gid !== who.egid) return 'a set-group-id program';
  return undefined;
}

function stat(file: string): Stats | undefined {
  try {
    return statSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
