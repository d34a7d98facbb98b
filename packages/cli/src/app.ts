import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { EXIT } from './exit.js';
import { type Launch, launchEnvironment } from './launch.js';

/** How the app ended. */
export interface Ending {
  /** Ends this process the same way: same exit status, or by the same signal. */
  leave(): void;
}

/** Signals that reach only this process are the app's: it decides what they mean, and its end is ours. */
const FORWARDED = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGQUIT'] as const;

/** Runs the app intercepted, by `netcon intercept`, with this process's terminal and standard streams. */
export function runApp(app: string[], socket: string, launch: Launch): Promise<Ending> {
  const launcher = fileURLToPath(new URL('../../bin/netcon', import.meta.url));
  const child = spawn(launcher, ['intercept', '--socket', socket, '--', ...app], {
    stdio: 'inherit',
    env: { ...process.env, ...launchEnvironment(launch) },
  });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  // The terminal sends it to the app too, which may handle it.
  process.on('SIGINT', () => {});
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve({ leave: () => leave(code, signal) }));
  });
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
