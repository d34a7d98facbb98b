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
