/** The service runs out of descriptors: programs are told, and it goes on serving. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { curlDown, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { cpuMs, sleep, until, which } from '../lib/process.mjs';
import { HOST4, Service } from '../lib/service.mjs';

/** Connects until it is refused, says why, and gives everything back when told. */
const HOARDER = `
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
first = socket.create_connection((host, port), 10)
held, errors = [], []
while len(errors) < 3:
    try: held.append(socket.create_connection((host, port), 10))
    except OSError as e: errors.append(e.errno)
print("full", len(held), errors, flush=True)
sys.stdin.readline()
first.sendall(b"GET /bytes/10 HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n"); print(first.recv(12), flush=True)
for s in held: s.close()
sys.stdin.readline()
print("again", socket.create_connection((host, port), 10).getpeername()[1] == port, flush=True)
`;

/** The name of a process; nothing of one that has ended. */
function programOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

test('a service without descriptors left refuses, serves those that it has, and recovers', async () => {
  const ns = new Namespace();
  const service = await Service.start(ns);
  const descriptors = () => readdirSync(`/proc/${service.pid}/fd`).length;
  const ROOM = 60;
  const limit = descriptors() + ROOM;
  execFileSync(which('prlimit'), [`--pid=${service.pid}`, `--nofile=${limit}:${limit}`]);
  const http = await startHttpServer(ns, HOST4);
  const hoarder = service.start(python(), ['-u', '-c', HOARDER, HOST4, String(http.port)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const [, held, errors] = await hoarder.says(/full (\d+) \[(.*)\]/);
  assert.ok(Number(held) > ROOM / 3 && Number(held) < ROOM, held);
  // ENFILE: a table that is not the program's own is full.
  assert.equal(errors, '23, 23, 23');
  // Nobody else gets in, and is told so; the queue of those who knock does not keep the service awake.
  const sleepers = [];
  let refused = null;
  while (refused === null) {
    assert.ok(sleepers.length < 10, 'the few descriptors left are used up by now');
    const sleeper = service.start('/bin/sleep', ['600']);
    sleepers.push(sleeper);
    await until(() => sleeper.status !== null || programOf(sleeper.pid) === 'sleep');
    refused = sleeper.status;
  }
  assert.equal(refused.code, 125);
  assert.match(refused.stderr, /NETCON_SERVICE_SILENT[\s\S]*turns programs away/);
  assert.match(service.process.stderr, new RegExp(`all ${limit} descriptors are in use`));
  const idle = cpuMs(service.pid);
  await sleep(1000);
  assert.ok(cpuMs(service.pid) - idle <= 50, 'the service does not spin');
  hoarder.child.stdin.write('\n');
  await hoarder.says(/HTTP\/1.1 200/);
  await until(() => descriptors() < limit - ROOM / 2);
  await curlDown(service, http.url(HOST4), 10_000);
  hoarder.child.stdin.write('\n');
  await hoarder.says(/again True/);
  await Promise.all([hoarder, http.server, ...sleepers].map((process) => process.stop('SIGKILL')));
  assert.equal((await service.stop()).code, 0);
});
