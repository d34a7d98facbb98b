/** The harness of the compatibility matrix: a run that went past netcon is a failure, for TCP and for UDP. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APPS } from '../apps/list.mjs';
import { bypassed, parseSnmp } from '../apps/proof.mjs';
import { ROLES } from '../apps/roles.mjs';
import { E2E } from '../lib/paths.mjs';
import { run } from '../lib/process.mjs';

const PROVEN = {
  accepted: 1,
  connected: 1,
  shortcuts: 1,
  rx_bytes: 1000,
  tx_bytes: 1000,
  datagrams_read: 5,
  datagrams_in: 5,
  datagrams_out: 5,
};
const APP = { bytes: 2000, datagrams: 10 };
const NONE = { connections: 0, datagrams: 0 };

test('what netcon counted is proof, in every role', () => {
  for (const [name, role] of Object.entries(ROLES)) {
    if (name !== 'native') assert.deepEqual(bypassed(role, APP, PROVEN, NONE), []);
  }
  // Where one side is on kernel TCP by intention, the kernel counts too.
  assert.deepEqual(bypassed(ROLES.a, APP, PROVEN, { connections: 9, datagrams: 9 }), []);
});

test('each number that is missing is a reason of its own', () => {
  const reasons = (role, counted, kernel = NONE) => bypassed(role, APP, { ...PROVEN, ...counted }, kernel).join();
  assert.match(reasons(ROLES.a, { accepted: 0 }), /^no connection was accepted in netcon$/);
  assert.match(reasons(ROLES.b, { connected: 0 }), /^no connection was made in netcon$/);
  assert.match(reasons(ROLES.d, { tx_bytes: 999 }), /^1999 bytes on netcon's link, at least 2000/);
  assert.equal(reasons(ROLES.c, { accepted: 0, connected: 0 }), '');
  assert.match(reasons(ROLES.c, { shortcuts: 0, accepted: 0 }), /^no connection was accepted in netcon$/);
  assert.match(reasons(ROLES.f, { connected: 0 }), /^no connection was made in netcon$/);
  assert.match(reasons(ROLES.c, {}, { connections: 1, datagrams: 0 }), /^1 connections of the kernel's TCP$/);
  assert.match(reasons(ROLES.c, {}, { connections: 0, datagrams: 1 }), /^1 datagrams of the kernel's UDP$/);
  assert.match(reasons(ROLES.c, { datagrams_read: 4 }), /^4 datagrams were read in netcon, at least 5/);
  assert.match(reasons(ROLES.e, { datagrams_in: 4 }), /^9 datagrams passed netcon's link, at least 10/);
  // A counter that netcon does not have proves nothing.
  assert.notEqual(reasons(ROLES.c, { datagrams_read: undefined }), '');
});

test('the kernel’s counters are those of both families', () => {
  const text = `Ip: Forwarding InReceives
Ip: 1 99
Tcp: RtoAlgorithm ActiveOpens PassiveOpens
Tcp: 1 2 3
Udp: InDatagrams NoPorts OutDatagrams
Udp: 10 77 20
Udp6InDatagrams                 	100
Udp6NoPorts                     	77
Udp6OutDatagrams                	200
`;
  assert.deepEqual(parseSnmp(text), { connections: 5, datagrams: 330 });
  // A kernel without what was looked for must not look like one that counted nothing.
  assert.deepEqual(parseSnmp('nonsense'), { connections: Number.NaN, datagrams: Number.NaN });
  assert.notDeepEqual(bypassed(ROLES.c, APP, PROVEN, parseSnmp('nonsense')), []);
});

test('real programs that were put past netcon are reported as BROKEN', async () => {
  const args = [`${E2E}apps/run.mjs`, '--bypass', '--role', 'b,c', 'dnsmasq'];
  const { code, stdout } = await run(process.execPath, args, { ms: 100_000 });
  assert.equal(code, 1, stdout);
  assert.match(stdout, /^dnsmasq +b +BROKEN .*no connection was made in netcon.* 0 datagrams were read in netcon/m);
  assert.match(
    stdout,
    /^dnsmasq +c +BROKEN .*[1-9]\d* connections of the kernel's TCP.*\d\d datagrams of the kernel's UDP/m,
  );
  assert.match(stdout, /^0 of 2 work/m);
});

test('every program has a script, a kind and a port of its own', () => {
  assert.equal(new Set(APPS.map((app) => app.name)).size, APPS.length);
  assert.equal(new Set(APPS.map((app) => app.port)).size, APPS.length);
});
