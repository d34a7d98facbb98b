import { fstatSync, writeFileSync } from 'node:fs';
import type { Engine, EngineEvent, EngineOptions, HelloEvent, Native, SessionRow, SocketRow } from '@netcon/core-rs';
import { NetconError } from '../src/errors.js';
import { encodeRequest } from '../src/rpc.js';

/** An engine without sockets and threads, which records what it is told. */
export class FakeEngine implements Engine {
  readonly tap: Engine['tap'];
  readonly verdicts: { session: number; admitted: boolean; reply: Uint8Array }[] = [];
  readonly answers: { question: number; errno: number; bytes: Uint8Array }[] = [];
  sessionCount = 0;
  stops = 0;
  private onEvent: (event: EngineEvent) => void = () => {};
  private heard: () => void = () => {};

  constructor(options: EngineOptions) {
    this.tap = options.tap ? { name: options.tap.name, offload: options.tap.offload, addressesSet: true } : null;
  }

  start(onEvent: (event: EngineEvent) => void): void {
    this.onEvent = onEvent;
  }

  admit(session: number, _maxSockets: number, reply: Uint8Array): void {
    this.verdicts.push({ session, admitted: true, reply });
    this.heard();
  }

  refuse(session: number, reply: Uint8Array): void {
    this.verdicts.push({ session, admitted: false, reply });
    this.heard();
  }

  answer(question: number, errno: number, bytes: Uint8Array): void {
    this.answers.push({ question, errno, bytes });
    this.heard();
  }

  async status() {
    return { uptimeMs: 5, connections: 0, listeners: 0, sessions: this.sessionCount, sockets: 0, counters: {} };
  }

  async sockets(): Promise<SocketRow[]> {
    return [];
  }

  async sessions(): Promise<SessionRow[]> {
    return [];
  }

  async stop(): Promise<void> {
    this.stops++;
  }

  emit(event: EngineEvent): void {
    this.onEvent(event);
  }

  /** Sends a HELLO and waits for the verdict. */
  async hello(from: Partial<HelloEvent>): Promise<FakeEngine['verdicts'][number] | undefined> {
    const verdict = new Promise<void>((resolve) => {
      this.heard = resolve;
    });
    const frame = encodeRequest(1, { op: 'Hello', pid: 1, program: new TextEncoder().encode('curl') });
    this.onEvent({ kind: 'hello', session: 1, pid: 1, uid: 0, gid: 0, groups: [], returning: false, frame, ...from });
    await verdict;
    return this.verdicts.at(-1);
  }
}

/** A native side whose engines are fakes; `failures` are thrown by the first openings. */
export function fakeNative(...failures: NetconError[]): Native & { engines: FakeEngine[]; options: EngineOptions[] } {
  const engines: FakeEngine[] = [];
  const options: EngineOptions[] = [];
  const locked = new Map<number, number>();
  return {
    engines,
    options,
    openEngine(given) {
      options.push(given);
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
      writeFileSync(given.socketPath, '');
      const engine = new FakeEngine(given);
      engines.push(engine);
      return engine;
    },
    tryLock(fd) {
      const { ino } = fstatSync(fd);
      const holder = locked.get(ino);
      // As flock(2): closing the file drops the lock (and may give its inode's number to another file).
      if (holder !== undefined && holder !== fd && inodeOf(holder) === ino) return false;
      locked.set(ino, fd);
      return true;
    },
    connectChannel(path) {
      // A path with "live" in it has a listener, of another kind.
      const errno = path.includes('live') ? 'EPROTOTYPE' : 'ECONNREFUSED';
      throw new NetconError('NETCON_NATIVE_FAILED', 'no channels here', { errno });
    },
    connectStack() {
      throw new NetconError('NETCON_NATIVE_FAILED', 'no stack here');
    },
    execReplace() {
      throw new NetconError('NETCON_NATIVE_FAILED', 'no exec here');
    },
  };
}

function inodeOf(fd: number): number | undefined {
  try {
    return fstatSync(fd).ino;
  } catch {
    return undefined;
  }
}
