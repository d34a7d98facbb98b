/**
 * Every socket option of TCP sockets, natively and in netcon: docs/options.md is the table that this test measures.
 * `UPDATE_OPTIONS=1 node --test test/options.test.mjs` writes it anew.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { optionsPage, parseOptions } from '../lib/options.mjs';
import { BIN, E2E } from '../lib/paths.mjs';
import { until } from '../lib/process.mjs';
import { Service } from '../lib/service.mjs';

const PAGE = `${E2E}../docs/options.md`;
const LIMITS = readFileSync(`${E2E}../docs/limits.md`, 'utf8');
/** Options that differ, and the words of docs/limits.md that say why. */
const KNOWN = JSON.parse(readFileSync(`${E2E}differential/known-options.json`, 'utf8'));

describe('socket options', () => {
  const measured = {};
  before(async () => {
    const native = new Namespace();
    const service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });
    for (const family of ['4', '6']) {
      measured[family] = {
        native: parseOptions(await native.must(`${BIN}options-table`, [family])),
        netcon: parseOptions(await service.must(`${BIN}options-table`, [family])),
      };
    }
    after(() => service.stop());
  });

  test('are as with kernel TCP, but for those that docs/limits.md explains', () => {
    const differing = new Set();
    for (const { native, netcon } of Object.values(measured)) {
      assert.deepEqual([...netcon.keys()], [...native.keys()]);
      for (const [name, line] of native) {
        if (netcon.get(name) === line) continue;
        differing.add(name);
        assert.ok(KNOWN[name], `${name}\n  native: ${line}\n  netcon: ${netcon.get(name)}`);
      }
    }
    assert.deepEqual([...differing].sort(), Object.keys(KNOWN).sort(), 'each known difference is still one');
    for (const words of Object.values(KNOWN))
      assert.ok(LIMITS.includes(words), `docs/limits.md does not say: ${words}`);
  });

  test('stand in docs/options.md as they were measured', () => {
    const page = optionsPage(measured, KNOWN);
    if (process.env.UPDATE_OPTIONS) writeFileSync(PAGE, page);
    assert.equal(readFileSync(PAGE, 'utf8'), page, 'run: UPDATE_OPTIONS=1 node --test test/options.test.mjs');
  });
});

/** Sets what cannot be refused while the service is stopped, often afterwards, and looks at what came of it. */
const UNWAITED = `
import socket, struct, sys
s = socket.socket()
print('ready')
sys.stdin.readline()
def set_all(on):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, on)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, on)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, on)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', on, 0))
for on in [1, 0, 1]:
    set_all(on)
print('set')
sys.stdin.readline()
for i in range(301):
    set_all(i % 2)
print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
set_all(1)
print(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
s.bind(('127.0.0.1', 0))
s.listen()
c = socket.create_connection(s.getsockname())
a, _ = s.accept()
print(*[x.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for x in (a, c)])
try:
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, b'1')
except OSError as e:
    print(e.strerror)
`;

// A socket whose option was set and that is closed before the service has looked.
const CLOSED_EARLY = `
import select, socket, sys
l = socket.create_server(('127.0.0.1', 0))
c = socket.create_connection(l.getsockname())
a, _ = l.accept()
events = select.epoll()
events.register(a, select.EPOLLIN)
print('ready')
sys.stdin.readline()
a.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
a.close()
print('closed')
c.settimeout(10)
print(c.recv(1))
try:
    c.send(b'x')
except OSError:
    pass
print(events.poll(0.2))
`;

/** What the kernel sleeps on for the process. */
const sleepsIn = (pid) => readFileSync(`/proc/${pid}/wchan`, 'utf8');

describe('socket options that cannot be refused', () => {
  test('leave no description behind that the program has closed', async () => {
    const service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });
    const program = service.start(python(), ['-u', '-c', CLOSED_EARLY], { stdio: ['pipe', 'pipe', 'pipe'] });
    await program.says(/ready/);
    process.kill(service.pid, 'SIGSTOP');
    try {
      program.child.stdin.end('go\n');
      // close(2) waits for the service: in its epoll set the socket would live on in the record.
      await until(
        () => program.stdout.includes('closed') || /skb|unix/.test(sleepsIn(program.pid)),
        10_000,
        () => `neither closed nor waiting: ${sleepsIn(program.pid)}`,
      );
      assert.equal(program.stdout, 'ready\n');
    } finally {
      process.kill(service.pid, 'SIGCONT');
    }
    const status = await program.end();
    assert.equal(status.stdout, "ready\nclosed\nb''\n[]\n", status.stderr);
    await service.stop();
  });

  test('do not wait for the service, and are served in order', async () => {
    const service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });
    const program = service.start(python(), ['-u', '-c', UNWAITED], { stdio: ['pipe', 'pipe', 'pipe'] });
    await program.says(/ready/);
    process.kill(service.pid, 'SIGSTOP');
    try {
      program.child.stdin.write('go\n');
      await program.says(/set/);
    } finally {
      process.kill(service.pid, 'SIGCONT');
    }
    program.child.stdin.end('go\n');
    const status = await program.end();
    assert.equal(status.code, 0, status.stderr);
    // The listener's last value, inherited; the client's own is the default.
    assert.equal(status.stdout, 'ready\nset\n0\n1\n1 0\nInvalid argument\n');
    await service.stop();
  });
});
