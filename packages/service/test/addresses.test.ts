import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCidr, parseCidr, planAddresses } from '../src/addresses.js';

const bad: [given: string, why: RegExp][] = [
  ['', /not an IPv4 or IPv6 address/],
  ['10.0.0.1', /prefix length is missing/],
  ['10.0.0.1/33', /1 to 32/],
  ['10.0.0.1/0', /1 to 32/],
  ['10.0.0.1/', /1 to 32/],
  ['10.0.0.1/8/8', /1 to 32/],
  ['10.0.0.1/2a', /1 to 32/],
  ['10.0.0.256/24', /not an IPv4/],
  ['fd77::2/129', /1 to 128/],
  ['fd77::2%x/64', /not an IPv4/],
  ['10.77.0.0/24', /network itself/],
  ['10.77.0.255/24', /broadcast/],
  ['fd77::/64', /network itself/],
  ['127.0.0.2/8', /loopback/],
  ['::1/128', /loopback/],
  ['0.0.0.0/8', /unspecified/],
  ['224.0.0.1/4', /unicast/],
  ['ff02::1/16', /unicast/],
];

for (const [given, why] of bad) {
  test(`${given || 'nothing'} is refused: ${why.source}`, () => {
    assert.throws(() => parseCidr(given), { code: 'NETCON_ADDRESS_INVALID', message: why });
  });
}

for (const given of ['10.77.0.2/24', '10.0.0.0/31', '10.0.0.1/32', 'fd77::2/64', 'fe80::1/10', 'fd00::/127']) {
  test(`${given} is an address of a host`, () => assert.equal(formatCidr(parseCidr(given)), given));
}

test('without addresses the defaults hold', () => {
  assert.deepEqual(planAddresses({}), {
    stack: ['10.77.0.2/24', 'fd77::2/64'],
    host: ['10.77.0.1/24', 'fd77::1/64'],
    gateways: [],
  });
});

const derived: [stack: string, host: string, why: string][] = [
  ['192.168.7.2/24', '192.168.7.1/24', 'the first address'],
  ['192.168.7.1/24', '192.168.7.2/24', 'the first is taken'],
  ['192.168.7.130/25', '192.168.7.129/25', 'a network that begins within an octet'],
  ['10.0.0.0/31', '10.0.0.1/31', 'RFC 3021'],
  ['10.0.0.1/31', '10.0.0.0/31', 'RFC 3021'],
  ['fd00:1::5/64', 'fd00:1::1/64', 'IPv6'],
];

for (const [stack, host, why] of derived) {
  test(`the host of ${stack} gets ${host}: ${why}`, () => {
    assert.deepEqual(planAddresses({ stack: [stack] }), { stack: [stack], host: [host], gateways: [] });
  });
}

test('the stack gets an address of the network given to the host', () => {
  assert.deepEqual(planAddresses({ host: ['10.5.0.1/16'] }).stack, ['10.5.0.2/16']);
});

test('a network of one address has no host', () => {
  assert.deepEqual(planAddresses({ stack: ['10.0.0.1/32'] }).host, []);
});

test('one address for both is refused, however it is written', () => {
  const given = { stack: ['fd77:0::2/64'], host: ['fd77::2/64'] };
  assert.throws(() => planAddresses(given), { code: 'NETCON_ADDRESS_CONFLICT', message: /fd77::2: given twice/ });
});

test('a gateway lies in a network of the stack, or is link-local', () => {
  assert.deepEqual(planAddresses({ gateways: ['10.77.0.1', 'fe80::1'] }).gateways, ['10.77.0.1', 'fe80::1']);
  assert.throws(() => planAddresses({ gateways: ['192.0.2.1'] }), { code: 'NETCON_ADDRESS_CONFLICT' });
  assert.throws(() => planAddresses({ gateways: ['10.77.0.1/24'] }), { code: 'NETCON_ADDRESS_INVALID' });
});

test('more than eight addresses are refused: a HELLO reply lists no more', () => {
  const stack = Array.from({ length: 9 }, (_, i) => `10.1.${i}.2/24`);
  assert.throws(() => planAddresses({ stack }), { code: 'NETCON_ADDRESS_INVALID', message: /at most 8/ });
});
