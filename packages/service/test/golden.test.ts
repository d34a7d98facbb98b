import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeReply, decodeRequest, encodeReply, encodeRequest, type Reply, type Request } from '../src/rpc.js';

// The file that crates/wire/tests/golden.rs writes and checks; ids count from 1 in the order of each list.
const GOLDEN = new URL('../../../core-rs/crates/wire/golden/frames.txt', import.meta.url);

const v4 = { ip: '10.77.0.2', port: 0xabcd, scope: 0 };
const v6 = { ip: 'fe80::1234:0:0:1', port: 443, scope: 3 };
const mapped = { ip: '::ffff:10.77.0.2', port: 0xabcd, scope: 0 };
const own = [
  { ip: '10.77.0.2', port: 0, scope: 0 },
  { ip: 'fd77::2', port: 0, scope: 0 },
];
const bytes = (text: string) => new TextEncoder().encode(text);

const requests: Record<string, Request> = {
  hello: { op: 'Hello', pid: 4711, program: bytes('curl') },
  attach: { op: 'Attach', pid: 4712, program: bytes('nginx') },
  'socket.inet': { op: 'Socket', family: 4, flags: 3, kind: 0 },
  'socket.inet6': { op: 'Socket', family: 6, flags: 0, kind: 0 },
  'bind.v4': { op: 'Bind', addr: v4 },
  'bind.v6': { op: 'Bind', addr: v6 },
  listen: { op: 'Listen', backlog: -1 },
  'connect.wait': { op: 'Connect', addr: v6, flags: 2 },
  'connect.nonblocking': { op: 'Connect', addr: v4, flags: 1 },
  map: { op: 'Map' },
  getsockname: { op: 'GetSockName' },
  getpeername: { op: 'GetPeerName' },
  getsockopt: { op: 'GetSockOpt', level: 6, name: 11, len: 104 },
  setsockopt: { op: 'SetSockOpt', level: 1, name: 13, value: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0) },
  shutdown: { op: 'Shutdown', how: 2 },
  accepted: { op: 'Accepted' },
  'socket.udp': { op: 'Socket', family: 4, flags: 2, kind: 1 },
  'socket.ping': { op: 'Socket', family: 6, flags: 0, kind: 3 },
  interface: { op: 'Interface', position: 1 },
  'resolve.addresses': { op: 'Resolve', question: { kind: 'Addresses', family: 6, name: 'www.example' } },
  'resolve.names': { op: 'Resolve', question: { kind: 'Names', ip: '192.0.2.7' } },
  'resolve.message': { op: 'Resolve', question: { kind: 'Message', message: Uint8Array.of(0, 1, 1, 0) } },
  'resolve.search': { op: 'Resolve', question: { kind: 'Search', class: 1, type: 15, name: 'example' } },
  'resolve.families': { op: 'Resolve', question: { kind: 'Families' } },
  'resolve.order': { op: 'Resolve', question: { kind: 'Order', addresses: ['192.0.2.7'] } },
  ready: { op: 'Ready', family: 6, more: 8, channel: 1000 },
  dial: { op: 'Dial', addr: v4, fd: 5 },
  nodelay: { op: 'NoDelay', id: 9, token: 0x0102030405060708n, on: true },
};

const replies: Record<string, Omit<Reply, 'id'>> = {
  hello: { op: 'Hello', status: 0, body: { kind: 'Hello', session: 7, message: bytes(''), addresses: own } },
  'hello.refused': {
    op: 'Hello',
    status: 13,
    body: { kind: 'Hello', session: 0, message: bytes('user bob may not join'), addresses: [] },
  },
  attach: {
    op: 'Attach',
    status: 0,
    body: { kind: 'Hello', session: 8, message: bytes(''), addresses: own.slice(0, 1) },
  },
  socket: { op: 'Socket', status: 0, body: { kind: 'Socket', id: 0x01020304 } },
  bind: { op: 'Bind', status: 0, body: { kind: 'Addr', addr: v4 } },
  'bind.failed': { op: 'Bind', status: 98, body: { kind: 'Failed' } },
  listen: { op: 'Listen', status: 0, body: { kind: 'Addr', addr: v6 } },
  connect: {
    op: 'Connect',
    status: 0,
    body: { kind: 'Connect', local: v4, peer: { ip: '10.77.0.1', port: 80, scope: 0 } },
  },
  map: { op: 'Map', status: 0, body: { kind: 'Map', id: 9, family: 6, state: 'Connected', local: v6, peer: mapped } },
  getsockname: { op: 'GetSockName', status: 0, body: { kind: 'Addr', addr: mapped } },
  getpeername: { op: 'GetPeerName', status: 0, body: { kind: 'Addr', addr: v6 } },
  getsockopt: { op: 'GetSockOpt', status: 0, body: { kind: 'Value', value: Uint8Array.of(0x6f, 0, 0, 0) } },
  setsockopt: { op: 'SetSockOpt', status: 0, body: { kind: 'Done' } },
  shutdown: { op: 'Shutdown', status: 0, body: { kind: 'Done' } },
  accepted: { op: 'Accepted', status: 0, body: { kind: 'Done' } },
  interface: {
    op: 'Interface',
    status: 0,
    body: {
      kind: 'Interface',
      name: 'netcon0',
      index: 2,
      flags: 0x11043,
      hardware: 1,
      mtu: 1500,
      queue: 1000,
      mac: Uint8Array.of(2, 0x6e, 0x63, 0, 0, 1),
      addresses: [
        { addr: v4, prefix: 24 },
        { addr: v6, prefix: 64 },
      ],
    },
  },
  resolve: { op: 'Resolve', status: 0, body: { kind: 'Part', more: true, bytes: Uint8Array.of(1, 2, 3) } },
  ready: { op: 'Ready', status: 0, body: { kind: 'Value', value: Uint8Array.of(0, 9, 0, 0, 1) } },
};

const golden = new Map(
  readFileSync(GOLDEN, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(' ') as [string, string]),
);

test('every golden frame is known here, and none is missing', () => {
  const known = [
    ...Object.keys(requests).map((name) => `request.${name}`),
    ...Object.keys(replies).map((name) => `reply.${name}`),
    // Names are the business of the service's Rust side and the library.
    'name.connected',
    'name.direct',
  ];
  assert.deepEqual([...golden.keys()], known);
});

for (const [index, [name, request]] of Object.entries(requests).entries()) {
  test(`request ${name} is coded as the golden frame`, () => {
    const frame = Buffer.from(golden.get(`request.${name}`) ?? '', 'hex');
    assert.equal(Buffer.from(encodeRequest(index + 1, request)).toString('hex'), frame.toString('hex'));
    assert.deepEqual(decodeRequest(frame), { id: index + 1, request });
  });
}

for (const [index, [name, reply]] of Object.entries(replies).entries()) {
  test(`reply ${name} is coded as the golden frame`, () => {
    const frame = Buffer.from(golden.get(`reply.${name}`) ?? '', 'hex');
    const whole = { id: index + 1, ...reply };
    assert.equal(Buffer.from(encodeReply(whole)).toString('hex'), frame.toString('hex'));
    assert.deepEqual(decodeReply(frame), whole);
  });
}
