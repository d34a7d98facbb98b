import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onEnd } from './cleanup.mjs';
import { NETCON } from './paths.mjs';
import { tail } from './process.mjs';

/** A directory that goes with the test. */
export function scratch(name = 'netcon-e2e') {
  const dir = mkdtempSync(join(tmpdir(), `${name}-`));
  onEnd(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** What the service prints when it serves. */
export const READY = /^ {2}try /m;

/** A service of its own in a namespace, and programs in it. */
export class Service {
  /** `wrap` puts words before the service's command line, `user` is for those that run as another. */
  constructor(ns, { args = ['--tap', 'nc0'], dir = scratch(), wrap = [], env } = {}) {
    this.ns = ns;
    this.dir = dir;
    this.socket = join(dir, 'service.sock');
    const [command, ...rest] = [...wrap, NETCON, 'service', '--socket', this.socket, ...args];
    this.process = ns.start(command, rest, { env });
  }

  static async start(ns, options) {
    const service = new Service(ns, options);
    await service.process.says(READY);
    return service;
  }

  get pid() {
    return this.process.pid;
  }

  /** The command line that runs a program intercepted. */
  command(program, args, options = []) {
    return [NETCON, ['intercept', '--socket', this.socket, ...options, '--', program, ...args]];
  }

  /** Starts a program intercepted, in the service's namespace or another. */
  start(program, args, { ns = this.ns, intercept, ...options } = {}) {
    return ns.start(...this.command(program, args, intercept), options);
  }

  run(program, args, { ms, ...options } = {}) {
    return this.start(program, args, options).end(ms);
  }

  async must(program, args, options) {
    const status = await this.run(program, args, options);
    if (status.code !== 0) {
      const said = `service: ${tail(this.process)}`;
      throw new Error(`${program} ${args.join(' ')}: exit ${status.code ?? status.signal}\n${tail(status)}\n${said}`);
    }
    return status.stdout;
  }

  async show(what = 'sockets') {
    const status = await this.ns.run(NETCON, ['show', what, '--socket', this.socket, '--json']);
    if (status.code !== 0) throw new Error(`netcon show: ${tail(status)}`);
    return JSON.parse(status.stdout);
  }

  /** Ends it. That it had ended by itself is an error. */
  async stop(signal = 'SIGTERM') {
    const { status } = this.process;
    if (status !== null && status.signal !== 'SIGKILL' && status.code !== 0)
      throw new Error(`the service had ended (${status.code ?? status.signal}): ${tail(this.process)}`);
    return this.process.stop(signal);
  }
}

/** The default plan: the host's and the stack's addresses on the tap. */
export const HOST4 = '10.77.0.1';
export const STACK4 = '10.77.0.2';
export const HOST6 = 'fd77::1';
export const STACK6 = 'fd77::2';
