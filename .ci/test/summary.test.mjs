// The last line of `.ci/run`: what each kind of test printed is counted, and nothing that failed is lost.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

function summary(log) {
  const dir = mkdtempSync(join(tmpdir(), 'netcon-summary-'));
  writeFileSync(join(dir, 'log'), log);
  const { stdout, status } = spawnSync(
    process.execPath,
    [resolve(import.meta.dirname, '../summary.mjs'), `${dir}/log`],
    {
      encoding: 'utf8',
    },
  );
  rmSync(dir, { recursive: true });
  return [stdout.trim(), status];
}

test('every kind of test is counted', () => {
  const log = `# pass 3
# fail 0
ℹ pass 4
test result: ok. 10 passed; 0 failed; 1 ignored; 0 measured
Ran 20 tests in 3.3s

OK (skipped=2)
nginx             a      WORKS         0.1 s  curl
118 of 118 work, 300 s
`;
  assert.deepEqual(summary(log), ['153 passed, 0 failed, 3 skipped', 0]);
});

test('what failed fails the whole, each kind for itself', () => {
  const good = '# pass 3\n';
  for (const [line, failed] of [
    ['# fail 2\n', 2],
    ['# cancelled 1\n', 1],
    ['test result: FAILED. 0 passed; 4 failed; 0 ignored\n', 4],
    ['Ran 2 tests in 0.1s\n\nFAILED (failures=1, errors=1)\n', 2],
    ['5 of 8 work, 12 s\n', 3],
  ]) {
    const [said, status] = summary(good + line);
    assert.match(said, new RegExp(` ${failed} failed`));
    assert.equal(status, 1);
  }
  assert.deepEqual(summary(''), ['0 passed, 0 failed, 0 skipped', 1]);
});
