import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFault } from '../src/fault.js';
import { configure } from '../src/options.js';
import { findSocket, type Surroundings, servicePaths, socketCandidates, surroundings } from '../src/paths.js';
import { createPolicy, type Lookup } from '../src/policy.js';

const user: Surroundings = {
  env: { XDG_RUNTIME_DIR: '/run/user/1000' },
  cwd: '/home/ann',
  uid: 1000,
  exists: () => false,
  systemDir: undefined,
};
const root: Surroundings = { ...user, uid: 0, systemDir: '/run/netcon' };

const sockets: [given: { socket?: string; name?: string }, at: Surroundings, want: string, why: string][] = [
  [{}, user, '/run/user/1000/netcon/netcon.sock', "a user's own directory"],
  [{}, root, '/run/netcon/netcon.sock', "root's is the system's"],
  [{}, { ...root, systemDir: undefined }, '/run/user/1000/netcon/netcon.sock', 'root of a user namespace'],
  [{ name: 'two' }, user, '/run/user/1000/netcon/two.sock', 'a name'],
  [{ socket: 'x.sock' }, user, '/home/ann/x.sock', 'a path, relative to the caller'],
  [{}, { ...user, env: { NETCON_SOCKET: '/e.sock' } }, '/e.sock', 'the environment'],
  [{ name: 'two' }, { ...root, env: { NETCON_SOCKET: '/e.sock' } }, '/run/netcon/two.sock', 'a name beats it'],
];

for (const [given, at, want, why] of sockets) {
  test(`the service's socket is ${want}: ${why}`, () => assert.equal(servicePaths(given, at).socket, want));
}

test('the other files stand beside the socket', () => {
  assert.deepEqual(servicePaths({ name: 'a' }, user), {
    dir: '/run/user/1000/netcon',
    ownDir: true,
    socket: '/run/user/1000/netcon/a.sock',
    api: '/run/user/1000/netcon/a.api.sock',
    names: '/run/user/1000/netcon/a.d',
    lock: '/run/user/1000/netcon/a.lock',
  });
});

test("root without the right to /run/netcon (a user namespace's) has no system directory", () => {
  assert.equal(surroundings('/', undefined).systemDir, undefined);
});

test('without XDG_RUNTIME_DIR a user is asked for a path', () => {
  assert.throws(() => servicePaths({}, { ...user, env: {} }), { code: 'NETCON_SOCKET_NO_DIR' });
});

for (const name of ['', '.x', 'a/b', 'x'.repeat(33), 'a b']) {
  test(`"${name}" is no name`, () => {
    assert.throws(() => servicePaths({ name }, user), { code: 'NETCON_OPTION_BAD' });
  });
}

test('a path that no unix socket can have is refused', () => {
  const socket = `/${'x'.repeat(100)}.sock`;
  assert.throws(() => servicePaths({ socket }, user), { code: 'NETCON_SOCKET_TOO_LONG' });
});

test('a client looks in the places of the service, in order', () => {
  const places = ['/run/user/1000/netcon/netcon.sock', '/run/netcon/netcon.sock'];
  assert.deepEqual(socketCandidates({}, user), places);
  assert.deepEqual(socketCandidates({}, { ...user, env: { NETCON_SOCKET: 'e.sock' } }), ['/home/ann/e.sock']);
  assert.equal(findSocket({}, { ...user, exists: (path) => path === places[1] }).path, places[1]);
  assert.equal(findSocket({}, user).path, places[0]);
});

const entries = new Map([
  ['passwd:www', 'www:x:33:33:www:/:/bin/sh'],
  ['passwd:1000', 'ann:x:1000:1000::/:/bin/sh'],
  ['group:staff', 'staff:x:50:ann'],
]);
const lookup: Lookup = (database, key) => entries.get(`${database}:${key}`);

const joins: [allow: string[], who: [uid: number, gid: number, ...groups: number[]], want: boolean, why: string][] = [
  [[], [1000, 1000], true, 'the own user'],
  [[], [0, 0], true, 'root'],
  [[], [33, 33], false, 'another'],
  [['user:www'], [33, 33], true, 'named'],
  [['user:33'], [33, 33], true, 'by number'],
  [['user:www'], [34, 33], false, 'the group is not the user'],
  [['group:staff'], [34, 50], true, 'first group'],
  [['group:staff'], [34, 34, 50], true, 'further group'],
  [['group:50'], [34, 34, 51], false, 'another group'],
  [['all'], [65534, 65534], true, 'all'],
];

