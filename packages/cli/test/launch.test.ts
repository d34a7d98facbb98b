import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NetconError } from '@netcon/api/local';
import { exitStatus, explain } from '../src/exit.js';
import { callerDirectory, launchEnvironment, takeLaunch } from '../src/launch.js';
import { age, table } from '../src/table.js';

test("the launcher's records are read, and no program sees them", () => {
  const env = { A: '1', NETCON_LAUNCH_NOFILE: '1024', NETCON_LAUNCH_SIGIGN: '0000000000001001' };
  assert.deepEqual(takeLaunch(env), { nofileSoft: 1024, ignoreSignals: [1, 13] });
  assert.deepEqual(env, { A: '1' });
});

test('records that are missing or broken change nothing', () => {
  assert.deepEqual(takeLaunch({}), { ignoreSignals: [] });
  const broken = { NETCON_LAUNCH_NOFILE: 'unlimited', NETCON_LAUNCH_SIGIGN: 'xyz' };
  assert.deepEqual(takeLaunch(broken), { ignoreSignals: [] });
});

test('a launcher that we start in turn gets the same records', () => {
  for (const launch of [{ nofileSoft: 256, ignoreSignals: [1, 17, 64] }, { ignoreSignals: [] }]) {
    assert.deepEqual(takeLaunch(launchEnvironment(launch)), launch);
  }
});

test('only the workspace script `netcon` stands where pnpm has put it', () => {
  assert.equal(callerDirectory({ npm_lifecycle_event: 'netcon', INIT_CWD: '/home' }), '/home');
  assert.equal(callerDirectory({ npm_lifecycle_event: 'start', INIT_CWD: '/home' }), undefined);
  assert.equal(callerDirectory({ INIT_CWD: '/home' }), undefined);
});

const statuses: [code: ConstructorParameters<typeof NetconError>[0], runsApp: boolean, want: number][] = [
  ['NETCON_ADDRESS_INVALID', false, 2],
  ['NETCON_BYPASS_BAD', true, 2],
  ['NETCON_APP_NOT_FOUND', true, 127],
  ['NETCON_APP_STATIC', true, 126],
  ['NETCON_SERVICE_ABSENT', true, 125],
  ['NETCON_SERVICE_ABSENT', false, 1],
  ['NETCON_TAP_BUSY', false, 1],
  ['NETCON_TAP_BUSY', true, 125],
];

for (const [code, runsApp, want] of statuses) {
  test(`${code} ends ${runsApp ? 'a command with an app' : 'a command'} with ${want}`, () => {
    assert.equal(exitStatus(new NetconError(code, 'x'), runsApp), want);
  });
}

test('an error is told with what was tried, its code and the remedy', () => {
  const text = explain(new NetconError('NETCON_SERVICE_ABSENT', '/x: no service there'));
  assert.equal(text, 'netcon: /x: no service there [NETCON_SERVICE_ABSENT]\n  what to do: start one: netcon service\n');
  assert.match(explain(new TypeError('oops')), /oops[\s\S]*at /);
});

test('columns are as wide as their widest cell', () => {
  const text = table(
    ['A', 'Num'],
    [
      ['long', '1'],
      ['x', '23'],
    ],
    [1],
  );
  assert.equal(text, 'A     Num\nlong    1\nx      23\n');
});

test('a program cannot steer the terminal by its name', () => {
  assert.equal(table(['P'], [['a\u001b[2Jb\u0007']]), 'P\na?[2Jb?\n');
});

const ages: [milliseconds: number, want: string][] = [
  [0, '0ms'],
  [999, '999ms'],
  [1000, '1s'],
  [61_000, '1m1s'],
  [3_720_000, '1h2m'],
  [90_000_000, '1d1h'],
];

for (const [milliseconds, want] of ages) {
  test(`${milliseconds} ms reads ${want}`, () => assert.equal(age(milliseconds), want));
}
