import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Channel } from '@netcon/core-rs';
import { NetconError } from '../src/errors.js';
import { formatIp, parseIp } from '../src/ip.js';
import { RpcDecodeError } from '../src/rpc/cursor.js';
import {
  decodeReply,
  decodeRequest,
  encodeReply,
  encodeRequest,
  frameId,
  type Reply,
  type Request,
  RpcClient,
} from '../src/rpc.js';

const map = encodeRequest(7, { op: 'Map' });

const refused: [at: number, byte: number, fault: string, why: string][] = [
  [0, 0, 'BadMagic', 'not ours'],
  [2, 2, 'BadVersion', 'another major version'],
  [4, 0xee, 'UnknownOp', 'an op of a newer version'],
  [6, 1, 'BadField', 'a reply where a request is due'],
  [12, 1, 'Truncated', 'a length beyond the record'],
  [15, 0xff, 'Truncated', 'a length beyond the limit'],
];

for (const [at, byte, fault, why] of refused) {
  test(`a frame with byte ${at} = ${byte} is refused as ${fault}: ${why}`, () => {
    const frame = map.slice();
    frame[at] = byte;
    assert.throws(() => decodeRequest(frame), { name: 'RpcDecodeError', fault });
  });
}

test('any bytes decode to a value or an RpcDecodeError', () => {
  const random = generator(1);
  for (let round = 0; round < 20_000; round++) {
    const frame = Uint8Array.from({ length: random(200) }, () => random(256));
    // Random bytes seldom get past the header: most rounds begin with a good one.
    if (round % 4 !== 0 && frame.length > 16) {
      frame.set([0x4e, 0x43, 1, 0, random(15), 0, random(2), 0], 0);
      frame.set([frame.length - 16, 0, 0, 0], 12);
    }
    for (const decode of [decodeRequest, decodeReply]) {
      try {
        decode(frame);
      } catch (thrown) {
        assert.ok(thrown instanceof RpcDecodeError, String(thrown));
      }
    }
  }
});

test('fields over their bounds are not encoded', () => {
  const over: Request[] = [
    { op: 'Hello', pid: 1, program: new Uint8Array(65) },
    { op: 'SetSockOpt', level: 1, name: 1, value: new Uint8Array(513) },
  ];
  for (const request of over) assert.throws(() => encodeRequest(1, request), { fault: 'TooLong' });
  const addresses = Array.from({ length: 9 }, () => ({ ip: '10.0.0.1', port: 0, scope: 0 }));
  const body = { kind: 'Hello', session: 1, message: new Uint8Array(0), addresses } as const;
  assert.throws(() => encodeReply({ op: 'Hello', id: 1, status: 0, body }), { fault: 'TooLong' });
});

test('the id of a frame is found even if the rest is foreign', () => {
  const frame = map.slice();
  frame[2] = 9;
  assert.equal(frameId(frame), 7);
  assert.equal(frameId(frame.subarray(0, 9)), 0);
});

test('addresses keep their bytes through text', () => {
  const random = generator(2);
  for (let round = 0; round < 2000; round++) {
    const octets = Uint8Array.from({ length: round % 2 ? 4 : 16 }, () => (random(2) ? random(256) : 0));
    assert.deepEqual(parseIp(formatIp(octets)), octets, formatIp(octets));
  }
});

const texts: [given: string, want: string | undefined, why: string][] = [
  ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1', 'RFC 5952 4.2.3: the first of two equal runs'],
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1', '4.2.2: one zero group stays'],
  ['::FFFF:10.0.0.1', '::ffff:10.0.0.1', '5: v4-mapped'],
  ['::', '::', 'all zeros'],
  ['1::', '1::', 'zeros at the end'],
  ['fe80::1%eth0', undefined, 'no zones'],
  ['10.1', undefined, 'no short forms'],
  ['010.0.0.1', undefined, 'no octal'],
];

for (const [given, want, why] of texts) {
  test(`${given} reads as ${want}: ${why}`, () => {
    const octets = parseIp(given);
    assert.equal(octets && formatIp(octets), want);
  });
}

test('hello returns what the service says', () => {
  const addresses = [{ ip: '10.77.0.2', port: 0, scope: 0 }];
  const client = clientOf((id) => helloReply(id, 0, '', addresses));
  assert.deepEqual(client.hello(1, 'x'.repeat(100)), { session: 3, message: '', addresses: ['10.77.0.2'] });
});

const answers: [code: string, message: RegExp, answer: (id: number) => Uint8Array, why: string][] = [
  ['NETCON_POLICY_REFUSED', /--allow user:bob/, (id) => helloReply(id, 13, 'use --allow user:bob'), 'refused'],
  ['NETCON_SESSION_LIMIT', /--max-sessions/, (id) => helloReply(id, 11, 'use --max-sessions'), 'full'],
  ['NETCON_SERVICE_VERSION', /use one version/, (id) => helloReply(id, 71, 'use one version'), 'version, said'],
  ['NETCON_SERVICE_VERSION', /protocol 9/, (id) => otherVersion(helloReply(id, 0, '')), 'version, seen'],
  ['NETCON_RPC_MALFORMED', /another request/, (id) => helloReply(id + 1, 0, ''), 'wrong id'],
  ['NETCON_RPC_MALFORMED', /BadMagic/, () => new Uint8Array(40), 'not netcon'],
];

for (const [code, message, answer, why] of answers) {
  test(`hello fails with ${code}: ${why}`, () => {
    assert.throws(() => clientOf(answer).hello(1, 'x'), { name: 'NetconError', code, message });
  });
}

const connects: [errno: string, code: string][] = [
  ['ENOENT', 'NETCON_SERVICE_ABSENT'],
  ['ECONNREFUSED', 'NETCON_SERVICE_ABSENT'],
  ['EACCES', 'NETCON_SERVICE_DENIED'],
  ['EPROTOTYPE', 'NETCON_RPC_MALFORMED'],
  ['EIO', 'NETCON_NATIVE_FAILED'],
];

for (const [errno, code] of connects) {
  test(`a connect that fails with ${errno} is ${code}`, () => {
    const open = () => {
      throw new NetconError('NETCON_NATIVE_FAILED', 'connect', { errno });
    };
    assert.throws(() => RpcClient.connect('/x', open), { name: 'NetconError', code });
  });
}

test('a service that does not answer in time is said to be silent', () => {
  const client = clientOf(() => {
    throw new NetconError('NETCON_NATIVE_FAILED', 'timed out', { errno: 'EAGAIN' });
  });
  assert.throws(() => client.hello(1, 'x'), { code: 'NETCON_SERVICE_SILENT' });
});

function clientOf(answer: (id: number) => Uint8Array): RpcClient {
  const channel: Channel = {
    call: (frame) => answer(decodeRequest(frame).id),
    peer: () => ({ pid: 1, uid: 0, gid: 0 }),
    close() {},
  };
  return new RpcClient(channel, '/x');
}

function helloReply(
  id: number,
  status: number,
  text: string,
  addresses: { ip: string; port: number; scope: number }[] = [],
): Uint8Array {
  const body: Reply['body'] = { kind: 'Hello', session: 3, message: new TextEncoder().encode(text), addresses };
  return encodeReply({ op: 'Hello', id, status, body });
}

function otherVersion(frame: Uint8Array): Uint8Array {
  frame[2] = 9;
  return frame;
}

/** A small reproducible generator (LCG of Numerical Recipes); `random(n)` is in 0..n-1. */
function generator(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}
