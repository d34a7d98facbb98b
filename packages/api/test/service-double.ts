import type { Service } from '@netcon/service';
import { configure } from '@netcon/service';
import type { SessionRow, SocketRow } from '../src/schemas.js';

export const listening: SocketRow = {
  id: 1,
  protocol: 'tcp',
  family: 4,
  state: 'LISTEN',
  shortcut: false,
  local: '0.0.0.0:80',
  peer: '0.0.0.0:*',
  recvQueue: 0,
  sendQueue: 128,
  session: 1,
  pid: 100,
  program: 'nginx',
  uid: 0,
  ageMs: 5000,
  rxBytes: 0,
  txBytes: 0,
};

export const connecting: SocketRow = { ...listening, id: 2, state: 'SYN-SENT', pid: 101, program: 'curl' };

export const session: SessionRow = { id: 1, pid: 100, uid: 0, program: 'nginx', sockets: 1, ageMs: 5000 };

/** A service that holds two sockets of two programs; `changes` replaces parts. */
export function serviceDouble(changes: Partial<Service> = {}): Service {
  const env = { XDG_RUNTIME_DIR: '/run/user/1' };
  return {
    config: configure({}, { env, cwd: '/', uid: 0, exists: () => false, systemDir: '/run/netcon' }),
    tap: { name: 'netcon0', offload: true, addressesSet: true },
    tapProblem: undefined,
    resolvers: () => [{ ip: '192.0.2.53', port: 53, via: 'stack' }],
    failed: new Promise(() => {}),
    status: async () => ({
      uptimeMs: 7,
      connections: 1,
      listeners: 1,
      sessions: 2,
      sockets: 2,
      counters: { rx_frames: 3 },
    }),
    sockets: async () => [listening, connecting],
    sessions: async () => [session],
    stop: async () => {},
    ...changes,
  };
}
