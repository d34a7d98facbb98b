import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NetconError } from '../src/errors.js';
import { type ServiceOptions, startService } from '../src/index.js';
import { decodeReply } from '../src/rpc.js';
import { fakeNative } from './fake-engine.js';

const dir = mkdtempSync(join(tmpdir(), 'netcon-service-'));
after(() => rmSync(dir, { recursive: true }));
let count = 0;

test('a service makes its files with the right modes, and leaves none', async () => {
  const { service, at } = await start({});
  const { paths } = service.config;
  const mode = (path: string) => statSync(path).mode & 0o777;
  assert.equal(mode(paths.names), 0o700);
  assert.equal(mode(paths.lock), 0o600);
  assert.equal(mode(paths.dir), process.geteuid?.() === 0 ? 0o755 : 0o700);
  assert.equal(readFileSync(paths.lock, 'utf8'), `${process.pid}\n`);
  await service.stop();
  assert.deepEqual(readdirSync(at.env.XDG_RUNTIME_DIR ?? ''), []);
});

test('the socket is open to others only where others may join', async () => {
  const { service, native } = await start({ allow: ['all'] });
  assert.equal(statSync(service.config.paths.socket).mode & 0o777, 0o666);
  await service.stop();
  assert.equal(native.engines[0]?.stops, 1);
});

test('stop may be called twice', async () => {
  const { service, native } = await start({});
  await Promise.all([service.stop(), service.stop()]);
  assert.equal(native.engines[0]?.stops, 1);
});

test('a second service of the same name is refused with the pid of the first', async () => {
  const { service, native, at } = await start({});
  const second = startService({ name: service.config.name }, { at, log() {}, native });
  await assert.rejects(second, { code: 'NETCON_ALREADY_RUNNING', message: new RegExp(`pid ${process.pid}`) });
  assert.ok(existsSync(service.config.paths.socket), 'the first is not touched');
  await service.stop();
});

test('what a killed service left is taken over', async () => {
  const { at } = surroundings();
  const left = join(at.env.XDG_RUNTIME_DIR ?? '', 'netcon');
  mkdirSync(left);
  writeFileSync(join(left, 'netcon.lock'), '1\n');
  for (const name of ['netcon.sock', 'netcon.api.sock']) await deadSocket(join(left, name));
  const service = await startService({}, { at, log() {}, native: fakeNative() });
  assert.equal(readFileSync(service.config.paths.lock, 'utf8'), `${process.pid}\n`);
  await service.stop();
  assert.deepEqual(readdirSync(left), []);
});

test('a file that is not a socket is left alone', async () => {
  const { at } = surroundings();
  const socket = join(at.env.XDG_RUNTIME_DIR ?? '', 'precious');
  writeFileSync(socket, 'data');
  const started = startService({ socket }, { at, log() {}, native: fakeNative() });
  await assert.rejects(started, { code: 'NETCON_SOCKET_IN_USE', message: /not a socket/ });
  assert.equal(readFileSync(socket, 'utf8'), 'data');
  assert.deepEqual(readdirSync(at.env.XDG_RUNTIME_DIR ?? ''), ['precious']);
});

test("another program's socket is left alone", async () => {
  const { at } = surroundings();
  const socket = join(at.env.XDG_RUNTIME_DIR ?? '', 'live.sock');
  await deadSocket(socket);
  const started = startService({ socket }, { at, log() {}, native: fakeNative() });
  await assert.rejects(started, { code: 'NETCON_SOCKET_IN_USE', message: /listens there/ });
  assert.deepEqual(readdirSync(at.env.XDG_RUNTIME_DIR ?? ''), ['live.sock']);
});

for (const code of ['NETCON_TAP_DENIED', 'NETCON_TAP_NO_DEVICE'] as const) {
  test(`${code}: the service says so and serves without a tap`, async () => {
    const { service, native } = await start({}, new NetconError(code, 'no tap'));
    assert.equal(service.tap, null);
    assert.equal(service.tapProblem?.code, code);
    assert.deepEqual(
      native.options.map((options) => options.tap?.name),
      ['netcon0', undefined],
    );
    await service.stop();
  });
}

test('a tap of that name taken is an error, and nothing is left behind', async () => {
  const { started, at } = attempt({}, new NetconError('NETCON_TAP_BUSY', 'taken'));
  await assert.rejects(started, { code: 'NETCON_TAP_BUSY' });
  assert.deepEqual(readdirSync(at.env.XDG_RUNTIME_DIR ?? ''), []);
});

test('--no-tap opens none', async () => {
  const { service, native } = await start({ tap: false });
  assert.equal(native.options[0]?.tap, undefined);
  assert.equal(service.tapProblem, undefined);
  await service.stop();
});

