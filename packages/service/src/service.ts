import { chmodSync } from 'node:fs';
import {
  type Engine,
  type EngineEvent,
  type EngineOptions,
  type EngineStatus,
  type Native,
  NetconError,
  native,
  type QuestionEvent,
  type SessionRow,
  type SocketRow,
  type TapReport,
} from '@netcon/core-rs';
import { isV6 } from './addresses.js';
import { type Admission, judge } from './admission.js';
import { claim } from './files.js';
import { configure, type ServiceConfig, type ServiceOptions } from './options.js';
import type { Surroundings } from './paths.js';
import { answerQuestion } from './resolver/answers.js';
import { Resolver } from './resolver/lookup.js';
import { joinEngine, serviceNetwork } from './resolver/network.js';
import type { Reach } from './resolver/order.js';
import type { Server } from './resolver/resolv-conf.js';
import { decodeRequest } from './rpc/request.js';

/** Linux's errno for a message that makes no sense. */
const EPROTO = 71;

/** A running service, as the admin API and the commands see it. */
export interface Service {
  readonly config: ServiceConfig;
  readonly tap: TapReport | null;
  /** Why there is no tap although one was asked for; the service then serves programs among themselves. */
  readonly tapProblem: NetconError | undefined;
  /** The DNS servers that would be asked now; empty if names are not looked up by DNS. */
  resolvers(): Server[];
  /** Settles when the engine fails; never rejects. */
  readonly failed: Promise<NetconError>;
  status(): Promise<EngineStatus>;
  sockets(): Promise<SocketRow[]>;
  sessions(): Promise<SessionRow[]>;
  /** Ends every session and leaves nothing behind; may be called twice. */
  stop(): Promise<void>;
}

export type Log = (level: string, message: string) => void;

/** What startService needs from outside; tests give a fake engine. */
export interface Around {
  at: Surroundings;
  log: Log;
  native?: Native;
}

/** Starts a service: takes the name, opens the link, serves the socket. On failure nothing new is left behind. */
export async function startService(options: ServiceOptions, around: Around): Promise<Service> {
  const config = configure(options, around.at);
  const api = around.native ?? native;
  const clean = claim(config.paths, api);
  try {
    const { engine, tapProblem } = openEngine(config, api);
    return serve(config, engine, tapProblem, clean, around.log, api);
  } catch (thrown) {
    clean('failure');
    throw thrown;
  }
}

function serve(
  config: ServiceConfig,
  engine: Engine,
  tapProblem: NetconError | undefined,
  clean: (after: 'end' | 'failure') => void,
  log: Log,
  api: Native,
): Service {
  // The socket is made 0600 (umask); it opens to others when something stands behind it that knows who may join.
  const shared = config.policy.open || process.geteuid?.() === 0;
  if (shared) chmodSync(config.paths.socket, 0o666);
  const admission: Admission = {
    policy: config.policy,
    addresses: config.plan.stack.map((cidr) => cidr.split('/')[0] ?? cidr),
    maxSessions: config.maxSessions,
  };
  let fail: (error: NetconError) => void = () => {};
  const failed = new Promise<NetconError>((resolve) => {
    fail = resolve;
  });
  const names = createNames(config, engine, api);
  engine.start((event) => {
    if (event.kind === 'question') void names.answer(event);
    else handleEvent(event, engine, admission, config.maxSockets, log, fail);
  });
  let stopping: Promise<void> | undefined;
  return {
    config,
    tap: engine.tap,
    tapProblem,
    failed,
    resolvers: names.servers,
    status: async () => {
      const status = await engine.status();
      return { ...status, counters: { ...status.counters, ...names.counters() } };
    },
    sockets: () => engine.sockets(),
    sessions: () => engine.sessions(),
    stop() {
      names.close();
      stopping ??= engine.stop().finally(() => clean('end'));
      return stopping;
    },
  };
}

