import type { NetconError } from '@netcon/api/local';

/** docs/cli.md lists these; those of 125 and above are as env(1) and nohup(1) use them. */
export const EXIT = {
  ok: 0,
  error: 1,
  usage: 2,
  /** netcon itself failed before the program could be started. */
  noStart: 125,
  cannotRun: 126,
  notFound: 127,
} as const;

const USAGE = new Set([
  'NETCON_ADDRESS_INVALID',
  'NETCON_ADDRESS_CONFLICT',
  'NETCON_OPTION_BAD',
  'NETCON_TAP_NAME',
  'NETCON_POLICY_UNKNOWN',
  'NETCON_RESOLVER_BAD',
  'NETCON_SOCKET_TOO_LONG',
  'NETCON_BYPASS_BAD',
]);

/** The exit status of a command that ended with an error; `runsApp` if it was to become or run a program. */
export function exitStatus(error: unknown, runsApp: boolean): number {
  const code = (error as Partial<NetconError>).code ?? '';
  if (USAGE.has(code)) return EXIT.usage;
  if (code === 'NETCON_APP_NOT_FOUND') return EXIT.notFound;
  if (code.startsWith('NETCON_APP_')) return EXIT.cannotRun;
  return runsApp ? EXIT.noStart : EXIT.error;
}

/** An error as the user reads it: what was tried, and what to do. */
export function explain(error: unknown): string {
  const { code, message, hint } = error as NetconError;
  // A programmer's error, with no code of ours: the stack is what helps.
  if (!code?.startsWith('NETCON_')) return `netcon: ${(error as Error).stack ?? String(error)}\n`;
  return `netcon: ${message} [${code}]\n  what to do: ${hint}\n`;
}
