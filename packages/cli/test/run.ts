import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const launcher = fileURLToPath(new URL('../../bin/netcon', import.meta.url));

/** A directory and an environment in which no other service is found. */
export class Place {
  readonly dir = mkdtempSync(join(tmpdir(), 'netcon-cli-'));
  readonly socket = join(this.dir, 'test.sock');
  readonly env: Record<string, string | undefined>;

  constructor() {
    const { NETCON_SOCKET: _, INIT_CWD: _cwd, npm_lifecycle_event: _event, ...env } = process.env;
    this.env = { ...env, XDG_RUNTIME_DIR: this.dir, NO_COLOR: '1' };
    delete this.env.FORCE_COLOR;
  }

  /** Runs netcon to its end. */
  run(args: string[], options: SpawnOptions = {}) {
    return spawnSync(launcher, args, {
      cwd: this.dir,
      env: this.env,
      encoding: 'utf8',
      timeout: 20_000,
      ...options,
    }) as {
      status: number | null;
      signal: string | null;
      stdout: string;
      stderr: string;
      pid: number;
    };
  }

  /** Starts a service without a tap, and waits until it says that it is there. */
  async service(args: string[] = []): Promise<Running> {
    const child = spawn(launcher, ['service', '--no-tap', '--socket', this.socket, ...args], {
      cwd: this.dir,
      env: this.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const running = new Running(child);
    await running.until(/try {7}/);
    return running;
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A process that runs beside the test. */
export class Running {
  readonly child: ChildProcess;
  output = '';
  readonly ended: Promise<{ code: number | null; signal: string | null }>;

  constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  /** Waits for text in the output; fails with what there was instead. */
  async until(pattern: RegExp, milliseconds = 15_000): Promise<void> {
    const late = AbortSignal.timeout(milliseconds);
    while (!pattern.test(this.output)) {
      const more = new Promise((resolve) => {
        this.child.stdout?.once('data', resolve);
        this.child.stderr?.once('data', resolve);
        this.child.once('close', resolve);
        late.addEventListener('abort', resolve);
      });
      await more;
      if (late.aborted || (this.child.exitCode !== null && !pattern.test(this.output))) {
        throw new Error(`no ${pattern} in: ${this.output}`);
      }
    }
  }

  stop(signal: NodeJS.Signals = 'SIGTERM') {
    this.child.kill(signal);
    return this.ended;
  }
}
