import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { onEnd } from './cleanup.mjs';
import { E2E, NETCON } from './paths.mjs';
import { scratch } from './service.mjs';

/** The system's programs first: a version manager's shim would be a shell script between. */
export const PATH = `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH}`;

/** A program of apps/programs, as its script starts and stops it. Under netcon if `service` is given, else in `ns`. */
export class Program {
  constructor(name, port, { ns, service }) {
    this.ns = ns ?? service.ns;
    this.script = `${E2E}apps/programs/${name}.sh`;
    this.port = String(port);
    this.dir = scratch('netcon-app');
    chmodSync(this.dir, 0o755);
    this.env = {
      PATH,
      LC_ALL: 'C.UTF-8',
      BIND: '0.0.0.0',
      SERVER_PREFIX: service ? `${NETCON} intercept --socket ${service.socket} --` : '',
      // Whether it is ready is asked where it is.
      CLIENT_PREFIX: service ? `${NETCON} intercept --socket ${service.socket} --` : '',
    };
    this.stop = onEnd(() => {
      const [command, args] = this.ns.inside('/bin/bash', [this.script, 'stop', this.port, this.dir]);
      execFileSync(command, args, { stdio: 'ignore' });
    });
  }

  static async start(name, port, where) {
    const program = new Program(name, port, where);
    const args = [program.script, 'start', program.port, program.dir];
    program.pid = Number((await program.ns.must('/bin/bash', args, { env: program.env, ms: 90_000 })).trim());
    return program;
  }

  /** What its script checks, by clients on kernel TCP. */
  check(host) {
    const args = [this.script, 'check', host, this.port, this.dir];
    return this.ns.must('/bin/bash', args, { env: { ...this.env, CLIENT_PREFIX: '' }, ms: 100_000 });
  }
}
