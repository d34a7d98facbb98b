/** A bad frame costs nothing but itself: the service goes on serving others, and loses nothing. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { curlDown, MIB, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN, E2E } from '../lib/paths.mjs';
import { cpuMs, sleep, until, which } from '../lib/process.mjs';
import { HOST4, Service, STACK4, STACK6 } from '../lib/service.mjs';

let ns;
let service;
let http;
before(async () => {
  ns = new Namespace();
  service = await Service.start(ns);
  http = await startHttpServer(ns, '::');
});
after(async () => {
  await http?.server.stop();
  assert.equal((await service.stop()).code, 0);
});

const descriptors = () => readdirSync(`/proc/${service.pid}/fd`).length;

async function settled() {
  await until(async () => (await service.show('sessions')).length === 0);
}

test('garbage on the RPC socket', async () => {
  await curlDown(service, http.url(HOST4), MIB);
  await settled();
  const before = descriptors();
  // While some misbehave, others are served.
  const evil = [1, 2, 3].map((seed) =>
    ns.must(python(), [`${E2E}programs/misbehave.py`, service.socket, String(seed), '120'], { ms: 60_000 }),
  );
  for (let i = 0; i < 5; i++) await curlDown(service, http.url(HOST4), MIB);
  assert.match(await service.must(`${BIN}threads`, ['4']), /good 160 served 160 of 160/);
  for (const said of await Promise.all(evil)) assert.match(said, /done/);
  await settled();
  await until(
    () => descriptors() <= before,
    5000,
    () => `descriptors: ${before}, then ${descriptors()}`,
  );
  await curlDown(service, http.url(HOST4), MIB);
  const idle = cpuMs(service.pid);
  await sleep(1000);
  assert.ok(cpuMs(service.pid) - idle <= 200, 'the service does not spin');
});

test('garbage on the wire', async () => {
  // Frames of every kind to the stack, by the host's packet socket.
  await ns.must(
    python(),
    [
      '-c',
      `
import random, socket
rng = random.Random(5)
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(("nc0", 0))
mac = rng.randbytes(6)
v4 = [socket.inet_aton(a) for a in ("${HOST4}", "${STACK4}", "0.0.0.0", "255.255.255.255", "127.0.0.1")]
v6 = [socket.inet_pton(socket.AF_INET6, a) for a in ("fd77::1", "${STACK6}", "::", "ff02::1")]
for i in range(6000):
    kind = rng.randrange(6)
    to = rng.choice([b"\\xff" * 6, rng.randbytes(6)])
    if kind == 0: f = rng.randbytes(rng.randrange(14, 1514))
    elif kind == 1: f = to + mac + b"\\x08\\x06" + rng.randbytes(rng.randrange(0, 60))
    elif kind in (2, 3):
        l4 = rng.randbytes(rng.randrange(0, 80)); proto = rng.choice([1, 6, 6, 17, rng.randrange(256)])
        head = bytes([0x45, 0]) + (20 + len(l4)).to_bytes(2, "big") + rng.randbytes(2) + rng.choice([b"\\x40\\0", b"\\x20\\0", rng.randbytes(2)]) + bytes([64, proto, 0, 0]) + rng.choice(v4) + rng.choice(v4)
        c = sum(int.from_bytes(head[i:i+2], "big") for i in range(0, 20, 2)); c = (c & 0xffff) + (c >> 16); c = ~((c & 0xffff) + (c >> 16)) & 0xffff
        f = to + mac + b"\\x08\\0" + head[:10] + c.to_bytes(2, "big") + head[12:] + l4
    else:
        l4 = rng.randbytes(rng.randrange(0, 80)); f = to + mac + b"\\x86\\xdd" + b"\\x60\\0\\0\\0" + rng.choice([len(l4), 65535, 0]).to_bytes(2, "big") + bytes([rng.choice([0, 6, 17, 43, 44, 58, 60]), 255]) + rng.choice(v6) + rng.choice(v6) + l4
    try: s.send(f.ljust(14, b"\\0"))
    except OSError: pass
`,
    ],
    { ms: 60_000 },
  );
  await curlDown(service, http.url(HOST4), MIB);
  await ns.must(which('ping'), ['-c', '1', '-W', '2', STACK4]);
});

test('programs that are killed in the middle leave nothing', async () => {
  await settled();
  const before = descriptors();
  for (let i = 0; i < 10; i++) {
    const app = service.start(`${BIN}threads`, ['6']);
    await sleep(150 + 10 * i);
    app.kill('SIGKILL');
    await app.end();
  }
  await settled();
  await until(
    () => descriptors() <= before,
    8000,
    () => `descriptors: ${before}, then ${descriptors()}`,
  );
});
