import { type IncomingMessage, request } from 'node:http';
import { isErrorCode, NetconError } from '@netcon/service/errors';
import type { Problem, SessionRow, SocketQuery, SocketRow, Status } from './schemas.js';

export type { SessionRow, SocketQuery, SocketRow, Status } from './schemas.js';

/**
 * The admin API of a local service.
 *
 * @example await new ApiClient('/run/netcon/netcon.api.sock').sockets({ state: 'listen' })
 */
export class ApiClient {
  private readonly socketPath: string;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
  }

  status(): Promise<Status> {
    return this.fetch('/v1/status');
  }

  sessions(): Promise<SessionRow[]> {
    return this.fetch('/v1/sessions');
  }

  sockets(query: SocketQuery = {}): Promise<SocketRow[]> {
    const search = new URLSearchParams();
    if (query.state !== undefined) search.set('state', query.state);
    if (query.pid !== undefined) search.set('pid', String(query.pid));
    return this.fetch(search.size > 0 ? `/v1/sockets?${search}` : '/v1/sockets');
  }

  private async fetch<T>(path: string): Promise<T> {
    const { status, body } = await get(this.socketPath, path).catch((thrown: NodeJS.ErrnoException) => {
      throw connectError(this.socketPath, thrown);
    });
    if (status === 200) return body as T;
    const problem = body as Partial<Problem>;
    const code = isErrorCode(problem.code) ? problem.code : 'NETCON_API_FAILED';
    throw new NetconError(code, `${path}: ${problem.message ?? `HTTP status ${status}`}`);
  }
}

function get(socketPath: string, path: string): Promise<{ status: number; body: unknown }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, timeout: 10_000 }, (response) => {
      readAll(response).then((text) => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      }, reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')));
    sent.on('error', reject);
    sent.end();
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function connectError(path: string, thrown: NodeJS.ErrnoException): NetconError {
  switch (thrown.code) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new NetconError('NETCON_SERVICE_ABSENT', `${path}: no service there`, { cause: thrown });
    case 'EACCES':
    case 'EPERM':
      return new NetconError('NETCON_SERVICE_DENIED', `${path}: the admin API is for the service's own user`, {
        cause: thrown,
        hint: "run netcon show as the service's user",
      });
    default:
      return new NetconError('NETCON_SERVICE_SILENT', `${path}: ${thrown.message}`, { cause: thrown });
  }
}
