/** Two programs of one service over 127.0.0.1 hold one unix connection: what passes through it, when it is not made, how it ends. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { Service, STACK4, STACK6 } from '../lib/service.mjs';

let ns;
before(() => {
  ns = new Namespace();
});

const PRELUDE = `
import hashlib, os, socket, struct, sys, threading, time
def pair(host='127.0.0.1', port=0, backlog=16):
    family = socket.AF_INET6 if ':' in host else socket.AF_INET
    l = socket.socket(family); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind((host, port)); l.listen(backlog)
    c = socket.create_connection(l.getsockname()[:2]); a, peer = l.accept()
    assert peer == c.getsockname() and a.getsockname() == c.getpeername() == l.getsockname(), (peer, c.getsockname())
    l.close(); return c, a
def digest(s):
    h = hashlib.sha256()
    while data := s.recv(1 << 16): h.update(data)
    return h.hexdigest()
def failing(f, *args):
    try: return f(*args)
    except OSError as e: return type(e).__name__
`;
const run = (service, code, options) => service.must(python(), ['-u', '-c', PRELUDE + code], options);

/** Starts a program that says "ready" and goes on after a line. */
async function paused(service, code) {
  const program = service.start(python(), ['-u', '-c', PRELUDE + code], { stdio: ['pipe', 'pipe', 'pipe'] });
  await program.says(/ready/);
  return program;
}
const PAUSE = `print('ready', flush=True); sys.stdin.readline()\n`;

describe('with the shortcut', () => {
  let service;
  before(async () => {
    service = await Service.start(ns);
  });
  after(() => service.stop());

  for (const host of ['127.0.0.1', '::1', STACK4, STACK6]) {
    test(`megabytes pass both ways over ${host}, and a half-close ends each`, async () => {
      const said = await run(
        service,
        `
c, a = pair('${host}')
blobs = [os.urandom(8 << 20), os.urandom(8 << 20)]; seen = [None, None]
def send(s, data): s.sendall(data); s.shutdown(socket.SHUT_WR)
def read(n, s): seen[n] = digest(s)
jobs = [threading.Thread(target=send, args=x) for x in ((c, blobs[0]), (a, blobs[1]))] + [threading.Thread(target=read, args=x) for x in ((0, a), (1, c))]
[j.start() for j in jobs]; [j.join() for j in jobs]
print([hashlib.sha256(b).hexdigest() for b in blobs] == seen, failing(c.getpeername), failing(a.shutdown, socket.SHUT_WR))
`,
      );
      assert.equal(said, 'True OSError OSError\n');
    });
  }

  test('show says so, for both ends, and nothing of it when they are closed', async () => {
    const program = await paused(
      service,
      `c, a = pair(port=7100)\n${PAUSE}c.close(); a.close()\nl = socket.create_server(('127.0.0.1', 7100))\n${PAUSE}`,
    );
    const rows = (await service.show()).filter(({ state }) => state === 'ESTABLISHED');
    assert.deepEqual(
      rows.map(({ shortcut }) => shortcut),
      [true, true],
    );
    assert.equal(rows[0].local, rows[1].peer);
    assert.equal(rows[0].peer, rows[1].local);
    program.child.stdin.write('\n');
    await program.says(/ready[\s\S]*ready/);
    assert.deepEqual(
      (await service.show()).map(({ state }) => state),
      ['LISTEN'],
    );
    program.child.stdin.end('\n');
    assert.equal((await program.end()).code, 0);
  });

  test('a close with unread data is a reset; one with SO_LINGER 0 as well; any other an end of file', async () => {
    const said = await run(
      service,
      `
linger = struct.pack('ii', 1, 0)
for way in 'plain', 'unread', 'linger':
    for swap in False, True:
        c, a = pair()
        if swap: c, a = a, c
        if way == 'unread': a.send(b'never read')
        if way == 'linger': c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        c.close()
        print(way, failing(a.recv, 4), failing(a.send, b'x'), failing(a.send, b'x'))
`,
    );
    const reset = 'ConnectionResetError BrokenPipeError BrokenPipeError';
    const expected = { plain: "b'' 1 BrokenPipeError", unread: reset, linger: reset };
    const lines = Object.entries(expected).flatMap(([way, text]) => [`${way} ${text}`, `${way} ${text}`]);
    assert.equal(said, `${lines.join('\n')}\n`);
  });

  test('a non-blocking connect is in progress, writable at once, noticed once', async () => {
    const said = await run(
      service,
      `
import errno, select
l = socket.create_server(('127.0.0.1', 0)); c = socket.socket(); c.setblocking(False)
ep = select.epoll(); ep.register(c, select.EPOLLOUT | select.EPOLLET); ep.poll(0)
print([errno.errorcode.get(c.connect_ex(l.getsockname())) for _ in range(1)], [e & select.EPOLLOUT for _, e in ep.poll(5)])
print([errno.errorcode.get(c.connect_ex(l.getsockname()), 0) for _ in range(2)], c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
`,
    );
    assert.equal(said, "['EINPROGRESS'] [4]\n[0, 'EISCONN'] 0\n");
  });

  test('a full queue is left to the stack: connections beyond it wait, and none is lost', async () => {
    const said = await run(
      service,
      `
l = socket.socket(); l.bind(('127.0.0.1', 0)); l.listen(2)
def dial(n):
    c = socket.create_connection(l.getsockname(), 20); c.sendall(bytes([n])); return c.recv(1)
got = []
jobs = [threading.Thread(target=lambda n=n: got.append(dial(n))) for n in range(8)]
[j.start() for j in jobs]; time.sleep(0.2)
for _ in jobs:
    a, _ = l.accept(); a.sendall(a.recv(1)); a.close()
[j.join() for j in jobs]; print(sorted(got) == [bytes([n]) for n in range(8)])
`,
      { ms: 40_000 },
    );
    assert.equal(said, 'True\n');
  });

  test('thousands one after the other stay bounded', async () => {
    const { shortcuts } = (await service.show('status')).counters;
    const began = Date.now();
    await run(
      service,
      `
l = socket.create_server(('127.0.0.1', 0), backlog=64); at = l.getsockname()
for i in range(40000):
    c = socket.create_connection(at); a, _ = l.accept(); c.close(); a.close()
`,
      { ms: 60_000 },
    );
    const { counters, sockets } = await service.show('status');
    assert.ok(counters.shortcuts - shortcuts > 39_000, `${counters.shortcuts - shortcuts}`);
    assert.ok(sockets < 10, `${sockets}`);
    assert.ok(Date.now() - began < 50_000);
  });
});

