import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerQuestion } from '../src/resolver/answers.js';
import { Cache } from '../src/resolver/cache.js';
import { orderAddresses } from '../src/resolver/order.js';
import { parseResolvConf, serversOf } from '../src/resolver/resolv-conf.js';

const reach = { addresses: ['10.77.0.2/24', 'fd77::2/64'], gateways: ['10.77.0.1'], hasLink: true };
const ordered = (addresses: string[], by = reach) => orderAddresses(addresses, by).map((place) => addresses[place]);

test('resolv.conf: servers, search and options, within the bounds of glibc', () => {
  const text = [
    '# a comment',
    'nameserver 192.0.2.1 # behind a value',
    'nameserver not-an-address',
    'nameserver 2001:db8::1',
    'nameserver 192.0.2.3',
    'nameserver 192.0.2.4',
    'search a.test b.test',
    'options ndots:20 timeout:99 attempts:9 rotate use-vc edns0 timeout:x',
  ].join('\n');
  assert.deepEqual(parseResolvConf(text, 'host.own.test'), {
    servers: ['192.0.2.1', '2001:db8::1', '192.0.2.3'],
    search: ['a.test', 'b.test'],
    ndots: 15,
    timeoutMs: 30_000,
    attempts: 5,
    rotate: true,
    useTcp: true,
  });
});

test("resolv.conf without a search list has the domain of the host's name", () => {
  assert.deepEqual(parseResolvConf('', 'host.own.test').search, ['own.test']);
  assert.deepEqual(parseResolvConf('', 'host').search, []);
  assert.deepEqual(parseResolvConf('search .', 'host.own.test').search, []);
});

test("servers that only the host reaches are asked over the host's network, unless they were named", () => {
  const via = (text: string) => serversOf(parseResolvConf(text, 'h'), []).map((server) => server.via);
  assert.deepEqual(via('nameserver 127.0.0.53'), ['host']);
  assert.deepEqual(via('nameserver fe80::1%eth0\nnameserver ::1'), ['host', 'host']);
  assert.deepEqual(via('nameserver 192.0.2.1'), ['stack']);
  assert.deepEqual(via(''), ['host'], 'none at all is the one of this host');
  const named = [{ ip: '127.0.0.1', port: 5353, via: 'stack' as const }];
  assert.deepEqual(serversOf(parseResolvConf('nameserver 192.0.2.1', 'h'), named), named);
});

test('an address that netcon cannot reach comes last', () => {
  assert.deepEqual(ordered(['2001:db8::1', '192.0.2.1']), ['192.0.2.1', '2001:db8::1'], 'no gateway for IPv6');
  const both = { ...reach, gateways: ['10.77.0.1', 'fd77::1'] };
  // RFC 6724 rule 5: a source of the same label.
  assert.deepEqual(ordered(['2001:db8::1', '192.0.2.1'], both), ['192.0.2.1', '2001:db8::1']);
  const global = {
    ...both,
    addresses: ['10.77.0.2/24', '2001:db8:77::2/64'],
    gateways: ['10.77.0.1', '2001:db8:77::1'],
  };
  assert.deepEqual(ordered(['192.0.2.1', '2001:db8::1'], global), ['2001:db8::1', '192.0.2.1']);
});

test('addresses of this host: IPv6 first, the unspecified ones as glibc has them', () => {
  assert.deepEqual(ordered(['127.0.0.1', '::1']), ['::1', '127.0.0.1']);
  assert.deepEqual(ordered(['::', '0.0.0.0']), ['0.0.0.0', '::']);
});

test('addresses that are equal keep their order, and without a link only own ones are usable', () => {
  assert.deepEqual(ordered(['192.0.2.9', '192.0.2.1', '192.0.2.5']), ['192.0.2.9', '192.0.2.1', '192.0.2.5']);
  const alone = { ...reach, hasLink: false };
  assert.deepEqual(ordered(['10.77.0.1', 'fd77::2'], alone), ['fd77::2', '10.77.0.1']);
});

test('families are those of the addresses, link-local ones left out', async () => {
  const families = async (addresses: string[]) =>
    (await answerQuestion({ kind: 'Families' }, undefined, { ...reach, addresses }))[0];
  assert.equal(await families(['10.77.0.2/24']), 1);
  assert.equal(await families(['fe80::2/64', 'fd77::2/64']), 2);
  assert.equal(await families(['10.77.0.2/24', 'fe80::2/64']), 1);
});

test('without a resolver no name is found', async () => {
  const question = { kind: 'Addresses', family: 4, name: 'www.test' } as const;
  assert.deepEqual([...(await answerQuestion(question, undefined, reach))], [1, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test('the cache holds as many entries as it may, the oldest goes', async () => {
  const cache = new Cache<number>(2);
  for (const n of [1, 2, 3])
    await cache.ask(
      String(n),
      async () => n,
      () => 60,
    );
  assert.deepEqual(
    ['1', '2', '3'].map((key) => cache.get(key)?.value),
    [undefined, 2, 3],
  );
});

test('the cache forgets what is out of date, and says how long the rest holds', async () => {
  let now = 0;
  const cache = new Cache<number>(8, () => now);
  await cache.ask(
    'a',
    async () => 1,
    () => 10,
  );
  now = 8_500;
  assert.deepEqual(cache.get('a'), { value: 1, ttl: 2 });
  now = 10_000;
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.size, 0);
});

test('an answer that was under way when the cache was cleared is not kept', async () => {
  const cache = new Cache<number>(8);
  const asked = cache.ask(
    'a',
    async () => 1,
    () => 10,
  );
  cache.clear();
  await asked;
  assert.equal(cache.get('a'), undefined);
});
