// summary.mjs LOG: adds up what node:test, cargo test, unittest and the matrix reported and prints 'N passed, N failed, N skipped'. Fails if
// something failed, or if nothing ran.
import { readFileSync } from 'node:fs';

const log = readFileSync(process.argv[2], 'utf8');
const total = { passed: 0, failed: 0, skipped: 0 };

// node:test, TAP ("# pass 3") and spec ("ℹ pass 3") alike. A cancelled test has not passed.
const fields = { pass: 'passed', fail: 'failed', cancelled: 'failed', skipped: 'skipped', todo: 'skipped' };
for (const [, field, number] of log.matchAll(/^(?:#|ℹ) (pass|fail|cancelled|skipped|todo) (\d+)$/gm)) {
  total[fields[field]] += Number(number);
}
for (const [, passed, failed, ignored] of log.matchAll(
  /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm,
)) {
  total.passed += Number(passed);
  total.failed += Number(failed);
  total.skipped += Number(ignored);
}

// unittest: "Ran 28 tests in 3.3s", then "OK" or "FAILED (failures=1, errors=2)", with "skipped=1" in either.
for (const [, ran, verdict] of log.matchAll(/^Ran (\d+) tests? in [\d.]+s\s+((?:OK|FAILED).*)$/gm)) {
  const count = (what) => Number(new RegExp(`${what}=(\\d+)`).exec(verdict)?.[1] ?? 0);
  const failed = count('failures') + count('errors');
  total.failed += failed;
  total.skipped += count('skipped');
  total.passed += Number(ran) - failed - count('skipped');
}

// The matrix: "113 of 120 work, 477 s", one for each program and role.
for (const [, works, all] of log.matchAll(/^(\d+) of (\d+) work, \d+ s$/gm)) {
  total.passed += Number(works);
  total.failed += Number(all) - Number(works);
}

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
if (total.passed === 0 || total.failed > 0) process.exit(1);
