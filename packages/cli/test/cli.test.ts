import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { launcher, Place, Running } from './run.js';

const place = new Place();
after(() => place.remove());

test('--version prints the version', () => {
  const { status, stdout } = place.run(['--version']);
  assert.equal(status, 0);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

for (const args of [['--help'], ['service', '--help'], ['intercept', '--help'], ['show', '--help']]) {
  test(`netcon ${args.join(' ')} shows examples`, () => {
    const { status, stdout } = place.run(args);
    assert.equal(status, 0);
    assert.match(stdout, /Examples:\n {2}netcon /);
  });
}

const failures: [args: string[], status: number, stderr: RegExp][] = [
  [['unknown'], 2, /^netcon: unknown command/],
  [['service', '--unknown'], 2, /^netcon: unknown option/],
  [['intercept'], 2, /missing required argument/],
  [['service', '--max-sockets', 'x'], 2, /positive number/],
  [['service', '--busy-poll', '-5'], 2, /number of microseconds/],
  [['service', '--address', '10.0.0.300/24'], 2, /10\.0\.0\.300\/24: not an IPv4 or IPv6 address .*ADDRESS_INVALID/],
  [['service', '--host-address', '10.0.0.1'], 2, /prefix length is missing/],
  [['service', '--tap', 'much-too-long-name'], 2, /NETCON_TAP_NAME/],
  [['service', '--fault', 'speed=1'], 2, /--fault speed=1/],
  [['service', '--congestion', 'vegas'], 2, /--congestion vegas: cubic, reno, bbr/],
  [['service', '--allow', 'user:no-such-user'], 2, /no such user/],
  [['service', '--no-tap', '--socket', '/proc/x/y.sock'], 1, /NETCON_SOCKET_BIND/],
  [['service', '--no-tap', '--', './missing'], 127, /missing: no such file/],
  [['intercept', './missing'], 127, /missing: no such file/],
  [['intercept', 'no-such-program'], 127, /not found in PATH/],
  [['intercept', '/etc/passwd'], 126, /not executable/],
  [['intercept', '--socket', 'none.sock', 'true'], 125, /none\.sock: no service there/],
  [['intercept', '--bypass', 'x', 'true'], 2, /--bypass x: neither/],
  [['intercept', 'true'], 125, /no service at .*netcon\.sock nor at \/run\/netcon\/netcon\.sock.*\n.*netcon service/],
  [['show', '--socket', 'none.sock'], 1, /none\.api\.sock: no service there/],
  [['show', 'nonsense'], 2, /sockets, sessions, status or stats/],
];

for (const [args, status, stderr] of failures) {
  test(`netcon ${args.join(' ')} ends with ${status}`, () => {
    const result = place.run(args);
    assert.match(result.stderr, stderr);
    assert.equal(result.status, status);
    assert.equal(result.stdout, '');
  });
}

test('the failures above have left nothing behind', () => assert.deepEqual(readdirSync(place.dir), []));

test('a service is announced, shown and stopped, and leaves nothing', async () => {
  const service = await place.service(['--name', 'shown']);
  assert.match(service.output, /no tap {4}as asked/);
  assert.match(service.output, /netcon intercept --socket \S+test\.sock curl http:\/\/10\.77\.0\.2\//);

  const status = place.run(['show', 'status', '--json', '--socket', place.socket]);
  assert.equal(JSON.parse(status.stdout).pid, service.child.pid);
  assert.equal(JSON.parse(status.stdout).name, 'shown');
  assert.match(place.run(['show', '--socket', place.socket]).stdout, /^Proto +State +Recv-Q +Send-Q +Local/);
  assert.match(place.run(['show', 'sessions', '--socket', place.socket]).stdout, /^Id +Pid/);

  const second = place.run(['service', '--no-tap', '--socket', place.socket]);
  assert.equal(second.status, 1);
  assert.match(second.stderr, new RegExp(`runs there already: pid ${service.child.pid},`));

  assert.deepEqual(await service.stop(), { code: 0, signal: null });
  assert.deepEqual(readdirSync(place.dir), []);
});

test('an interrupt stops a service too', async () => {
  const service = await place.service();
  assert.deepEqual(await service.stop('SIGINT'), { code: 0, signal: null });
  assert.deepEqual(readdirSync(place.dir), []);
});

test('what a killed service leaves does not stop the next', async () => {
  const first = await place.service();
  await first.stop('SIGKILL');
  const second = await place.service();
  await second.stop();
  assert.deepEqual(readdirSync(place.dir), []);
});

test('intercept becomes the app: same pid, environment, limits and signals', async () => {
  const service = await place.service();
  const script = 'echo $$; echo "$LD_PRELOAD|$NETCON_SOCKET"; env | grep -c NETCON_LAUNCH; ulimit -Sn; exit 7';
  // 200 is a limit that Node would have raised, and an ignored SIGHUP one that it would have reset.
  const shell = `ulimit -Sn 200; trap '' HUP; exec ${launcher} intercept --socket test.sock -- sh -c '${script}'`;
  const child = new Running(spawn('sh', ['-c', shell], { cwd: place.dir, env: place.env }));
  assert.deepEqual(await child.ended, { code: 7, signal: null });
  const [pid, preload, launch, limit] = child.output.split('\n');
  assert.equal(Number(pid), child.child.pid);
  assert.match(preload ?? '', /libnetcon\.so\|.*\/test\.sock$/);
  assert.equal(launch, '0', "the launcher's records are gone");
  assert.equal(limit, '200');
  await service.stop();
});

test('signals that were ignored stay ignored in the app, and no others', async () => {
  const service = await place.service();
  const command = `trap '' HUP; exec ${launcher} intercept --socket test.sock grep SigIgn /proc/self/status`;
  const child = new Running(spawn('sh', ['-c', command], { cwd: place.dir, env: place.env }));
  await child.ended;
  assert.match(child.output, /^SigIgn:\s+0000000000000001$/m);
  await service.stop();
});

test('intercept works by a link, and from another directory', async () => {
  const service = await place.service();
  const elsewhere = join(place.dir, 'elsewhere');
  mkdirSync(elsewhere);
  symlinkSync(launcher, join(elsewhere, 'nc'));
  const child = new Running(
    spawn('./nc', ['intercept', '--socket', '../test.sock', 'pwd'], { cwd: elsewhere, env: place.env }),
  );
  await child.ended;
  assert.equal(child.output, `${elsewhere}\n`);
  const pnpm = { ...place.env, npm_lifecycle_event: 'netcon', INIT_CWD: elsewhere };
  assert.equal(place.run(['intercept', '--socket', '../test.sock', 'pwd'], { env: pnpm }).stdout, `${elsewhere}\n`);
  await service.stop();
});

test('intercept show says what would be preloaded and which service would be used', async () => {
  const service = await place.service();
  const { stdout } = place.run(['intercept', '--socket', 'test.sock', '--json', 'show', 'cat']);
  const report = JSON.parse(stdout);
  assert.equal(report.mode, 'preload');
  assert.match(report.library, /libnetcon\.so$/);
  assert.equal(report.service.pid, service.child.pid);
  assert.deepEqual(report.service.addresses, ['10.77.0.2', 'fd77::2']);
  assert.match(report.app.file, /\/cat$/);
  await service.stop();
  const without = place.run(['intercept', '--socket', 'test.sock', 'show']);
  assert.equal(without.status, 0);
  assert.match(without.stdout, /^service +not usable: .*no service there$/m);
});

test('service with an app ends with its exit status, and leaves nothing', () => {
  const args = ['service', '--no-tap', '--socket', place.socket];
  const plain = place.run([...args, 'sh', '-c', 'echo out; exit 5']);
  assert.deepEqual([plain.status, plain.stdout], [5, 'out\n'], plain.stderr);
  assert.match(plain.stderr, /netcon service/, 'what the service says is not mixed into the output of the app');
  const dashed = place.run([...args, '--', 'sh', '-c', 'exit 0']);
  assert.equal(dashed.status, 0);
  const killed = place.run([...args, '--', 'sh', '-c', 'kill -TERM $$']);
  assert.equal(killed.signal, 'SIGTERM');
  rmLeft();
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} to a service with an app is for the app`, () => forApp(signal));
}

async function forApp(signal: NodeJS.Signals): Promise<void> {
  const name = signal.slice(3);
  const script = `trap "echo caught; exit 3" ${name}; echo ready; while :; do sleep 0.1; done`;
  const child = spawn(launcher, ['service', '--no-tap', '--socket', place.socket, '--', 'sh', '-c', script], {
    cwd: place.dir,
    env: place.env,
  });
  const running = new Running(child);
  await running.until(/ready/);
  assert.deepEqual(await running.stop(signal), { code: 3, signal: null });
  assert.match(running.output, /caught/);
  rmLeft();
}

test('a user that may not join is told the remedy', async (t) => {
  if (process.geteuid?.() !== 0) return t.skip('root is needed to become another user');
  const service = await place.service();
  chmodSync(place.dir, 0o755);
  const nobody = 65534;
  const result = place.run(['intercept', '--socket', place.socket, 'true'], { uid: nobody, gid: nobody });
  await service.stop();
  if (result.status === null) return t.skip('another user cannot reach this checkout');
  assert.match(result.stderr, /user nobody may not join.*--allow user:nobody/);
  assert.equal(result.status, 125);
});

function rmLeft(): void {
  const left = readdirSync(place.dir).filter((name) => name.startsWith('test'));
  assert.deepEqual(left, []);
}
