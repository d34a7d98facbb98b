/**
 * Each program of differential/ runs natively and under netcon, over IPv4 and IPv6: return values, errnos,
 * events and addresses are compared line by line. What may differ stands in known-differences.json.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { differences, GLIBC_ONLY, KNOWN, knownEntry } from '../lib/differential.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN, E2E } from '../lib/paths.mjs';
import { Service } from '../lib/service.mjs';

const PROGRAMS = readdirSync(`${E2E}differential`)
  .filter((name) => name.endsWith('.c'))
  .map((name) => name.slice(0, -2));
const MS = 25_000;

/** Programs that ask which addresses share the port a connection took: a stranger's connection may be at the same. */
const ALONE = ['bind-rules', 'bind-table'];

/** What there is to run: the directory, its programs, the families. */
const BUILDS = [
  { bin: BIN, programs: PROGRAMS, families: [4, 6], made: '' },
  {
    bin: `${BIN}musl/`,
    programs: PROGRAMS.filter((name) => !GLIBC_ONLY.includes(name)),
    families: [4],
    made: ', built with musl',
  },
];

describe('a program sees the same as with kernel TCP', { concurrency: 2 }, () => {
  const used = new Set();
  let native;
  let service;

  const startService = () => Service.start(new Namespace({ loopback: false }), { args: ['--no-tap'] });

  before(async () => {
    native = new Namespace();
    service = await startService();
  });
  after(() => service.stop());

  for (const { bin, programs, families, made } of BUILDS) {
    for (const [program, family] of programs.flatMap((name) => families.map((family) => [name, family]))) {
      test(`${program}, IPv${family}${made}`, async () => {
        const args = [String(family)];
        const alone = ALONE.includes(program);
        const expected = await (alone ? new Namespace() : native).run(`${bin}${program}`, args, { ms: MS });
        assert.equal(expected.code, 0, `natively: ${expected.stdout.slice(-500)} ${expected.stderr}`);
        const under = alone ? await startService() : service;
        const actual = await under.run(`${bin}${program}`, args, { ms: MS });
        if (alone) await under.stop();
        const unknown = differences(expected.stdout, actual.stdout).filter((found) => {
          const entry = knownEntry(program, family, found);
          if (entry) used.add(entry);
          return !entry;
        });
        const lines = unknown.map(
          ({ section, native, netcon }) => `[${section}]\n  native: ${native}\n  netcon: ${netcon}\n`,
        );
        if (lines.length > 0) assert.fail(`\n${lines.join('')}`);
        assert.equal(actual.code, 0, `under netcon: ${actual.code ?? actual.signal} ${actual.stderr}`);
      });
    }
  }

  test('each known difference is still one, and explained', () => {
    const limits = readFileSync(`${E2E}../docs/limits.md`, 'utf8');
    assert.deepEqual(
      KNOWN.filter((entry) => !entry.sometimes && !used.has(entry)),
      [],
    );
    for (const entry of KNOWN) assert.ok(limits.includes(entry.limits), `docs/limits.md does not say: ${entry.limits}`);
  });
});
