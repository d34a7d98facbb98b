import { here, NetconError } from '@netcon/api/local';
import { type Daemon, type ServiceOptions, startDaemon } from '@netcon/api/server';
import { checkTarget, findLibrary, placeLibrary, starter } from '@netcon/intercept';
import { announce } from './announce.js';
import { AppSignals, runApp } from './app.js';
import { explain } from './exit.js';
import type { Launch } from './launch.js';

/** As commander gives them. */
export interface ServiceFlags {
  tap?: string | boolean;
  address?: string[];
  hostAddress?: string[];
  gateway?: string[];
  socket?: string;
  name?: string;
  allow?: string[];
  library?: string;
  capture?: string;
  fault?: string;
  offload?: boolean;
  maxSessions?: number;
  maxSockets?: number;
  resolver?: string[];
  dns?: boolean;
  congestion?: string;
  shortcut?: boolean;
  busyPoll?: number;
}

/** Runs the service until a signal, the end of the app, or its own failure; leaves nothing behind. */
export async function runService(app: string[], flags: ServiceFlags, launch: Launch): Promise<void> {
  const [program] = app;
  if (program !== undefined) {
    // An app that can't be intercepted is refused before anything is set up for it.
    checkTarget(program, starter());
    findLibrary();
  }
  // Before anything is opened: a signal from now on ends in an orderly stop.
  const signals = program === undefined ? untilSignal() : new AppSignals();
  const daemon = await startDaemon(optionsOf(flags), { at: here(), log });
  await offerLibrary(flags.library, daemon);
  // With an app, standard output is the app's.
  (program === undefined ? process.stdout : process.stderr).write(announce(daemon.service, flags.library));
  if (signals instanceof AppSignals) await serveApp(app, daemon, launch, signals);
  else await serveUntil(signals, daemon);
}

/** After the service has made the directory of its socket, the usual place for the library too. */
async function offerLibrary(path: string | undefined, daemon: Daemon): Promise<void> {
  try {
    if (path !== undefined) placeLibrary(path);
  } catch (thrown) {
    await daemon.stop();
    throw thrown;
  }
}

async function serveApp(app: string[], daemon: Daemon, launch: Launch, signals: AppSignals): Promise<void> {
  const { failed, config } = daemon.service;
  const ended = runApp(app, config.paths.socket, launch, signals);
  try {
    const first = await Promise.race([ended, failed]);
    if (first instanceof NetconError) process.stderr.write(explain(first));
  } finally {
    await daemon.stop();
  }
  (await ended).leave();
}

async function serveUntil(stopped: Promise<void>, daemon: Daemon): Promise<void> {
  const failure = await Promise.race([stopped, daemon.service.failed]);
  await daemon.stop();
  if (failure instanceof NetconError) throw failure;
}

/** Settles at the first signal that ends a service. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}

function optionsOf(flags: ServiceFlags): ServiceOptions {
  const { tap, address, hostAddress, gateway, library: _, resolver, dns, ...same } = flags;
  return {
    ...same,
    ...(typeof tap === 'string' && { tap }),
    ...(tap === false && { tap }),
    ...(address && { addresses: address }),
    ...(hostAddress && { hostAddresses: hostAddress }),
    ...(gateway && { gateways: gateway }),
    ...(resolver && { resolvers: resolver }),
    ...(dns === false && { resolvers: false as const }),
  };
}

function log(level: string, message: string): void {
  if (level !== 'debug' && level !== 'trace') process.stderr.write(`netcon: ${level}: ${message}\n`);
}
