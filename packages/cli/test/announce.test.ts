import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { NetconError } from '@netcon/api/local';
import type { Service } from '@netcon/api/server';
import { announce } from '../src/announce.js';

type Shown = Pick<Service, 'config' | 'tap' | 'tapProblem' | 'resolvers'>;

test('a service with a tap tells its addresses and how to reach the host', () => {
  const lines = announce(shown({ tap: { name: 'netcon0', offload: true, addressesSet: true } }));
  assert.match(lines, /tap {7}netcon0 is up, offload on/);
  assert.match(lines, /host {6}10\.77\.0\.1\/24/);
  assert.match(lines, /stack {5}10\.77\.0\.2\/24/);
  assert.match(lines, /socket {4}\/run\/netcon\/netcon\.sock \(may join: user:root\)/);
  assert.match(lines, /try {7}netcon intercept curl http:\/\/10\.77\.0\.1\/\n$/);
});

test('where the library was put for containers is told', () => {
  assert.match(announce(shown({}), '/run/netcon/libnetcon.so'), /^ {2}library {3}\/run\/netcon\/libnetcon\.so$/m);
});

test('why there is no offload is told', () => {
  const tap = { name: 'netcon0', offload: false, offloadReason: 'refused', addressesSet: true };
  assert.match(announce(shown({ tap })), /no offload \(refused\)/);
});

test('a tap without addresses comes with the commands that root needs', () => {
  const tap = { name: 'netcon0', offload: true, addressesSet: false, reason: 'not permitted' };
  const lines = announce(shown({ tap }));
  assert.match(lines, /netcon0 is open/);
  assert.match(lines, /not set: not permitted/);
  assert.match(lines, /as root: ip address add 10\.77\.0\.1\/24 dev netcon0/);
  assert.match(lines, /as root: ip link set netcon0 up/);
});

test('why there is no tap is told, with the remedy', () => {
  const tapProblem = new NetconError('NETCON_TAP_DENIED', 'no permission');
  // FORCE_COLOR may be set.
  const lines = stripVTControlCharacters(announce(shown({ tapProblem })));
  assert.match(lines, /no tap {4}no permission: programs reach each other only\n.*run as root/);
  assert.match(lines, /curl http:\/\/10\.77\.0\.2\//);
});

test('which servers are asked for names is told, and over which network', () => {
  const resolvers: Shown['resolvers'] = () => [
    { ip: '127.0.0.53', port: 53, via: 'host' },
    { ip: 'fd77::1', port: 5353, via: 'stack' },
  ];
  const lines = announce(shown({ resolvers }));
  assert.match(lines, /names {5}by DNS: 127\.0\.0\.53 \(over the host's network\), \[fd77::1\]:5353\n/);
  assert.match(announce(shown({})), /names {5}\/etc\/hosts only, as asked\n/);
});

function shown(changes: Partial<Shown>): Shown {
  const config = {
    name: 'netcon',
    paths: { ownDir: true, socket: '/run/netcon/netcon.sock' },
    plan: { stack: ['10.77.0.2/24'], host: ['10.77.0.1/24'], gateways: [] },
    policy: { allow: ['user:root'] },
  } as unknown as Service['config'];
  return { config, tap: null, tapProblem: undefined, resolvers: () => [], ...changes };
}
