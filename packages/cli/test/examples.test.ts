import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launcher, Place } from './run.js';

const place = new Place();
after(() => place.remove());

const examples = join(place.dir, 'examples');
cpSync(fileURLToPath(new URL('../../../../examples', import.meta.url)), examples, { recursive: true });
const compiler = spawnSync('cc', ['--version']).status === 0 && spawnSync('make', ['--version']).status === 0;

// check.sh compares SHA-256 sums of everything that it transfers, in both directions.
test('the examples transfer their data within netcon', { skip: !compiler && 'needs make and cc' }, async (t) => {
  const built = spawnSync('make', ['-C', examples], { encoding: 'utf8' });
  assert.equal(built.status, 0, built.stderr);

  await t.test('all run by one intercepted shell', () => {
    const ran = place.run(['service', '--no-tap', '--socket', place.socket, '--', 'sh', join(examples, 'check.sh')]);
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /== ok\n$/);
  });

  await t.test('each by netcon intercept', async () => {
    const service = await place.service();
    const ran = spawnSync('sh', [join(examples, 'check.sh')], {
      env: { ...place.env, PREFIX: `${launcher} intercept --socket ${place.socket}` },
      encoding: 'utf8',
      timeout: 60_000,
    });
    await service.stop();
    assert.equal(ran.status, 0, ran.stdout + ran.stderr);
    assert.match(ran.stdout, /== ok\n$/);
  });
});
