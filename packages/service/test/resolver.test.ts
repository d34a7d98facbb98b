import assert from 'node:assert/strict';
import { fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { StackClient } from '@netcon/core-rs';
import type { Network } from '../src/resolver/exchange.js';
import { Resolver } from '../src/resolver/lookup.js';
import { Verdict } from '../src/resolver/message.js';
import { serviceNetwork } from '../src/resolver/network.js';
import type { Server } from '../src/resolver/resolv-conf.js';
import { a, DnsServer, type Reply, soa } from './dns-server.js';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

test('addresses of both families are found, with the canonical name before its alias', async () => {
  const { resolver } = await setUp((question) => ({
    answers: [
      { type: 'CNAME', name: 'www.test', ttl: 30, data: 'host.test' },
      question.type === 'A'
        ? a('host.test', '192.0.2.1')
        : { type: 'AAAA', name: 'host.test', ttl: 60, data: '2001:db8::1' },
    ],
  }));
  assert.deepEqual(await resolver.addresses('www.test', undefined), {
    verdict: Verdict.Found,
    ttl: 30,
    names: ['host.test', 'www.test'],
    addresses: ['192.0.2.1', '2001:db8::1'],
  });
});

test('an answer is asked for once in its time to live, also by two at once', async () => {
  const { resolver, server } = await setUp(() => ({ answers: [a('www.test', '192.0.2.1', 60)] }));
  await Promise.all([resolver.addresses('www.test', 4), resolver.addresses('WWW.test.', 4)]);
  await resolver.addresses('www.test', 4);
  assert.deepEqual(server.asked, ['udp A www.test']);
  assert.equal(resolver.counters.name_cache_hits, 1);
});

test('an answer with a time to live of 0 is not kept', async () => {
  const { resolver, server } = await setUp(() => ({ answers: [a('www.test', '192.0.2.1', 0)] }));
  await resolver.addresses('www.test', 4);
  await resolver.addresses('www.test', 4);
  assert.equal(server.asked.length, 2);
});

for (const [what, flags, verdict] of [
  ['no such name', 3, Verdict.NotFound],
  ['a name without data', 0, Verdict.NoData],
] as const) {
  test(`${what} is kept as long as the SOA says, and no longer than without one`, async () => {
    let authorities = [soa(600)];
    const { resolver, server } = await setUp(() => ({ flags, authorities }));
    assert.equal((await resolver.addresses('gone.test', 4)).verdict, verdict);
    assert.equal((await resolver.addresses('gone.test', 4)).verdict, verdict);
    assert.equal(server.asked.length, 1);
    authorities = [];
    await resolver.addresses('other.test', 4);
    await resolver.addresses('other.test', 4);
    assert.equal(server.asked.length, 3);
  });
}

test('a truncated answer is fetched over TCP', async () => {
  const answers = Array.from({ length: 64 }, (_, i) => a('big.test', `198.51.100.${i}`));
  const { resolver, server } = await setUp((_, via) => (via === 'udp' ? 'truncated' : { answers }));
  assert.equal((await resolver.addresses('big.test', 4)).addresses.length, 64);
  assert.deepEqual(server.asked, ['udp A big.test', 'tcp A big.test']);
});

test('what does not answer the question is not believed', async () => {
  const { resolver } = await setUp(() => 'forged');
  assert.deepEqual((await resolver.addresses('www.test', 4)).addresses, ['192.0.2.1']);
});

test('an address of another name in the answer is not taken', async () => {
  const { resolver } = await setUp(() => ({ answers: [a('evil.test', '203.0.113.66')] }));
  assert.equal((await resolver.addresses('www.test', 4)).verdict, Verdict.NoData);
});

test('a chain of aliases without an end is no data', async () => {
  const alias = (name: string, data: string) => ({ type: 'CNAME', name, ttl: 60, data }) as const;
  const { resolver } = await setUp(() => ({ answers: [alias('a.test', 'b.test'), alias('b.test', 'a.test')] }));
  assert.equal((await resolver.addresses('a.test', 4)).verdict, Verdict.NoData);
});

for (const [what, reply] of [
  ['fails', 2],
  ['refuses', 5],
  ['is silent', 'silence'],
] as [string, Reply][]) {
  test(`when a server ${what} the next one is asked; a silent one is asked last from then on`, async () => {
    const bad = await serve(() => reply);
    const good = await serve((question) => ({ answers: [a(question.name, '192.0.2.1')] }));
    const resolver = resolverOf([bad, good]);
    for (const name of ['one.test', 'two.test']) {
      assert.deepEqual((await resolver.addresses(name, 4)).addresses, ['192.0.2.1']);
    }
    assert.equal(bad.asked.length, what === 'is silent' ? 1 : 2);
  });
}

test('when no server answers it is to be tried again, after a time that resolv.conf bounds', async () => {
  const server = await serve(() => 'silence');
  const resolver = resolverOf([server], 'options timeout:1 attempts:2\n');
  const start = performance.now();
  assert.equal((await resolver.addresses('www.test', 4)).verdict, Verdict.TryAgain);
  // Once a second, once two.
  assert.ok(performance.now() - start > 2900, 'both attempts were waited for');
  assert.equal(server.asked.length, 2);
  assert.equal(resolver.counters.name_failures, 1);
});

test('a server that refuses to be reached costs no time', async () => {
  const server = await serve(() => 'silence');
  server.stop();
  cleanups.pop();
  const resolver = resolverOf([server], 'options timeout:30\n');
  assert.equal((await resolver.addresses('www.test', 4)).verdict, Verdict.TryAgain);
});

test('a server that cannot be connected to is passed over', async () => {
  // Without SO_BROADCAST the kernel refuses at once.
  const unreachable = { ip: '255.255.255.255', port: 53, via: 'host' } as const;
  const server = await serve(() => ({ answers: [a('www.test', '192.0.2.1')] }));
  const resolver = make([server], confOf(''), undefined, [unreachable]);
  assert.deepEqual((await resolver.addresses('www.test', 4)).addresses, ['192.0.2.1']);
});

test('rotate begins with another server each time', async () => {
  const answer = (question: { name: string }) => ({ answers: [a(question.name, '192.0.2.1')] });
  const servers = [await serve(answer), await serve(answer)];
  const resolver = resolverOf(servers, 'options rotate\n');
  for (const name of ['a.test', 'b.test', 'c.test', 'd.test']) await resolver.addresses(name, 4);
  assert.deepEqual(
    servers.map((server) => server.asked.length),
    [2, 2],
  );
});

for (const [name, conf, want] of [
  ['www', 'search a.test b.test\n', ['www.a.test', 'www.b.test', 'www']],
  ['www.x', 'search a.test\n', ['www.x', 'www.x.a.test']],
  ['www.x', 'search a.test\noptions ndots:2\n', ['www.x.a.test', 'www.x']],
  ['www.', 'search a.test\n', ['www']],
  ['www', 'domain c.test\n', ['www.c.test', 'www']],
] as const) {
  test(`${name} is looked for as ${want.join(', ')}`, async () => {
    const { resolver, server } = await setUp(() => 3, conf);
    assert.equal((await resolver.addresses(name, 4)).verdict, Verdict.NotFound);
    assert.deepEqual(
      server.asked,
      want.map((candidate) => `udp A ${candidate}`),
    );
  });
}

test('resolv.conf is read again when it has changed, and what was kept is forgotten', async () => {
  const { resolver, server, conf } = await setUp(() => 3, 'search a.test\n');
  await resolver.addresses('www', 4);
  writeFileSync(conf, 'search changed.test\n');
  await resolver.addresses('www', 4);
  assert.deepEqual(server.asked.slice(2), ['udp A www.changed.test', 'udp A www']);
});

test('the names of an address are asked for by PTR', async () => {
  const { resolver, server } = await setUp((question) => ({
    answers: [{ type: 'PTR', name: question.name, ttl: 60, data: 'host.test' }],
  }));
  assert.deepEqual((await resolver.names('192.0.2.1')).names, ['host.test']);
  assert.deepEqual((await resolver.names('2001:db8::1')).names, ['host.test']);
  const zeros = '0.'.repeat(23);
  assert.deepEqual(server.asked, ['udp PTR 1.2.0.192.in-addr.arpa', `udp PTR 1.${zeros}8.b.d.0.1.0.0.2.ip6.arpa`]);
});

test('a name that would end in a shell is not handed out', async () => {
  const { resolver } = await setUp((question) => ({
    answers: [{ type: 'PTR', name: question.name, ttl: 60, data: '$(reboot).test' }],
  }));
  assert.deepEqual((await resolver.names('192.0.2.1')).names, []);
});

test('names that fit into no question fail, and no server is asked', async () => {
  const { resolver, server } = await setUp(() => 3);
  for (const name of ['', 'a..b', `${'x'.repeat(64)}.test`, 'x.'.repeat(200)]) {
    assert.equal((await resolver.search(name, 1, 1)).verdict, Verdict.NoRecovery);
    assert.equal(
      (await resolver.addresses(name, undefined)).verdict,
      name === '' ? Verdict.NoRecovery : Verdict.NotFound,
    );
  }
  assert.deepEqual(server.asked, []);
});

test('a message is passed on as it stands, and its answer comes back with its id', async () => {
  const { resolver } = await setUp((question) => ({ answers: [a(question.name, '192.0.2.1')] }));
  const query = Buffer.from('abcd01000001000000000000037777770474657374000010'.concat('0001'), 'hex');
  const { verdict, message } = await resolver.send(query);
  assert.equal(verdict, Verdict.Found);
  assert.equal(message.readUInt16BE(0), 0xabcd);
});

test('without a socket for datagrams TCP is used', async () => {
  const server = await serve(() => ({ answers: [a('www.test', '192.0.2.1')] }));
  const real = serviceNetwork(() => Promise.reject(new Error('no stack')));
  const network: Network = {
    ...real,
    udp: () => Promise.reject(Object.assign(new Error('refused'), { code: 'NETCON_NATIVE_FAILED' })),
  };
  const resolver = resolverOf([server], '', network);
  assert.deepEqual((await resolver.addresses('www.test', 4)).addresses, ['192.0.2.1']);
  assert.deepEqual(server.asked, ['tcp A www.test']);
});

test('a socket that comes too late is closed', async () => {
  let join: (client: StackClient) => void = () => {};
  const network = serviceNetwork(() => new Promise((resolve) => (join = resolve)));
  cleanups.push(() => network.close());
  const server: Server = { ip: '192.0.2.53', port: 53, via: 'stack' };
  await assert.rejects(
    network.udp(server, Buffer.alloc(12), () => true, 1),
    /does not answer/,
  );
  const fd = openSync('/dev/null', 'r');
  join({ datagram: () => fd } as unknown as StackClient);
  await setImmediate();
  assert.throws(() => fstatSync(fd), { code: 'EBADF' });
});

async function serve(reply: ConstructorParameters<typeof DnsServer>[0], attempts = 5): Promise<DnsServer> {
  const server = new DnsServer(reply);
  try {
    await server.start();
  } catch (taken) {
    // The port that is free for UDP need not be for TCP.
    server.stop();
    if (attempts === 0) throw taken;
    return serve(reply, attempts - 1);
  }
  cleanups.push(() => server.stop());
  return server;
}

async function setUp(reply: ConstructorParameters<typeof DnsServer>[0], text = '') {
  const server = await serve(reply);
  const conf = confOf(text);
  return { server, conf, resolver: make([server], conf) };
}

function resolverOf(servers: DnsServer[], text = 'options timeout:1\n', network?: Network): Resolver {
  return make(servers, confOf(text), network);
}

function make(servers: DnsServer[], conf: string, network?: Network, first: Server[] = []): Resolver {
  const over = network ?? serviceNetwork(() => Promise.reject(new Error('no stack')));
  cleanups.push(() => over.close());
  return new Resolver({
    network: over,
    servers: [...first, ...servers.map(({ port }) => ({ ip: '127.0.0.1', port, via: 'host' }) as const)],
    resolvConf: conf,
  });
}

/** Without the domain of the machine's own name. */
function confOf(text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'netcon-resolver-'));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  const path = join(dir, 'resolv.conf');
  writeFileSync(path, /^(search|domain)/m.test(text) ? text : `search .\n${text}`);
  return path;
}
