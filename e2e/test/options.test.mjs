/**
 * Every socket option of TCP sockets, natively and in netcon: docs/options.md is the table that this test measures.
 * `UPDATE_OPTIONS=1 node --test test/options.test.mjs` writes it anew.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { Namespace } from '../lib/netns.mjs';
import { optionsPage, parseOptions } from '../lib/options.mjs';
import { BIN, E2E } from '../lib/paths.mjs';
import { Service } from '../lib/service.mjs';

const PAGE = `${E2E}../docs/options.md`;
const LIMITS = readFileSync(`${E2E}../docs/limits.md`, 'utf8');
/** Options that differ, and the words of docs/limits.md that say why. */
const KNOWN = JSON.parse(readFileSync(`${E2E}differential/known-options.json`, 'utf8'));

describe('socket options', () => {
  const measured = {};
  before(async () => {
    const native = new Namespace();
    const service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });
    for (const family of ['4', '6']) {
      measured[family] = {
        native: parseOptions(await native.must(`${BIN}options-table`, [family])),
        netcon: parseOptions(await service.must(`${BIN}options-table`, [family])),
      };
    }
    after(() => service.stop());
  });

  test('are as with kernel TCP, but for those that docs/limits.md explains', () => {
    const differing = new Set();
    for (const { native, netcon } of Object.values(measured)) {
      assert.deepEqual([...netcon.keys()], [...native.keys()]);
      for (const [name, line] of native) {
        if (netcon.get(name) === line) continue;
        differing.add(name);
        assert.ok(KNOWN[name], `${name}\n  native: ${line}\n  netcon: ${netcon.get(name)}`);
      }
    }
    assert.deepEqual([...differing].sort(), Object.keys(KNOWN).sort(), 'each known difference is still one');
    for (const words of Object.values(KNOWN))
      assert.ok(LIMITS.includes(words), `docs/limits.md does not say: ${words}`);
  });

  test('stand in docs/options.md as they were measured', () => {
    const page = optionsPage(measured, KNOWN);
    if (process.env.UPDATE_OPTIONS) writeFileSync(PAGE, page);
    assert.equal(readFileSync(PAGE, 'utf8'), page, 'run: UPDATE_OPTIONS=1 node --test test/options.test.mjs');
  });
});