/** Looks names up for programs, over the stack that they use. */
function createNames(config: ServiceConfig, engine: Engine, api: Native) {
  const network = serviceNetwork(() => joinEngine(() => api.connectStack(config.paths.socket, 'netcon-resolver')));
  const { resolvers: servers, resolvConf } = config;
  const resolver = servers === false ? undefined : new Resolver({ network, servers, resolvConf });
  const reach: Reach = {
    addresses: config.plan.stack,
    gateways: config.plan.gateways,
    hasLink: engine.tap !== null,
  };
  return {
    servers: () => resolver?.servers() ?? [],
    counters: () => resolver?.counters ?? {},
    close: () => network.close(),
    async answer({ question, frame }: QuestionEvent): Promise<void> {
      try {
        const { request } = decodeRequest(frame);
        if (request.op !== 'Resolve') throw new Error(`not a question: ${request.op}`);
        engine.answer(question, 0, await answerQuestion(request.question, resolver, reach));
      } catch {
        engine.answer(question, EPROTO, new Uint8Array());
      }
    },
  };
}

function handleEvent(
  event: Exclude<EngineEvent, QuestionEvent>,
  engine: Engine,
  admission: Admission,
  maxSockets: number,
  log: Log,
  fail: (error: NetconError) => void,
): void {
  switch (event.kind) {
    case 'log':
      log(event.level, event.message);
      break;
    case 'fatal':
      fail(new NetconError('NETCON_ENGINE_FAILED', event.message));
      break;
    case 'hello':
      void answer(event, engine, admission, maxSockets, log);
      break;
  }
}

async function answer(
  hello: Extract<EngineEvent, { kind: 'hello' }>,
  engine: Engine,
  admission: Admission,
  maxSockets: number,
  log: Log,
): Promise<void> {
  try {
    const { sessions } = await engine.status();
    const verdict = judge(hello, sessions, admission);
    if (verdict.admitted) engine.admit(hello.session, maxSockets, verdict.reply);
    else {
      log('warn', `refused pid ${hello.pid}: ${verdict.reason}`);
      engine.refuse(hello.session, verdict.reply);
    }
  } catch (thrown) {
    // The program may be gone by now; its session is the engine's to clear.
    log('debug', `HELLO of pid ${hello.pid}: ${(thrown as Error).message}`);
  }
}

/** Opens the engine; without the right to a tap, opens it without one and says why. */
function openEngine(config: ServiceConfig, api: Native): { engine: Engine; tapProblem: NetconError | undefined } {
  const umask = process.umask(0o177);
  try {
    return { engine: api.openEngine(engineOptions(config, config.tap)), tapProblem: undefined };
  } catch (thrown) {
    if (!isMissingRight(thrown)) throw thrown;
    return { engine: api.openEngine(engineOptions(config, undefined)), tapProblem: thrown };
  } finally {
    process.umask(umask);
  }
}

function isMissingRight(thrown: unknown): thrown is NetconError {
  return (
    thrown instanceof NetconError && (thrown.code === 'NETCON_TAP_DENIED' || thrown.code === 'NETCON_TAP_NO_DEVICE')
  );
}

function engineOptions(config: ServiceConfig, tap: string | undefined): EngineOptions {
  const gateway4 = config.plan.gateways.find((gateway) => !isV6(gateway));
  const gateway6 = config.plan.gateways.find(isV6);
  return {
    socketPath: config.paths.socket,
    namesDir: config.paths.names,
    addresses: config.plan.stack,
    maxSockets: config.maxSockets,
    congestion: config.congestion,
    shortcut: config.shortcut,
    busyPollMicros: config.busyPoll,
    ...(gateway4 !== undefined && { gateway4 }),
    ...(gateway6 !== undefined && { gateway6 }),
    ...(config.fault !== undefined && { fault: config.fault }),
    ...(config.capture !== undefined && { capture: config.capture }),
    ...(tap !== undefined && { tap: { name: tap, hostAddresses: config.plan.host, offload: config.offload } }),
  };
}
