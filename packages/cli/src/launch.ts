/** What this process was before Node changed it: recorded by bin/netcon. */
export interface Launch {
  nofileSoft?: number;
  ignoreSignals: number[];
}

type Env = Record<string, string | undefined>;

/** Takes the launcher's records out of the environment: no program is to see them. */
export function takeLaunch(env: Env): Launch {
  const { NETCON_LAUNCH_NOFILE: nofile = '', NETCON_LAUNCH_SIGIGN: mask = '' } = env;
  delete env.NETCON_LAUNCH_NOFILE;
  delete env.NETCON_LAUNCH_SIGIGN;
  return {
    ...(/^\d+$/.test(nofile) && { nofileSoft: Number(nofile) }),
    ignoreSignals: signalsOf(mask),
  };
}

/** Puts the records back, for a launcher that this process starts in turn. */
export function launchEnvironment(launch: Launch): Record<string, string> {
  const mask = launch.ignoreSignals.reduce((bits, signal) => bits | (1n << BigInt(signal - 1)), 0n);
  return {
    NETCON_LAUNCH_NOFILE: launch.nofileSoft === undefined ? 'unlimited' : String(launch.nofileSoft),
    NETCON_LAUNCH_SIGIGN: mask.toString(16).padStart(16, '0'),
  };
}

/** The directory the user stands in: pnpm runs its scripts at the root of the workspace and keeps his in INIT_CWD. */
export function callerDirectory(env: Env): string | undefined {
  return env.npm_lifecycle_event === 'netcon' ? env.INIT_CWD : undefined;
}

/** proc(5): SigIgn is a mask in hexadecimal, bit 0 for signal 1. */
function signalsOf(mask: string): number[] {
  if (!/^[0-9a-f]{1,16}$/.test(mask)) return [];
  const bits = BigInt(`0x${mask}`);
  return Array.from({ length: 64 }, (_, i) => i + 1).filter((signal) => (bits >> BigInt(signal - 1)) & 1n);
}
