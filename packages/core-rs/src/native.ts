import { createRequire } from 'node:module';
import { fromNative, NetconError } from './errors.js';
import type { Channel, Engine, EngineOptions, ExecOptions, StackClient } from './types.js';

export * from './errors.js';
export type * from './types.js';

/** The addon's functions with their errors made {@link NetconError}s; tests inject objects of the same shape. */
export interface Native {
  /** Opens the tap and binds the RPC socket. */
  openEngine(options: EngineOptions): Engine;
  /** Connects to the RPC socket of a service. */
  connectChannel(path: string): Channel;
  /** Connects to an engine of this process, to use its stack as that program. */
  connectStack(path: string, program: string): StackClient;
  /** execve(2): returns only by throwing, with the errno's name in `errno`. */
  execReplace(file: string, argv: string[], env: string[], options: ExecOptions): never;
  /** flock(2) of a descriptor; false if another process holds it. */
  tryLock(fd: number): boolean;
}

interface Addon {
  Engine: new (options: EngineOptions) => Engine;
  Channel: { connect(path: string): Channel };
  StackClient: { connect(path: string, program: string): StackClient };
  execReplace(file: string, argv: string[], env: string[], options: ExecOptions): void;
  tryLock(fd: number): boolean;
}

let loaded: Addon | undefined;

/** The addon, loaded on the first call: `netcon --help` runs without it. */
export const native: Native = {
  openEngine: (options) => guard(() => guarded(new (addon().Engine)(options))),
  connectChannel: (path) => guard(() => guarded(addon().Channel.connect(path))),
  connectStack: (path, program) => guard(() => guarded(addon().StackClient.connect(path, program))),
  execReplace(file, argv, env, options) {
    guard(() => addon().execReplace(file, argv, env, options));
    throw new NetconError('NETCON_NATIVE_FAILED', `execve of ${file} returned`);
  },
  tryLock: (fd) => guard(() => addon().tryLock(fd)),
};

function addon(): Addon {
  if (loaded !== undefined) return loaded;
  const file = new URL('../netcon.node', import.meta.url).pathname;
  try {
    loaded = createRequire(import.meta.url)(file) as Addon;
  } catch (cause) {
    throw new NetconError('NETCON_ADDON_LOAD', `${file}: ${(cause as Error).message}`, { cause });
  }
  return loaded;
}

/** Runs a call into the addon; what it throws becomes a {@link NetconError}. */
export function guard<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    throw fromNative(thrown);
  }
}

/** An object of the addon whose methods throw and reject with {@link NetconError}s. */
export function guarded<T extends object>(target: T): T {
  return new Proxy(target, {
    get(object, key) {
      const value: unknown = Reflect.get(object, key, object);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const result: unknown = guard(() => value.apply(object, args));
        if (!(result instanceof Promise)) return result;
        return result.catch((thrown: unknown) => Promise.reject(fromNative(thrown)));
      };
    },
  });
}
