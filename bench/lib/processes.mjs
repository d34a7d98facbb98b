// Programs that the benchmark starts, and ends when it ends.
//
// All stay in the benchmark's own session: where each session is a scheduling group (sched_autogroup), programs of
// different sessions are kept on different processors, and a ping-pong then measures how long one takes to wake up.

import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { inGroup } from './accounts.mjs';

const running = new Set();

/** Starts a program that stays; `group` counts what it uses (accounts.mjs). Its output is kept for error messages. */
export function start(argv, { group, ...options } = {}) {
  const [command, ...args] = inGroup(group, argv);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  const program = { argv, child, out: '', err: '', ended: false };
  running.add(program);
  child.stdout.on('data', (data) => {
    program.out += data;
  });
  child.stderr.on('data', (data) => {
    program.err += data;
  });
  program.done = new Promise((resolve) => {
    child.on('error', (error) => {
      program.err += error.message;
      program.ended = true;
      running.delete(program);
      resolve(-1);
    });
    child.on('close', (code, signal) => {
      program.ended = true;
      running.delete(program);
      resolve(code ?? signal);
    });
  });
  return program;
}

/** Runs a program to its end; its standard output. Throws if it fails or takes longer than `seconds`. */
export async function run(argv, seconds = 30, options = {}) {
  const program = start(argv, options);
  const late = sleep(seconds * 1000, 'late', { ref: false });
  const result = await Promise.race([program.done, late]);
  if (result === 'late') {
    await stop(program);
    throw new Error(`${argv.join(' ')}: no end after ${seconds} s: ${program.err || program.out}`);
  }
  if (result !== 0) throw new Error(`${argv.join(' ')}: ${result}: ${program.err || program.out}`);
  return program.out;
}

/** Ends a program. What is started here replaces itself (exec) until it is the program that counts. */
export async function stop(program) {
  for (const signal of ['SIGTERM', 'SIGKILL']) {
    if (program.ended) return;
    program.child.kill(signal);
    await Promise.race([program.done, sleep(5000, undefined, { ref: false })]);
  }
}

export async function stopAll() {
  await Promise.all([...running].map(stop));
}

/** Waits until `test` holds; fails with what `program` said. */
export async function until(what, program, test, seconds = 15) {
  const deadline = Date.now() + seconds * 1000;
  while (Date.now() < deadline) {
    if (program.ended) break;
    if (await test()) return;
    await sleep(25);
  }
  throw new Error(`${what}: not there: ${program.argv.join(' ')}: ${program.err || program.out || 'it said nothing'}`);
}
