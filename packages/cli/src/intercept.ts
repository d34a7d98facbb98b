import { greet, locate, NetconError } from '@netcon/api/local';
import {
  bypassList,
  checkTarget,
  findLibrary,
  intercept,
  interceptEnvironment,
  libraryPath,
  starter,
} from '@netcon/intercept';
import type { Launch } from './launch.js';

export interface InterceptFlags {
  socket?: string;
  name?: string;
  bypass?: string[];
  strict?: boolean;
  trace?: string;
  json?: boolean;
}

/** Becomes the app. Whether it can be intercepted, and whether the service takes it, is known before. */
export function runIntercept(app: [string, ...string[]], flags: InterceptFlags, launch: Launch): never {
  bypassList(flags.bypass ?? []);
  checkTarget(app[0], starter());
  const socket = reach(flags);
  return intercept(app, { socket, ...trimmed(flags) }, launch, process.env);
}

/** What `netcon intercept` would do, without doing it. */
export function showIntercept(app: string[], flags: InterceptFlags): void {
  const { path, tried } = locate(flags);
  const service = attempt(() => greet(path));
  const report = {
    mode: 'preload',
    library: libraryPath(),
    libraryFound: attempt(() => findLibrary()).error === undefined,
    environment: pick(interceptEnvironment(process.env, libraryPath(), { socket: path, ...trimmed(flags) })),
    intercepts: 'TCP, UDP and ping sockets of AF_INET and AF_INET6',
    refuses: 'raw sockets, and what the service has no right to: EPROTONOSUPPORT',
    bypass: flags.bypass ?? [],
    socket: path,
    tried,
    service: service.value ?? null,
    serviceProblem: service.error ?? null,
    ...(app[0] !== undefined && { app: target(app[0]) }),
  };
  process.stdout.write(flags.json ? `${JSON.stringify(report, null, 2)}\n` : describe(report));
}

/** The service's socket, after the service has said that this user may join. */
function reach(flags: InterceptFlags): string {
  const { path, tried } = locate(flags);
  try {
    greet(path);
    return path;
  } catch (thrown) {
    if (!(thrown instanceof NetconError) || thrown.code !== 'NETCON_SERVICE_ABSENT' || tried.length < 2) throw thrown;
    throw new NetconError(thrown.code, `no service at ${tried.join(' nor at ')}`, { cause: thrown });
  }
}

function target(app: string): { file: string | null; problem: Failure | null } {
  const { value, error } = attempt(() => checkTarget(app, starter()));
  return { file: value ?? null, problem: error ?? null };
}

function describe(report: {
  library: string;
  libraryFound: boolean;
  environment: Record<string, string>;
  intercepts: string;
  refuses: string;
  bypass: string[];
  socket: string;
  service: { pid: number; uid: number; addresses: string[] } | null;
  serviceProblem: Failure | null;
  app?: { file: string | null; problem: Failure | null };
}): string {
  const { service, serviceProblem, app } = report;
  const rows: [string, string][] = [
    ['library', report.libraryFound ? report.library : `${report.library} (missing: run pnpm build)`],
    ['mode', 'preload (LD_PRELOAD): dynamically linked programs of this machine'],
    ['intercepts', report.intercepts],
    ['refuses', report.refuses],
    ['bypass', report.bypass.length > 0 ? report.bypass.join(', ') : 'nothing: fail closed'],
    ['service', service ? `found: pid ${service.pid}, uid ${service.uid}` : `not usable: ${serviceProblem?.message}`],
    ['socket', report.socket],
  ];
  if (service) rows.push(['addresses', service.addresses.join(', ')]);
  else if (serviceProblem) rows.push(['what to do', serviceProblem.hint]);
  if (app) rows.push(['app', app.file ?? `refused: ${app.problem?.message} (${app.problem?.hint})`]);
  for (const [name, value] of Object.entries(report.environment)) rows.push([name, value]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

interface Failure {
  code: string;
  message: string;
  hint: string;
}

function attempt<T>(act: () => T): { value?: T; error?: Failure } {
  try {
    return { value: act() };
  } catch (thrown) {
    if (!(thrown instanceof NetconError)) throw thrown;
    return { error: { code: thrown.code, message: thrown.message, hint: thrown.hint } };
  }
}

function pick(env: Record<string, string>): Record<string, string> {
  const ours = ['LD_PRELOAD', 'NETCON_SOCKET', 'NETCON_TRACE', 'NETCON_BYPASS', 'NETCON_STRICT'];
  return Object.fromEntries(Object.entries(env).filter(([name]) => ours.includes(name)));
}

function trimmed(flags: InterceptFlags): { trace?: string; bypass?: string[]; strict?: boolean } {
  return {
    ...(flags.trace !== undefined && { trace: flags.trace }),
    ...(flags.bypass !== undefined && { bypass: flags.bypass }),
    ...(flags.strict && { strict: true }),
  };
}
