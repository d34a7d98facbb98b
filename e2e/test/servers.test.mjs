/**
 * nginx, python3 http.server, a Node http server and redis-server in netcon. Clients: the host's, over kernel
 * TCP on the other side of the tap, and intercepted ones over loopback and the stack's own addresses.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startNginx, startPythonHttp, startRedis, webRoot } from '../lib/apps.mjs';
import { curlDown, curlUp, GIB, MIB, startHttpServer, wgetDown } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { pattern } from '../lib/pattern.mjs';
import { which } from '../lib/process.mjs';
import { Service, STACK4, STACK6 } from '../lib/service.mjs';

const SIZES = [10_000, 8 * MIB];
let ns;
let service;
let root;

before(async () => {
  ns = new Namespace();
  service = await Service.start(ns);
  root = webRoot(SIZES);
});
after(() => service?.stop());

/** Who asks, and by which address: the host over the tap, or a program in netcon. */
const ROUTES = [
  ['the host over IPv4', () => ns, STACK4],
  ['the host over IPv6', () => ns, STACK6],
  ['a program in netcon over 127.0.0.1', () => service, '127.0.0.1'],
  ['a program in netcon over ::1', () => service, '::1'],
  ["a program in netcon over the stack's address", () => service, STACK4],
  ["a program in netcon over the stack's IPv6 address", () => service, STACK6],
];

function at(host, port) {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function web(name, port, start, { large = false, upload = false } = {}) {
  describe(name, () => {
    let server;
    before(async () => {
      server = await start(port);
    });
    after(async () => {
      const { code, signal } = await server.stop();
      assert.ok(code === 0 || signal === 'SIGTERM', `${name} ended with ${code ?? signal}`);
    });
    for (const [who, client, host] of ROUTES) {
      test(`serves ${who}`, async () => {
        for (const size of SIZES) await curlDown(client(), at(host, port), size);
        await wgetDown(client(), at(host, port), SIZES[1]);
        if (upload) await curlUp(client(), at(host, port), 8 * MIB);
        await Promise.all(Array.from({ length: 8 }, () => curlDown(client(), at(host, port), SIZES[0])));
      });
    }
    if (large) {
      test('sends 1 GiB to the host', () => curlDown(ns, at(STACK4, port), GIB));
      test('receives 1 GiB from the host', () => curlUp(ns, at(STACK4, port), GIB));
      test('sends 1 GiB to a program in netcon', () => curlDown(service, at('127.0.0.1', port), GIB));
    }
  });
}

web('nginx with two workers', 8001, async (port) => {
  const nginx = await startNginx(service, root, port);
  await curlDown(ns, `${at(STACK4, port)}/proxy`, SIZES[1]);
  return nginx;
});
web('python3 -m http.server', 8002, (port) => startPythonHttp(service, root, port));
web('a Node http server', 8003, async (port) => (await startHttpServer(service, '::', port)).server, {
  large: true,
  upload: true,
});

describe('redis-server', () => {
  const port = 6379;
  let redis;
  before(async () => {
    redis = await startRedis(service, port);
  });
  after(async () => assert.equal((await redis.stop()).code, 0));

  for (const [who, client, host] of ROUTES) {
    test(`serves ${who}`, async () => {
      const cli = (args, options) =>
        client().must(which('redis-cli'), ['-h', host, '-p', String(port), ...args], options);
      assert.equal(await cli(['ping']), 'PONG\n');
      const value = [...pattern(3_000_000)]
        .map((chunk) => chunk.toString('hex'))
        .join('')
        .slice(0, 3_000_000);
      assert.equal(await cli(['-x', 'set', 'blob'], { input: value }), 'OK\n');
      const got = (await cli(['--raw', 'get', 'blob'])).trimEnd();
      assert.equal(createHash('sha256').update(got).digest('hex'), createHash('sha256').update(value).digest('hex'));
      const peers = await cli(['client', 'list']);
      const expected = {
        [STACK4]: who.startsWith('the host') ? '10.77.0.1' : STACK4,
        [STACK6]: who.startsWith('the host') ? 'fd77::1' : STACK6,
      };
      assert.match(
        peers,
        new RegExp(` addr=\\[?${(expected[host] ?? host).replaceAll('.', '\\.')}\\]?:\\d+ `),
        'the client’s real address',
      );
    });
  }
  test('redis-benchmark with 20 clients and pipelines', async () => {
    const args = ['-h', STACK4, '-p', String(port), '-n', '5000', '-c', '20', '-q', '-t', 'set,get,lpush', '-P', '4'];
    const said = await ns.must(which('redis-benchmark'), args);
    assert.equal(said.match(/requests per second, p50/g)?.length, 3);
  });
});
