import type { HelloEvent } from '@netcon/core-rs';
import { type Policy, userName } from './policy.js';
import { RpcDecodeError } from './rpc/cursor.js';
import { frameId, VERSION_MAJOR } from './rpc/frame.js';
import { encodeReply, MAX_MESSAGE_LEN } from './rpc/reply.js';
import { decodeRequest } from './rpc/request.js';

/** Linux errno numbers of a refusal. */
const EACCES = 13;
const EAGAIN = 11;
const EPROTO = 71;

/** What a program is told, and whether it is in. */
export interface Verdict {
  admitted: boolean;
  /** The encoded HELLO reply. */
  reply: Uint8Array;
  /** For the log, when refused. */
  reason?: string;
}

/** What HELLO is judged by. */
export interface Admission {
  policy: Policy;
  /** The addresses handed to programs, without prefix lengths. */
  addresses: string[];
  maxSessions: number;
  nameOf?: (uid: number) => string;
}

/** Admits or refuses one HELLO; total: whatever the frame holds, there is an answer. */
export function judge(hello: HelloEvent, sessions: number, by: Admission): Verdict {
  const id = frameId(hello.frame);
  try {
    const { request } = decodeRequest(hello.frame);
    if (request.op !== 'Hello') return refusal(id, EPROTO, `the first message is HELLO, not ${request.op}`);
  } catch (thrown) {
    if (!(thrown instanceof RpcDecodeError)) throw thrown;
    return refusal(id, EPROTO, malformed(thrown));
  }
  if (!hello.returning && !by.policy.admits(hello)) {
    const user = (by.nameOf ?? userName)(hello.uid);
    return refusal(
      id,
      EACCES,
      `user ${user} may not join; the service allows it with: netcon service --allow user:${user}`,
    );
  }
  if (sessions >= by.maxSessions) {
    const why = `${by.maxSessions} programs are in already; the service takes more with: netcon service --max-sessions N`;
    return refusal(id, EAGAIN, why);
  }
  const addresses = by.addresses.map((ip) => ({ ip, port: 0, scope: 0 }));
  return { admitted: true, reply: helloReply(id, 0, hello.session, '', addresses) };
}

function malformed(error: RpcDecodeError): string {
  if (error.fault !== 'BadVersion') return `not a HELLO of netcon (${error.message})`;
  return `the service speaks protocol ${VERSION_MAJOR}, the program's library ${error.value}: use one version of netcon`;
}

function refusal(id: number, status: number, reason: string): Verdict {
  return { admitted: false, reason, reply: helloReply(id, status, 0, reason, []) };
}

type Addresses = { ip: string; port: number; scope: number }[];

function helloReply(id: number, status: number, session: number, text: string, addresses: Addresses): Uint8Array {
  const message = new TextEncoder().encode(text).subarray(0, MAX_MESSAGE_LEN);
  return encodeReply({ op: 'Hello', id, status, body: { kind: 'Hello', session, message, addresses } });
}
