import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromNative, guarded, NetconError } from '../src/native.js';

const tables: [thrown: unknown, code: string, message: string, errno: string | undefined, why: string][] = [
  [Object.assign(new Error('no'), { code: 'NETCON_TAP_BUSY' }), 'NETCON_TAP_BUSY', 'no', undefined, 'code of a call'],
  [new Error('NETCON_TAP_BUSY: no'), 'NETCON_TAP_BUSY', 'no', undefined, 'code of a rejected promise'],
  [
    Object.assign(new Error('execve x'), { code: 'ENOENT' }),
    'NETCON_NATIVE_FAILED',
    'execve x',
    'ENOENT',
    'an errno is kept',
  ],
  [
    Object.assign(new Error('ENOENT: x'), { code: 'GenericFailure' }),
    'NETCON_NATIVE_FAILED',
    'x',
    'ENOENT',
    'napi puts its own status into code',
  ],
  [new Error('a: b'), 'NETCON_NATIVE_FAILED', 'a: b', undefined, 'a message with a colon is a message'],
  ['text', 'NETCON_NATIVE_FAILED', 'text', undefined, 'anything may be thrown'],
];

for (const [thrown, code, message, errno, why] of tables) {
  test(`an error of the addon becomes a NetconError: ${why}`, () => {
    const error = fromNative(thrown);
    assert.deepEqual([error.code, error.message, error.errno], [code, message, errno], why);
    assert.notEqual(error.hint, '');
  });
}

test('a NetconError passes unchanged', () => {
  const error = new NetconError('NETCON_TAP_NAME', 'bad');
  assert.equal(fromNative(error), error);
});

test('methods of a guarded object throw and reject with NetconErrors, and keep their this', async () => {
  class Thing {
    private readonly value = 7;
    now(): number {
      return this.value;
    }
    fail(): void {
      throw Object.assign(new Error('no'), { code: 'NETCON_SOCKET_BIND' });
    }
    async later(): Promise<void> {
      throw new Error('NETCON_ENGINE_FAILED: gone');
    }
  }
  const thing = guarded(new Thing());
  assert.equal(thing.now(), 7);
  assert.throws(() => thing.fail(), { name: 'NetconError', code: 'NETCON_SOCKET_BIND' });
  await assert.rejects(thing.later(), { name: 'NetconError', code: 'NETCON_ENGINE_FAILED', message: 'gone' });
});
