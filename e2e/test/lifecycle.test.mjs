/** The service's end, as programs see it; programs without a service; and what stays of those that are gone. */
import assert from 'node:assert/strict';
import { chownSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { python, startNginx, webRoot } from '../lib/apps.mjs';
import { curlDown, MIB, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { NETCON } from '../lib/paths.mjs';
import { cpuMs, isAlive, sleep, until, which } from '../lib/process.mjs';
import { HOST4, Service, STACK4, scratch } from '../lib/service.mjs';
import { asUser, UID } from '../lib/unprivileged.mjs';

/** A program that holds a listener, a connection within netcon and one to the host, and says what becomes of them. */
const HOLDER = `
import socket, sys, select, time
l = socket.create_server(("0.0.0.0", 7000))
c = socket.create_connection(("127.0.0.1", 7000)); a, _ = l.accept()
print("up", flush=True)
sys.stdin.readline()
def outcome(f):
    try: return "value %r" % (f(),)
    except OSError as e: return "%s %s" % (type(e).__name__, e.errno)
for s in (c, a):
    s.settimeout(5); print("read", outcome(lambda: s.recv(10)), flush=True); print("write", outcome(lambda: s.send(b"x")), flush=True)
print("socket", outcome(lambda: socket.socket().fileno() > 0), flush=True)
print("connect", outcome(lambda: socket.create_connection(("127.0.0.1", 7000), 5)), flush=True)
print("bind", outcome(lambda: socket.create_server(("0.0.0.0", 7001))), flush=True)
l.settimeout(1); print("accept", outcome(l.accept), flush=True)
time.sleep(60)
`;

describe('the end of the service', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    test(`${signal} leaves nothing behind`, async () => {
      const ns = new Namespace();
      const service = await Service.start(ns);
      assert.ok(ns.interfaces().includes('nc0'));
      const nginx = await startNginx(service, webRoot([10_000]), 8000);
      await curlDown(ns, `http://${STACK4}:8000`, 10_000);
      const children = readFileSync(`/proc/${service.pid}/task/${service.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .filter(Boolean);
      assert.equal((await service.stop(signal)).code, 0);
      assert.deepEqual(ns.interfaces(), ['lo']);
      assert.deepEqual(readdirSync(service.dir), []);
      for (const child of children) assert.equal(isAlive(child), false);
      assert.ok(isAlive(nginx.pid), 'a program outlives the service');
      await nginx.stop();
    });
  }

  test('by default it uses the runtime directory, and removes what it made there', async () => {
    const ns = new Namespace();
    const dir = scratch();
    const env = { XDG_RUNTIME_DIR: dir };
    const name = `e2e-${process.pid}`;
    chownSync(dir, UID, UID);
    const service = ns.start('env', [...asUser(), NETCON, 'service', '--no-tap', '--name', name], { env });
    await service.says(/^ {2}try /m);
    assert.match(await ns.must(NETCON, ['show', 'status', '--name', name], { env }), new RegExp(name));
    await ns
      .must(NETCON, ['intercept', '--name', name, 'true'], { env: { ...env } })
      .catch((error) => assert.match(String(error), /UNTRUSTED/));
    assert.equal((await service.stop()).code, 0);
    assert.deepEqual(
      readdirSync(dir, { recursive: true }).filter((file) => file !== 'netcon'),
      [],
    );
  });

  test('killed with -9: programs get errors at once and do not spin', async () => {
    const ns = new Namespace();
    // Connections that the service stands between: direct ones live on (shortcut.test.mjs).
    const service = await Service.start(ns, { args: ['--tap', 'nc0', '--no-shortcut'] });
    const app = service.start(python(), ['-u', '-c', HOLDER], { stdio: ['pipe', 'pipe', 'pipe'] });
    await app.says(/up/);
    const nginx = await startNginx(service, webRoot([10_000]), 8000);
    service.process.kill('SIGKILL');
    await service.process.end();
    app.child.stdin.write('\n');
    await app.says(/accept .*/);
    const said = app.stdout.split('\n').slice(1);
    for (const line of said.filter((l) => l.startsWith('read')))
      assert.match(line, /ConnectionResetError 104|value b''/);
    for (const line of said.filter((l) => l.startsWith('write')))
      assert.match(line, /BrokenPipeError 32|ConnectionResetError 104/);
    for (const line of said.filter((l) => /^(socket|connect|bind)/.test(l))) assert.match(line, /OSError 100/, line);
    assert.match(
      said.find((l) => l.startsWith('accept')),
      /Timeout|BlockingIOError|timed out|None/i,
    );
    const processes = [app.pid, nginx.pid];
    const before = processes.map(cpuMs);
    await sleep(1500);
    const spent = processes.map((pid, i) => cpuMs(pid) - before[i]);
    assert.ok(
      spent.every((ms) => ms <= 30),
      `CPU in 1.5 s: ${spent} ms`,
    );
    // What a killed service leaves is no obstacle to the next one.
    const next = await Service.start(ns, { dir: service.dir });
    assert.equal((await next.run('true', [])).code, 0);
    await Promise.all([app.stop('SIGKILL'), nginx.stop('SIGKILL')]);
    await next.stop();
  });
});

describe('fail closed', () => {
  test('without a service, Internet sockets never reach the kernel', async () => {
    const ns = new Namespace();
    const kernel = await startHttpServer(ns, '127.0.0.1');
    const service = await Service.start(ns, { args: ['--no-tap'] });
    const url = kernel.url('127.0.0.1');
    const curl = (intercept) =>
      service.run(
        which('curl'),
        ['-sS', '--noproxy', '*', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', `${url}/bytes/10`],
        { intercept },
      );
    // 127.0.0.1 is inside netcon: the kernel's server is not there.
    assert.equal((await curl()).code, 7, 'connection refused');
    assert.equal((await curl(['--bypass', '127.0.0.0/8'])).stdout, '200');
    assert.equal((await curl(['--bypass', 'all'])).stdout, '200');
    assert.equal((await curl(['--bypass', '10.0.0.0/8'])).code, 7);
    const waiting = service.start('/bin/bash', [
      '-c',
      `echo begun; until [ -e ${service.dir}/dead ]; do sleep 0.05; done; ${which('curl')} -sS --noproxy "*" -m 5 ${url}/bytes/10; echo "rc $?"`,
    ]);
    await waiting.says(/begun/);
    await service.stop('SIGKILL');
    writeFileSync(`${service.dir}/dead`, '');
    const late = await waiting.end();
    assert.match(late.stdout, /rc [1-9]/);
    const other = await Service.start(ns, { args: ['--no-tap'] });
    const kinds = await other.must(python(), [
      '-c',
      `
import socket
for f in (socket.AF_INET, socket.AF_INET6):
    for k in (socket.SOCK_RAW, socket.SOCK_RDM, socket.SOCK_SEQPACKET):
        try: socket.socket(f, k); print("got one")
        except OSError as e: print(e.errno)
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); socket.socket(socket.AF_NETLINK, socket.SOCK_RAW); print("others work")`,
    ]);
    // EPROTONOSUPPORT, ESOCKTNOSUPPORT
    assert.match(kinds, /^(9[34]\n){6}others work\n$/);
    await other.stop();
    await kernel.server.stop();
  });
});

test('sessions, sockets and descriptors do not pile up', async () => {
  const ns = new Namespace();
  const service = await Service.start(ns);
  const http = await startHttpServer(ns, HOST4);
  const count = () => readdirSync(`/proc/${service.pid}/fd`).length;
  const churn = () => Promise.all(Array.from({ length: 10 }, () => curlDown(service, http.url(HOST4), MIB)));
  await churn();
  await until(async () => (await service.show('sessions')).length === 0);
  const before = count();
  for (let i = 0; i < 3; i++) await churn();
  await until(async () => (await service.show('sessions')).length === 0);
  await until(
    () => count() <= before,
    5000,
    () => `descriptors: ${before}, then ${count()}`,
  );
  await http.server.stop();
  await service.stop();
});
