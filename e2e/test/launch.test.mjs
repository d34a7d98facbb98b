/** `netcon intercept` becomes the program: same process, exit status and limits, and no process more. What it costs. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { NETCON } from '../lib/paths.mjs';
import { isAlive, run, sleep, until, which } from '../lib/process.mjs';
import { Service } from '../lib/service.mjs';

let service;
before(async () => {
  service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });
});
after(() => service?.stop());

test('the process stays the same, and has no child', async () => {
  const app = service.start('/bin/sh', ['-c', 'echo "pid $$ parent $PPID"; exec sleep 60']);
  const [, pid, parent] = await app.says(/pid (\d+) parent (\d+)/);
  assert.equal(Number(pid), app.pid);
  assert.equal(Number(parent), process.pid);
  await until(async () => (await run('ps', ['-o', 'comm=', '-p', pid])).stdout.trim() === 'sleep');
  assert.equal((await run('pgrep', ['-P', pid])).stdout, '');
  assert.equal((await app.stop('SIGTERM')).signal, 'SIGTERM');
});

test('exit statuses, signals, arguments, environment and streams are the program’s', async () => {
  assert.equal((await service.run('/bin/sh', ['-c', 'exit 42'])).code, 42);
  assert.equal((await service.run('/bin/sh', ['-c', 'kill -KILL $$'])).signal, 'SIGKILL');
  const echo = await service.run('/usr/bin/printf', ['%s|', 'a b', '', '--json', '*', '-x']);
  assert.equal(echo.stdout, 'a b||--json|*|-x|');
  assert.equal((await service.run('cat', [], { input: 'through' })).stdout, 'through');
  assert.equal((await service.run('pwd', [], { cwd: '/usr' })).stdout, '/usr\n');
  const env = (await service.run('env', [], { env: { KEPT: 'yes' } })).stdout;
  assert.match(env, /^KEPT=yes$/m);
  assert.doesNotMatch(env, /NETCON_LAUNCH/);
});

test('limits, signal dispositions, mask and descriptors are as without netcon', async () => {
  const look =
    'ulimit -Sn; ulimit -Hn; grep -E "^Sig(Ign|Blk|Cgt)|^Threads" /proc/$$/status; ls /proc/$$/fd | head -3; umask';
  const plain = await run('/bin/bash', ['-c', `ulimit -Sn 777; trap "" HUP USR2; exec /bin/bash -c '${look}'`]);
  const [netcon, args] = service.command('/bin/bash', ['-c', look]);
  const line = [netcon, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const intercepted = await run('/bin/bash', ['-c', `ulimit -Sn 777; trap "" HUP USR2; exec ${line}`]);
  assert.equal(intercepted.stdout, plain.stdout);
});

test('a chain of scripts and interpreters is followed', async () => {
  const said = await service.must('/bin/sh', [
    '-c',
    `exec env FOO=1 bash -c '${python()} -c "import socket; s=socket.create_server((\\"127.0.0.1\\", 0)); c=socket.create_connection(s.getsockname()); print(c.getpeername()==s.getsockname())"'`,
  ]);
  assert.equal(said, 'True\n');
});

test('netcon service -- app: one command, the app’s exit status, and nothing left', async () => {
  const ns = new Namespace({ loopback: false });
  const status = await ns.run(NETCON, [
    'service',
    '--tap',
    'nc1',
    '--name',
    `e2e-${process.pid}`,
    '--',
    '/bin/sh',
    '-c',
    'ip -o addr show dev nc1 | wc -l; exit 7',
  ]);
  assert.equal(status.code, 7, status.stderr);
  assert.ok(Number(status.stdout) >= 2, status.stdout);
  assert.deepEqual(ns.interfaces(), ['lo']);
});

test('the cost at start', async (t) => {
  const median = async (command, args) => {
    const times = [];
    for (let i = 0; i < 7; i++) {
      const begin = process.hrtime.bigint();
      assert.equal((await run(command, args)).code, 0);
      times.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
    return times.sort((a, b) => a - b)[3];
  };
  const plain = await median(which('true'), []);
  const node = await median(process.execPath, ['-e', '0']);
  const intercepted = await median(...service.command(which('true'), []));
  t.diagnostic(
    `true: ${plain.toFixed(1)} ms; node alone: ${node.toFixed(1)} ms; netcon intercept true: ${intercepted.toFixed(1)} ms`,
  );
  // 150 ms on a quiet machine; the tests of this project keep both processors busy.
  assert.ok(intercepted - plain < 600, `${intercepted} ms`);
});

test('a program that never makes a socket leaves no session behind', async () => {
  await service.must('true', []);
  await until(async () => (await service.show('sessions')).length === 0);
});

test('show lists sockets as ss does', async () => {
  const app = service.start(python(), [
    '-u',
    '-c',
    `
import socket, time
s = socket.create_server(("127.0.0.1", 8080)); c = socket.create_connection(("127.0.0.1", 8080)); a, _ = s.accept()
print("up"); time.sleep(60)`,
  ]);
  await app.says(/up/);
  const rows = await until(async () => {
    const all = await service.show();
    return all.length >= 3 && all;
  });
  const listening = rows.find((row) => row.state === 'LISTEN');
  assert.equal(listening.local, '127.0.0.1:8080');
  assert.equal(listening.pid, app.pid);
  assert.equal(rows.filter((row) => row.state === 'ESTABLISHED').length, 2);
  const text = await service.ns.must(NETCON, ['show', '--socket', service.socket]);
  assert.match(text, /^tcp +LISTEN +0 +128 +127\.0\.0\.1:8080 +\* +\d+\/python3/m);
  await app.stop('SIGKILL');
  await until(async () => (await service.show('sessions')).length === 0);
  assert.equal(isAlive(app.pid), false);
  await sleep(0);
});
