/** The service looks for work before it sleeps where that pays, and not where it was told not to. docs/internals/engine.md, "Waiting". */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { HOST4, Service } from '../lib/service.mjs';

const PORT = 7320;
const ECHO = `
import socket
l = socket.create_server(('${HOST4}', ${PORT})); print('up', flush=True)
c, _ = l.accept()
while data := c.recv(64): c.sendall(data)`;
const ASK = `
import socket
c = socket.create_connection(('${HOST4}', ${PORT}))
for _ in range(5000): c.sendall(b'x' * 64); assert len(c.recv(64, socket.MSG_WAITALL)) == 64`;

/** Turns of the engine in 5,000 round trips, and those that busy polling found. */
async function turns(args) {
  const service = await Service.start(new Namespace(), { args: ['--tap', 'nc0', ...args] });
  const server = service.ns.start(python(), ['-c', ECHO]);
  await server.says(/up/);
  await service.must(python(), ['-c', ASK]);
  const counters = await service.show('stats');
  await server.stop('SIGKILL');
  await service.stop();
  return [counters.turns, counters.turns_busy_polled];
}

test('round trips are found by busy polling', async (t) => {
  const [all, found] = await turns(['--busy-poll', '1000']);
  t.diagnostic(`${found} of ${all} turns`);
  // On a busy machine fewer, for others have the processor meanwhile.
  assert.ok(found > 100, `${found} of ${all}`);
});

test('--busy-poll 0 has none', async () => {
  const [all, found] = await turns(['--busy-poll', '0']);
  assert.equal(found, 0);
  assert.ok(all > 5000, `${all}`);
});
