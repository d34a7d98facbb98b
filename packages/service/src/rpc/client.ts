import { type Channel, NetconError, native } from '@netcon/core-rs';
import { RpcDecodeError } from './cursor.js';
import { decodeReply, type HelloReply, type ReplyBody } from './reply.js';
import { encodeRequest, type Request } from './request.js';

const EAGAIN = 11;
const EPROTO = 71;

/** What a service said to HELLO. */
export interface Welcome {
  session: number;
  message: string;
  addresses: string[];
}

/** A client of a service's RPC socket. Calls are synchronous: it serves commands that wait for the answer anyway. */
export class RpcClient {
  private readonly channel: Channel;
  private readonly path: string;
  private id = 0;

  constructor(channel: Channel, path: string) {
    this.channel = channel;
    this.path = path;
  }

  /**
   * Connects to a socket path.
   *
   * @example RpcClient.connect('/run/netcon/netcon.sock').hello(process.pid, 'curl')
   */
  static connect(path: string, open: (path: string) => Channel = native.connectChannel): RpcClient {
    try {
      return new RpcClient(open(path), path);
    } catch (thrown) {
      throw connectError(path, thrown);
    }
  }

  /** Asks to be admitted; throws with the service's own words if it refuses. */
  hello(pid: number, program: string): Welcome {
    const { status, body } = this.exchange({ op: 'Hello', pid, program: clip(program) });
    if (body.kind !== 'Hello') throw malformed(this.path, `${body.kind} in answer to HELLO`);
    const welcome = readWelcome(body);
    if (status === EPROTO) throw new NetconError('NETCON_SERVICE_VERSION', `${this.path}: ${welcome.message}`);
    if (status === EAGAIN) throw new NetconError('NETCON_SESSION_LIMIT', `${this.path}: ${welcome.message}`);
    if (status !== 0) {
      throw new NetconError('NETCON_POLICY_REFUSED', `${this.path}: ${welcome.message || `errno ${status}`}`);
    }
    return welcome;
  }

  /** Who holds the socket, as the kernel says. */
  peer(): { pid: number; uid: number } {
    return this.channel.peer();
  }

  close(): void {
    this.channel.close();
  }

  private exchange(request: Request): { status: number; body: ReplyBody } {
    const id = ++this.id;
    const frame = this.call(encodeRequest(id, request));
    try {
      const reply = decodeReply(frame);
      if (reply.id !== id || reply.op !== request.op) throw malformed(this.path, 'the answer to another request');
      return reply;
    } catch (thrown) {
      if (!(thrown instanceof RpcDecodeError)) throw thrown;
      if (thrown.fault === 'BadVersion') {
        const theirs = `${this.path}: the service speaks protocol ${thrown.value}, this netcon another`;
        throw new NetconError('NETCON_SERVICE_VERSION', theirs, { cause: thrown });
      }
      throw malformed(this.path, thrown.message);
    }
  }

  private call(frame: Uint8Array): Uint8Array {
    try {
      return this.channel.call(frame);
    } catch (thrown) {
      const message = `${this.path}: no answer (${(thrown as Error).message})`;
      throw new NetconError('NETCON_SERVICE_SILENT', message, { cause: thrown });
    }
  }
}

function connectError(path: string, thrown: unknown): NetconError {
  const error = thrown as NetconError;
  if (error.errno === 'ENOENT' || error.errno === 'ECONNREFUSED') {
    return new NetconError('NETCON_SERVICE_ABSENT', `${path}: no service there`, { cause: thrown, errno: error.errno });
  }
  if (error.errno === 'EACCES' || error.errno === 'EPERM') {
    const message = `${path}: permission denied`;
    return new NetconError('NETCON_SERVICE_DENIED', message, { cause: thrown, errno: error.errno });
  }
  if (error.errno === 'EPROTOTYPE' || error.errno === 'ENOTSOCK') return malformed(path, 'not a socket of netcon');
  return error;
}

function malformed(path: string, what: string): NetconError {
  return new NetconError('NETCON_RPC_MALFORMED', `${path}: ${what}`);
}

function readWelcome(body: HelloReply): Welcome {
  return {
    session: body.session,
    message: new TextDecoder().decode(body.message),
    addresses: body.addresses.map((a) => a.ip),
  };
}

function clip(program: string): Uint8Array {
  return new TextEncoder().encode(program).subarray(0, 64);
}
