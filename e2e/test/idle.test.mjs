/** The service does nothing when nothing happens. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { cpuMs, sleep } from '../lib/process.mjs';
import { HOST4, Service } from '../lib/service.mjs';

describe('nothing happens', () => {
  const SECONDS = 30;
  test(`100 idle connections: at most 5 voluntary context switches in ${SECONDS} s, beside frames`, async (t) => {
    const ns = new Namespace();
    const service = await Service.start(ns);
    const server = ns.start(python(), [
      '-u',
      '-c',
      `
import socket
l = socket.create_server(("${HOST4}", 7100), backlog=200); print("up"); held = []
while True: held.append(l.accept())`,
    ]);
    await server.says(/up/);
    const app = service.start(python(), [
      '-u',
      '-c',
      `
import socket, time
l = socket.create_server(("127.0.0.1", 7000), backlog=200); held = [l]
for i in range(50): held.append(socket.create_connection(("${HOST4}", 7100)))
for i in range(25): held.append(socket.create_connection(("127.0.0.1", 7000))); held.append(l.accept()[0])
print("up"); time.sleep(600)`,
    ]);
    await app.says(/up/);
    // V8 tidies its heap once, 8 to 20 s after it was last busy.
    await sleep(25_000);
    const before = { switches: switches(service.pid), frames: received(ns), cpu: cpuMs(service.pid) };
    await sleep(SECONDS * 1000);
    const after = { switches: switches(service.pid), frames: received(ns), cpu: cpuMs(service.pid) };
    const frames = after.frames - before.frames;
    const byThread = [...after.switches]
      .map(([name, n]) => [name, n - (before.switches.get(name) ?? 0)])
      .filter(([, n]) => n > 0);
    const total = byThread.reduce((sum, [, n]) => sum + n, 0);
    t.diagnostic(
      `voluntary context switches ${total} (${byThread.map(([name, n]) => `${name}: ${n}`).join(', ')}), frames ${frames}, CPU ${after.cpu - before.cpu} ms`,
    );
    assert.ok(total <= 5 + frames, `${total} switches, ${frames} frames`);
    await Promise.all([app.stop('SIGKILL'), server.stop('SIGKILL')]);
    await service.stop();
  });

  test('1,000 connections that have exchanged something and are idle: memory within 6 KiB each, no turn of the engine', async (t) => {
    const COUNT = 1000;
    const ns = new Namespace();
    const service = await Service.start(ns);
    const server = ns.start(python(), ['-u', '-c', ECHO]);
    await server.says(/up/);
    await quiet();
    const fresh = resident(service.pid);
    const app = service.start(python(), ['-u', '-c', exchange(COUNT)], { stdio: ['pipe', 'pipe', 'pipe'] });
    await app.says(/idle/);
    await quiet();
    const held = (resident(service.pid) - fresh) / COUNT;
    const before = { turns: turns(service.pid), frames: received(ns) };
    await sleep(2000);
    const after = { turns: turns(service.pid), frames: received(ns) };
    const woken = after.turns - before.turns;
    const frames = after.frames - before.frames;
    t.diagnostic(`${held.toFixed(1)} KiB a connection, ${woken} turns in 2 s, ${frames} frames`);
    assert.ok(held < 6, `${held} KiB: two pages of rings alone are 8`);
    assert.ok(woken <= frames, `${woken} turns, ${frames} frames`);
    // Rings whose pages were given back are as good as before.
    app.child.stdin.write('\n');
    await app.says(/the same/);
    app.child.stdin.end();
    await app.end();
    await quiet();
    const left = (resident(service.pid) - fresh) / 1024;
    assert.ok(left < 4, `${left} MiB stay when the connections have gone`);
    await server.stop('SIGKILL');
    await service.stop();
  });

  /** A server that speaks first, and echoes. */
  const ECHO = `
import selectors, socket
l = socket.create_server(("${HOST4}", 7200), backlog=2000); print("up")
s = selectors.DefaultSelector(); s.register(l, selectors.EVENT_READ)
while True:
    for key, _ in s.select():
        if key.fileobj is l:
            c = l.accept()[0]; c.sendall(b"hi"); s.register(c, selectors.EVENT_READ)
        else:
            data = key.fileobj.recv(65536)
            if data: key.fileobj.sendall(data)
            else: s.unregister(key.fileobj); key.fileobj.close()`;

  /** Opens connections, exchanges some small messages on each, and once more when told to. */
  function exchange(count) {
    return `
import resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
def ask(c, i, n):
    data = bytes([i % 251]) * n; c.sendall(data); got = b""
    while len(got) < n: got += c.recv(65536)
    assert got == data
held = []
for i in range(${count}):
    c = socket.create_connection(("${HOST4}", 7200)); assert c.recv(2, socket.MSG_WAITALL) == b"hi"
    for n in (64, 1000, 3000): ask(c, i, n)
    held.append(c)
print("idle"); sys.stdin.readline()
for i, c in enumerate(held): ask(c, i + 7, 5000)
print("the same"); sys.stdin.readline()`;
  }

  /** The engine gives back what has been quiet for half a second. */
  const quiet = () => sleep(1500);

  /** KiB in memory. */
  function resident(pid) {
    return Number(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8').match(/^Rss:\s+(\d+)/m)[1]);
  }

  /** Each turn of the engine begins with a wait. */
  function turns(pid) {
    const [, count] = [...switches(pid)].find(([name]) => name.startsWith('netcon-engine'));
    return count;
  }

  function switches(pid) {
    return new Map(
      readdirSync(`/proc/${pid}/task`).map((tid) => {
        const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8');
        return [
          `${status.match(/^Name:\s+(.*)$/m)[1]}/${tid}`,
          Number(status.match(/^voluntary_ctxt_switches:\s+(\d+)/m)[1]),
        ];
      }),
    );
  }

  /** Frames that the service received: what the host's side of the tap transmitted. */
  function received(ns) {
    return JSON.parse(ns.ip('-s', '-j', 'link', 'show', 'dev', 'nc0'))[0].stats64.tx.packets;
  }
});
