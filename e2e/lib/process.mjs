import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants, createReadStream, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { onEnd } from './cleanup.mjs';

/** Variables of the caller that would change what is tested. */
const REMOVED =
  /^(NETCON_.*|LD_PRELOAD|XDG_RUNTIME_DIR|npm_.*|INIT_CWD|NODE_OPTIONS|NODE_TEST_CONTEXT|(FORCE|NO)_COLOR|.*_proxy|.*_PROXY)$/;

export function cleanEnvironment(extra = {}) {
  const kept = Object.entries(process.env).filter(([name]) => !REMOVED.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: 'C', ...extra };
}

/**
 * A process that ends with this one, together with what it forked. `ended` settles with how it ended; stdout and
 * stderr are collected as text.
 */
export class Process {
  stdout = '';
  stderr = '';
  status = null;

  constructor(command, args, { env = {}, cwd, input, stdio, wholeEnvironment } = {}) {
    this.title = [command, ...args].join(' ');
    this.child = spawn(command, args, {
      cwd,
      env: wholeEnvironment ?? cleanEnvironment(env),
      // A process group of its own, so that it can be killed with its children.
      detached: true,
      stdio: stdio ?? [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const forget = onEnd(() => this.killGroup());
    for (const name of ['stdout', 'stderr']) {
      this.child[name]?.setEncoding('utf8');
      this.child[name]?.on('data', (text) => {
        this[name] += text;
      });
    }
    if (input !== undefined) this.child.stdin.end(input);
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', () => {
        forget();
        resolve();
      });
      // A child that outlives it may hold its streams open: what was said until then suffices.
      this.child.on('exit', () => setTimeout(resolve, 300));
    }).then(() => {
      const { exitCode: code, signalCode: signal } = this.child;
      this.status = { code, signal, stdout: this.stdout, stderr: this.stderr };
      return this.status;
    });
    // Whoever awaits it sees the rejection; an end that nobody awaits is no error.
    this.ended.catch(() => {});
  }

  get pid() {
    return this.child.pid;
  }

  kill(signal = 'SIGTERM') {
    if (signal === 'SIGKILL') this.killGroup();
    else if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
  }

  killGroup() {
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // nothing is left of it
    }
  }

  /** How it ended; killed, and an error, if that takes longer than `ms`. */
  async end(ms = 30_000) {
    const timer = setTimeout(() => {
      this.late = true;
      this.kill('SIGKILL');
    }, ms);
    const status = await this.ended;
    clearTimeout(timer);
    if (this.late) throw new Error(`${this.title}: still running after ${ms} ms\n${tail(this)}`);
    return status;
  }

  /** Ends it with a signal, and by SIGKILL if that does not suffice. */
  async stop(signal = 'SIGTERM', ms = 10_000) {
    this.kill(signal);
    return this.end(ms);
  }

  /** Waits until `stdout` or `stderr` matches. */
  async says(pattern, ms = 20_000) {
    return until(
      () => {
        const found = `${this.stdout}\n${this.stderr}`.match(pattern);
        if (!found && this.status)
          throw new Error(`${this.title} ended (${this.status.code}) before it said ${pattern}\n${tail(this)}`);
        return found;
      },
      ms,
      () => `${this.title} did not say ${pattern}\n${tail(this)}`,
    );
  }
}

export function tail({ stdout = '', stderr = '' }, characters = 3000) {
  return `stdout: ${stdout.slice(-characters)}\nstderr: ${stderr.slice(-characters)}`;
}

/** Runs to the end. */
export function run(command, args, { ms, ...options } = {}) {
  return new Process(command, args, options).end(ms);
}

/** Runs to the end, which must be exit status 0; its standard output. */
export async function must(command, args, options = {}) {
  const status = await run(command, args, options);
  if (status.code !== 0)
    throw new Error(`${command} ${args.join(' ')}: exit ${status.code ?? status.signal}\n${tail(status)}`);
  return status.stdout;
}

/** Polls until `test` gives something truthy. */
export async function until(test, ms = 10_000, describe = () => 'condition not met in time') {
  const end = Date.now() + ms;
  for (;;) {
    const value = await test();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${describe()} (${ms} ms)`);
    await sleep(20);
  }
}

export function isAlive(pid) {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The file of a program in PATH. A missing one is an error: a test is not to pass because nothing ran. */
export function which(program) {
  for (const dir of `${process.env.PATH}:/usr/sbin:/sbin`.split(':')) {
    const file = `${dir}/${program}`;
    try {
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // in the next directory, perhaps
    }
  }
  throw new Error(`${program} is not installed; the tests need it`);
}

export async function sha256(stream) {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

export function sha256OfFile(path) {
  return sha256(createReadStream(path));
}

/** User plus system time of a process and its threads, in ms. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  // proc(5): utime and stime are fields 14 and 15, in ticks of 10 ms.
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export { sleep };
