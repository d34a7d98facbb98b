import { execFileSync } from 'node:child_process';
import { onEnd } from './cleanup.mjs';
import { must, Process, run } from './process.mjs';

let made = 0;

/** A network namespace: the kernel's own TCP, with a tap of its own for a service. */
export class Namespace {
  /** With `loopback: false` it has no interface that is up. */
  constructor({ loopback = true } = {}) {
    if (process.getuid() !== 0) throw new Error('the end-to-end tests make network namespaces: run them as root');
    this.name = `nce-${process.pid}-${++made}`;
    ip(['netns', 'add', this.name]);
    this.remove = onEnd(() => ip(['netns', 'del', this.name]));
    if (loopback) this.ip('link', 'set', 'lo', 'up');
  }

  ip(...args) {
    return ip(['-n', this.name, ...args]);
  }

  /** The command that does the same inside; it replaces itself, so that the pid stays. */
  inside(command, args) {
    return ['nsenter', [`--net=/run/netns/${this.name}`, '--', command, ...args]];
  }

  start(command, args, options) {
    return new Process(...this.inside(command, args), options);
  }

  run(command, args, options) {
    return run(...this.inside(command, args), options);
  }

  must(command, args, options) {
    return must(...this.inside(command, args), options);
  }

  interfaces() {
    return this.ip('-o', 'link', 'show')
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(':')[1].trim().split('@')[0]);
  }
}

function ip(args) {
  return execFileSync('ip', args, { encoding: 'utf8' });
}
