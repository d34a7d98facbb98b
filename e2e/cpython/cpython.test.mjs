/**
 * CPython's own tests of everything that uses sockets, each module natively and under netcon, where the only loopback
 * is netcon's: what passes natively passes under netcon. What may not stands in known-failures.json.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { count, KNOWN_FAILURES, outcome, runTests, suspects } from '../lib/cpython.mjs';
import { Namespace } from '../lib/netns.mjs';
import { E2E } from '../lib/paths.mjs';
import { Service } from '../lib/service.mjs';
import { MODULES } from './modules.mjs';

/** Most of the tests wait for something most of the time. */
const AT_ONCE = 4;

/** More than a machine under load makes differ: nothing is gained by running each of them alone. */
const MAX_AGAIN = 60;

/** What has to be looked at once more, and the known failures seen. */
const differing = [];
const seen = new Set();
const total = { native: 0, netcon: 0 };

describe('CPython’s tests run natively and under netcon', { concurrency: AT_ONCE, timeout: 900_000 }, () => {
  for (const module of MODULES) {
    test(module.title, async (t) => {
      const [native, netcon] = await inBoth((place) => runTests({ ...place, ...module }));
      t.diagnostic(`natively ${count(native)}; under netcon ${count(netcon)}`);
      const passed = [...native.keys()].filter((id) => outcome(native, id) === 'ok');
      assert.ok(passed.length > 0, 'no test of the module passes natively');
      total.native += passed.length;
      total.netcon += passed.filter((id) => outcome(netcon, id) === 'ok').length;
      for (const id of suspects(native, netcon)) {
        const ends = `natively ${outcome(native, id)}, under netcon ${outcome(netcon, id)}`;
        t.diagnostic(`${id}: ${ends}${known(id) ? ' (known)' : ''}`);
        if (!known(id)) differing.push({ ...module, id });
        else if (outcome(native, id) === 'ok') seen.add(id);
      }
    });
  }
});

// A machine under load is not to be held against netcon: alone, a test that differed has to differ again.
test('what passes natively passes under netcon', { timeout: 600_000 }, async (t) => {
  const again = [];
  if (differing.length > MAX_AGAIN) assert.fail(`${differing.length} tests differ, listed above`);
  for (const { id, ...module } of differing) {
    const [native, netcon] = await inBoth((place) => runTests({ ...place, ...module, only: id }));
    const ends = `${id}: natively ${outcome(native, id)}, under netcon ${outcome(netcon, id)}`;
    t.diagnostic(`alone, ${ends}`);
    if (outcome(native, id) !== 'ok') continue;
    if (outcome(netcon, id) === 'ok') total.netcon += 1;
    else again.push(`${ends}\n${netcon.get(id)?.detail ?? ''}`);
  }
  t.diagnostic(`${total.native} tests pass natively, ${total.netcon} of them under netcon`);
  if (again.length > 0) assert.fail(`\n${again.join('\n')}`);
});

test('each known failure is still one, and explained', () => {
  const limits = readFileSync(`${E2E}../docs/limits.md`, 'utf8');
  for (const entry of KNOWN_FAILURES) {
    assert.ok(limits.includes(`| ${entry.limits} |`), `docs/limits.md has no row: ${entry.limits}`);
  }
  const fixed = KNOWN_FAILURES.filter((entry) => !entry.sometimes && !seen.has(entry.test));
  assert.deepEqual(fixed, [], 'passed now: take them out of known-failures.json');
});

/** Acts with the kernel's loopback, and with netcon's in a namespace that has no other. */
async function inBoth(act) {
  const native = new Namespace();
  const service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });
  try {
    return await Promise.all([native, service].map((place) => act({ start: (...args) => place.start(...args) })));
  } finally {
    await service.stop();
    service.ns.remove();
    native.remove();
  }
}

function known(id) {
  return KNOWN_FAILURES.find((entry) => entry.test === id);
}
