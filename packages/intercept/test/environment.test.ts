import assert from 'node:assert/strict';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { type Native, NetconError } from '@netcon/core-rs';
import { bypassList, findLibrary, intercept, interceptEnvironment, libraryPath } from '../src/index.js';
import { elf, Fixtures } from './fixtures.js';

const files = new Fixtures();
after(() => files.remove());
const library = '/opt/netcon/libnetcon.so';

test('the environment keeps what was there and says where the service is', () => {
  const env = interceptEnvironment({ HOME: '/root', NONE: undefined }, library, { socket: '/s' });
  assert.deepEqual(env, { HOME: '/root', LD_PRELOAD: library, NETCON_SOCKET: '/s' });
});

test('strict is told to the library', () => {
  assert.equal(interceptEnvironment({}, library, { socket: '/s', strict: true }).NETCON_STRICT, '1');
  assert.equal('NETCON_STRICT' in interceptEnvironment({}, library, { socket: '/s', strict: false }), false);
});

test('paths are absolute: the program may change its directory', () => {
  const env = interceptEnvironment({}, library, { socket: 's', trace: 't' });
  assert.equal(env.NETCON_SOCKET, join(process.cwd(), 's'));
  assert.equal(env.NETCON_TRACE, join(process.cwd(), 't'));
});

const preloads: [given: string, want: string, why: string][] = [
  ['/a.so', `${library} /a.so`, 'kept, behind ours'],
  ['/a.so:/b.so', `${library} /a.so /b.so`, 'both separators of ld.so(8)'],
  [library, library, 'not twice'],
  ['', library, 'empty'],
];

for (const [given, want, why] of preloads) {
  test(`LD_PRELOAD="${given}" becomes "${want}": ${why}`, () => {
    assert.equal(interceptEnvironment({ LD_PRELOAD: given }, library, { socket: '/s' }).LD_PRELOAD, want);
  });
}

for (const path of ['/my files/libnetcon.so', '/a:b/libnetcon.so']) {
  test(`${path} can't be preloaded, which is said`, () => {
    assert.throws(() => interceptEnvironment({}, path, { socket: '/s' }), {
      code: 'NETCON_LIBRARY_MISSING',
      message: /space or a colon/,
    });
  });
}

test('bypass takes all, networks and addresses', () => {
  assert.equal(bypassList(['10.0.0.0/8', 'fd00::/8,192.0.2.1']), '10.0.0.0/8,fd00::/8,192.0.2.1');
  assert.equal(bypassList(['10.0.0.0/8', 'all']), 'all');
  assert.equal(interceptEnvironment({}, library, { socket: '/s', bypass: ['all'] }).NETCON_BYPASS, 'all');
  assert.equal('NETCON_BYPASS' in interceptEnvironment({}, library, { socket: '/s', bypass: [] }), false);
});

for (const entry of ['', 'none', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'fd00::/129', '10.0.0.0/a', ',']) {
  test(`--bypass "${entry}" is refused`, () => {
    assert.throws(() => bypassList([entry]), { code: 'NETCON_BYPASS_BAD' });
  });
}

test('a library that is not there is missed', () => {
  assert.throws(() => findLibrary(join(files.dir, 'none.so')), { code: 'NETCON_LIBRARY_MISSING' });
  assert.equal(findLibrary(files.file('lib.so', '')), join(files.dir, 'lib.so'));
  assert.match(libraryPath(), /packages\/intercept\/dist\/libnetcon\.so$/);
});

test('an installed library is the one beside the packages', () => {
  const module = join(files.dir, 'node_modules/.pnpm/x/node_modules/@netcon/intercept/dist/src/library.js');
  assert.equal(libraryPath(module), resolve(module, '../../libnetcon.so'));
  const installed = files.file('libnetcon.so', '');
  assert.equal(libraryPath(module), installed);
});

const errors: [errno: string | undefined, code: string][] = [
  ['ENOENT', 'NETCON_APP_NOT_FOUND'],
  ['ENOEXEC', 'NETCON_APP_FORMAT'],
  ['EACCES', 'NETCON_APP_DENIED'],
  ['E2BIG', 'NETCON_APP_DENIED'],
  [undefined, 'NETCON_NATIVE_FAILED'],
];

for (const [errno, code] of errors) {
  test(`an execve that fails with ${errno} is ${code}`, () => {
    const { app, options } = setting();
    const execReplace: Native['execReplace'] = () => {
      throw new NetconError('NETCON_NATIVE_FAILED', 'execve', errno === undefined ? {} : { errno });
    };
    assert.throws(() => intercept([app], options, { ignoreSignals: [] }, {}, { execReplace }), { code });
  });
}

test('the program gets its own name, its arguments and what Node changed', () => {
  const { app, options } = setting();
  const calls: unknown[] = [];
  const execReplace: Native['execReplace'] = (...args) => {
    calls.push(args);
    throw new Error('replaced');
  };
  const launch = { nofileSoft: 1024, ignoreSignals: [1] };
  assert.throws(() => intercept([app, '-x', ''], options, launch, { A: '1' }, { execReplace }));
  assert.deepEqual(calls, [
    [app, [app, '-x', ''], ['A=1', `LD_PRELOAD=${options.library}`, 'NETCON_SOCKET=/s'], { ...launch, channel: '/s' }],
  ]);
});

function setting() {
  const machine = process.arch === 'arm64' ? 183 : 62;
  return {
    app: files.file('app', elf({ machine })),
    options: { socket: '/s', library: files.file('libnetcon.so', '') },
  };
}