for (const [allow, [uid, gid, ...groups], want, why] of joins) {
  test(`--allow ${allow.join(' ') || '(none)'} ${want ? 'admits' : 'refuses'} ${uid}:${gid}: ${why}`, () => {
    assert.equal(createPolicy(allow, 1000, lookup).admits({ uid, gid, groups }), want);
  });
}

for (const entry of ['www', 'user:', 'user:nobodyatall', 'group:nobodyatall', 'everyone', 'all:x']) {
  test(`--allow ${entry} is refused`, () => {
    assert.throws(() => createPolicy([entry], 1000, lookup), { code: 'NETCON_POLICY_UNKNOWN' });
  });
}

test('a policy says who may join, and whether others than the own user may', () => {
  assert.deepEqual(createPolicy([], 1000, lookup).allow, ['user:ann']);
  assert.equal(createPolicy([], 1000, lookup).open, false);
  assert.equal(createPolicy(['user:ann', 'user:1000'], 1000, (_, key) => lookup('passwd', '1000') ?? key).open, false);
  assert.equal(createPolicy(['group:staff'], 1000, lookup).open, true);
});

test('getent is asked where no lookup is given', () => {
  assert.equal(createPolicy(['user:root'], 4242).admits({ uid: 0, gid: 0, groups: [] }), true);
  assert.throws(() => createPolicy(['user:no-such-user-here'], 0), { code: 'NETCON_POLICY_UNKNOWN' });
});

test('faults are read with their units', () => {
  const text = 'loss=1%,delay=20ms,jitter=5,reorder=0.5,duplicate=0.1%,seed=7';
  const want = { loss: 0.01, delayMs: 20, jitterMs: 5, reorder: 0.5, duplicate: 0.001, seed: 7 };
  assert.deepEqual(parseFault(text), want);
  assert.notEqual(parseFault('loss=1%').seed, parseFault('loss=1%').seed);
});

for (const text of ['', 'loss', 'loss=', 'loss=101%', 'loss=1ms', 'delay=1%', 'delay=1.5ms', 'speed=1', 'seed=-1']) {
  test(`--fault "${text}" is refused`, () => assert.throws(() => parseFault(text), { code: 'NETCON_OPTION_BAD' }));
}

for (const tap of ['', 'x'.repeat(16), 'a b', 'a/b', '.', '..', 'tap%d']) {
  test(`--tap "${tap}" is refused`, () => {
    assert.throws(() => configure({ tap }, user, lookup), { code: 'NETCON_TAP_NAME' });
  });
}

test('resolvers are addresses with a port or without, asked over the stack', () => {
  const resolvers = ['10.77.0.1', '10.77.0.1:5353', 'fd77::1', '[fd77::1]', '[FD77::1]:5353', '127.0.0.1'];
  const said = configure({ resolvers }, user, lookup).resolvers || [];
  const shown = said.map(({ ip, port, via }) => `${ip} ${port} ${via}`);
  const v6 = ['fd77::1 53 stack', 'fd77::1 53 stack', 'fd77::1 5353 stack'];
  assert.deepEqual(shown, ['10.77.0.1 53 stack', '10.77.0.1 5353 stack', ...v6, '127.0.0.1 53 stack']);
  assert.equal(configure({ resolvers: false }, user, lookup).resolvers, false);
  for (const bad of ['', 'dns.test', '10.77.0.1:', '10.77.0.1:0', '10.77.0.1:65536', '[fd77::1', 'fd77::1%eth0']) {
    assert.throws(() => configure({ resolvers: [bad] }, user, lookup), { code: 'NETCON_RESOLVER_BAD' }, bad);
  }
});

test('limits are positive numbers', () => {
  for (const maxSessions of [0, -1, 1.5, Number.NaN, 2e6]) {
    assert.throws(() => configure({ maxSessions }, user, lookup), { code: 'NETCON_OPTION_BAD' });
  }
  assert.ok(configure({}, user, lookup).maxSockets >= 64);
});

test('busy polling takes microseconds, and none at all', () => {
  for (const busyPoll of [-1, 1.5, Number.NaN, 2e6]) {
    assert.throws(() => configure({ busyPoll }, user, lookup), { code: 'NETCON_OPTION_BAD' });
  }
  assert.equal(configure({ busyPoll: 0 }, user, lookup).busyPoll, 0);
});