test('options reach the engine', async () => {
  const { service, native } = await start({
    tap: 'tap9',
    addresses: ['10.9.0.2/24', 'fd09::2/64'],
    gateways: ['10.9.0.1', 'fd09::1'],
    offload: false,
    capture: '/tmp/x.pcap',
    fault: 'loss=2%,seed=5',
    maxSockets: 99,
    congestion: 'bbr',
    shortcut: false,
    busyPoll: 20,
  });
  const { socketPath, namesDir, ...rest } = native.options[0] ?? { socketPath: '', namesDir: '' };
  assert.equal(namesDir, socketPath.replace(/\.sock$/, '.d'));
  assert.deepEqual(rest, {
    addresses: ['10.9.0.2/24', 'fd09::2/64'],
    gateway4: '10.9.0.1',
    gateway6: 'fd09::1',
    tap: { name: 'tap9', hostAddresses: ['10.9.0.1/24', 'fd09::1/64'], offload: false },
    capture: '/tmp/x.pcap',
    fault: { seed: 5, loss: 0.02, delayMs: 0, jitterMs: 0, reorder: 0, duplicate: 0 },
    maxSockets: 99,
    congestion: 'bbr',
    shortcut: false,
    busyPollMicros: 20,
  });
  await service.stop();
});

test('an admitted program gets its session and the addresses', async () => {
  const { service, native } = await start({});
  const verdict = await native.engines[0]?.hello({ session: 12 });
  assert.equal(verdict?.admitted, true);
  const { status, body } = decodeReply(verdict?.reply ?? new Uint8Array());
  assert.equal(status, 0);
  assert.ok(body.kind === 'Hello');
  assert.deepEqual([body.session, ...body.addresses.map((a) => a.ip)], [12, '10.77.0.2', 'fd77::2']);
  await service.stop();
});

const refusals: [uid: number, frame: Uint8Array | undefined, errno: number, message: RegExp, why: string][] = [
  [4242, undefined, 13, /netcon service --allow user:4242/, 'another user, with the remedy'],
  [0, new Uint8Array(3), 71, /not a HELLO/, 'not a frame'],
  [0, versionTwo(), 71, /speaks protocol 1, the program's library 2/, 'another version'],
];

for (const [uid, frame, errno, message, why] of refusals) {
  test(`a program is refused with errno ${errno}: ${why}`, async () => {
    const { service, native, logged } = await start({});
    const verdict = await native.engines[0]?.hello({ uid, gid: uid, ...(frame && { frame }) });
    assert.equal(verdict?.admitted, false);
    const { status, body } = decodeReply(verdict?.reply ?? new Uint8Array());
    assert.equal(status, errno);
    assert.ok(body.kind === 'Hello');
    assert.match(new TextDecoder().decode(body.message), message);
    assert.match(logged.join(), message);
    await service.stop();
  });
}

test('no more programs join than the limit allows', async () => {
  const { service, native } = await start({ maxSessions: 2 });
  const [engine] = native.engines;
  assert.ok(engine);
  engine.sessionCount = 2;
  assert.equal((await engine.hello({}))?.admitted, false);
  engine.sessionCount = 1;
  assert.equal((await engine.hello({}))?.admitted, true);
  await service.stop();
});

test('the failure of the engine is told', async () => {
  const { service, native } = await start({});
  native.engines[0]?.emit({ kind: 'fatal', message: 'panicked' });
  const failure = await service.failed;
  assert.deepEqual([failure.code, failure.message], ['NETCON_ENGINE_FAILED', 'panicked']);
  await service.stop();
});

test('a directory that cannot be written is named', async () => {
  const { at } = surroundings();
  const native = fakeNative();
  const started = startService({ socket: '/proc/netcon/x.sock' }, { at, log() {}, native });
  await assert.rejects(started, { code: 'NETCON_SOCKET_BIND', message: /\/proc\/netcon/ });
});

async function start(options: ServiceOptions, ...failures: NetconError[]) {
  const { started, ...rest } = attempt(options, ...failures);
  return { service: await started, ...rest };
}

function attempt(options: ServiceOptions, ...failures: NetconError[]) {
  const { at } = surroundings();
  const native = fakeNative(...failures);
  const logged: string[] = [];
  const log = (_level: string, message: string) => logged.push(message);
  return { started: startService(options, { at, log, native }), native, logged, at };
}

/** A socket file that nobody listens at, as a killed process leaves it. */
async function deadSocket(path: string): Promise<void> {
  const aside = `${path}.aside`;
  const server = createServer().listen(path);
  await once(server, 'listening');
  // Node removes the file when it closes the server: it is put back.
  linkSync(path, aside);
  server.close();
  await once(server, 'close');
  renameSync(aside, path);
}

/** A runtime directory of its own for each test. */
function surroundings() {
  const runtime = mkdtempSync(join(dir, `${count++}-`));
  const env: Record<string, string | undefined> = { XDG_RUNTIME_DIR: runtime };
  return { at: { env, cwd: dir, uid: process.geteuid?.() ?? 0, exists: existsSync, systemDir: undefined } };
}

function versionTwo(): Uint8Array {
  return Uint8Array.of(0x4e, 0x43, 2, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);
}