test('without it, connections pass through the stack', async () => {
  const service = await Service.start(ns, { args: ['--tap', 'nc0', '--no-shortcut'] });
  const program = await paused(service, `c, a = pair()\n${PAUSE}`);
  const rows = (await service.show()).filter(({ state }) => state === 'ESTABLISHED');
  assert.deepEqual(
    rows.map(({ shortcut }) => shortcut),
    [false, false],
  );
  assert.ok((await service.show('status')).counters.loop_frames > 0);
  program.child.stdin.end('\n');
  await program.end();
  await service.stop();
});

test('a connection lives on when the service is killed, and when the next one has come', async () => {
  const first = await Service.start(ns);
  const program = await paused(
    first,
    `
c, a = pair()
def works():
    for s, t in ((c, a), (a, c)):
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1); s.sendall(b'on' * 1000); assert t.recv(2000, socket.MSG_WAITALL) == b'on' * 1000
    return c.getpeername() == a.getsockname() and a.getpeername() == c.getsockname()
${PAUSE}print(works(), flush=True)\n${PAUSE}print(works(), c.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), flush=True)
c.shutdown(socket.SHUT_WR); print(a.recv(1)); a.close(); print(c.recv(1))
`,
  );
  await first.stop('SIGKILL');
  program.child.stdin.write('\n');
  await program.says(/True\nready/);
  const second = await Service.start(ns, { dir: first.dir });
  program.child.stdin.end('\n');
  const { code, stdout, stderr } = await program.end();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /True\nready\nTrue 1\nb''\nb''\n$/);
  await second.stop();
});
