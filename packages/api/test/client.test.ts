import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { NetconError } from '@netcon/service/errors';
import { buildApi } from '../src/app.js';
import { ApiClient } from '../src/client.js';
import { connecting, listening, serviceDouble, session } from './service-double.js';

const dir = mkdtempSync(join(tmpdir(), 'netcon-api-'));
after(() => rmSync(dir, { recursive: true }));

test('the client reads what the API serves over a unix socket', async () => {
  const path = join(dir, 'good.sock');
  const app = await buildApi(serviceDouble());
  await app.listen({ path });
  const client = new ApiClient(path);
  assert.equal((await client.status()).name, 'netcon');
  assert.deepEqual(await client.sessions(), [session]);
  assert.deepEqual(await client.sockets(), [listening, connecting]);
  assert.deepEqual(await client.sockets({ state: 'listen', pid: 100 }), [listening]);
  await app.close();
});

test("the API's errors come back with their codes", async () => {
  const path = join(dir, 'bad.sock');
  const sessions = () => Promise.reject(new NetconError('NETCON_ENGINE_STATE', 'gone'));
  const app = await buildApi(serviceDouble({ sessions }));
  await app.listen({ path });
  await assert.rejects(new ApiClient(path).sessions(), { code: 'NETCON_ENGINE_STATE', message: /gone/ });
  await app.close();
});

test('no socket, or one that nobody serves, is no service', async () => {
  const none = new ApiClient(join(dir, 'none.sock'));
  await assert.rejects(none.status(), { code: 'NETCON_SERVICE_ABSENT' });
  writeFileSync(join(dir, 'file.sock'), '');
  const file = new ApiClient(join(dir, 'file.sock'));
  await assert.rejects(file.status(), { code: 'NETCON_SERVICE_ABSENT' });
});

test('a socket of something else is not taken for a service', async () => {
  const path = join(dir, 'other.sock');
  const server = createServer((socket) => socket.end('SSH-2.0-x\r\n')).listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  await assert.rejects(new ApiClient(path).status(), { code: 'NETCON_SERVICE_SILENT' });
  server.close();
});
