import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';
import { EXIT } from './exit.js';
import { type Launch, launchEnvironment } from './launch.js';

/** How the app ended. */
export interface Ending {
  /** Ends this process the same way: same exit status, or by the same signal. */
  leave(): void;
}

/** Signals that are the app's: it decides what they mean, and its end is ours. */
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const;

/** What stands between this process's signals and the app, from before there is one. */
export class AppSignals {
  private app: ChildProcess | undefined;
  /** The first signal that came before the app was there. */
  early: NodeJS.Signals | undefined;

  constructor() {
    for (const signal of PASSED_ON) process.on(signal, () => this.handle(signal));
  }

  /** From now on signals go to the app. */
  passTo(app: ChildProcess): void {
    this.app = app;
  }

  private handle(signal: NodeJS.Signals): void {
    if (this.app === undefined) this.early ??= signal;
    // What is typed at a terminal reaches the app by itself: once is enough.
    else if (!(isatty(0) && (signal === 'SIGINT' || signal === 'SIGQUIT'))) this.app.kill(signal);
  }
}

/** Runs the app intercepted, by `netcon intercept`, with this process's terminal and standard streams. */
export function runApp(app: string[], socket: string, launch: Launch, signals: AppSignals): Promise<Ending> {
  if (signals.early !== undefined) return Promise.resolve(endingOf(null, signals.early));
  const launcher = fileURLToPath(new URL('../../bin/netcon', import.meta.url));
  const child = spawn(launcher, ['intercept', '--socket', socket, '--', ...app], {
    stdio: 'inherit',
    env: { ...process.env, ...launchEnvironment(launch) },
  });
  signals.passTo(child);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(endingOf(code, signal)));
  });
}

function endingOf(code: number | null, signal: NodeJS.Signals | null): Ending {
  return { leave: () => leave(code, signal) };
}

function leave(code: number | null, signal: NodeJS.Signals | null): void {
  if (signal === null) {
    process.exitCode = code ?? EXIT.error;
    return;
  }
  // As a shell shows it, if the signal does not end us as it ended the app.
  process.exitCode = 128 + constants.signals[signal];
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
