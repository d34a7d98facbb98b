/** Everything a user can get wrong: the message, the exit status, and that nothing stays behind. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python, startPythonHttp } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { NETCON } from '../lib/paths.mjs';
import { Process, which } from '../lib/process.mjs';
import { Service, scratch } from '../lib/service.mjs';
import { asUser, UID, withTun } from '../lib/unprivileged.mjs';

let ns;
let service;
before(async () => {
  ns = new Namespace();
  service = await Service.start(ns);
});
after(() => service?.stop());

/** A command that must fail like this; `code` is the stable one of docs/errors.md. */
async function fails(command, args, { exit, code, says, ...options }) {
  const status = await ns.run(command, args, options);
  assert.equal(status.code, exit, `${args.join(' ')}\n${status.stderr}`);
  assert.match(status.stderr, new RegExp(`\\[${code}\\]\\n  what to do: \\S`));
  if (says) assert.match(status.stderr, says);
  assert.doesNotMatch(status.stderr, /^ {4}at /m, 'no stack trace');
  assert.equal(status.stdout, '');
  return status;
}

describe('netcon intercept', () => {
  const app = (file, options) => fails(NETCON, ['intercept', '--socket', service.socket, file], options);

  test('no service', async () => {
    const dir = scratch();
    const socket = `${dir}/none.sock`;
    await fails(NETCON, ['intercept', '--socket', socket, 'true'], {
      exit: 125,
      code: 'NETCON_SERVICE_ABSENT',
      says: /none\.sock/,
    });
    // A socket file that a killed service left.
    execFileSync(python(), [
      '-c',
      `import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("${socket}")`,
    ]);
    await fails(NETCON, ['intercept', '--socket', socket, 'true'], { exit: 125, code: 'NETCON_SERVICE_ABSENT' });
    await fails(NETCON, ['intercept', 'true'], {
      exit: 125,
      code: 'NETCON_SERVICE_ABSENT',
      env: { XDG_RUNTIME_DIR: dir },
    });
    await fails(NETCON, ['show', '--socket', socket], { exit: 1, code: 'NETCON_SERVICE_ABSENT' });
  });

  test('a service of another version, a service that is none, one that is silent', async () => {
    const dir = scratch();
    for (const [reply, code] of [
      ["b'NC' + bytes([2]) + frame[3:6] + b'\\1\\0' + frame[8:12] + bytes(4)", 'NETCON_SERVICE_VERSION'],
      ["b'HTTP/1.1 400 Bad Request'", 'NETCON_RPC_MALFORMED'],
      ['None', 'NETCON_SERVICE_SILENT'],
    ]) {
      const socket = `${dir}/${code}.sock`;
      const fake = new Process(python(), [
        '-u',
        '-c',
        `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind("${socket}"); s.listen(8); print("up")
held = []
while True:
    c, _ = s.accept(); held.append(c); frame = c.recv(4096); reply = ${reply}
    if reply: c.send(reply)
`,
      ]);
      await fake.says(/up/);
      await fails(NETCON, ['intercept', '--socket', socket, 'true'], { exit: 125, code });
      await fake.stop();
    }
  });

  test('a missing program', () =>
    app('/no/such/program', { exit: 127, code: 'NETCON_APP_NOT_FOUND', says: /\/no\/such\/program/ }));
  test('a program missing from PATH', () => app('no-such-program', { exit: 127, code: 'NETCON_APP_NOT_FOUND' }));
  test('a directory', () => app('/tmp', { exit: 126, code: 'NETCON_APP_DENIED' }));
  test('a file that may not be executed', () => app('/etc/passwd', { exit: 126, code: 'NETCON_APP_DENIED' }));

  test('a static binary', async () => {
    const dir = scratch();
    writeFileSync(`${dir}/s.c`, 'int main(void) { return 0; }\n');
    execFileSync('gcc', ['-static', '-o', `${dir}/static`, `${dir}/s.c`]);
    await app(`${dir}/static`, { exit: 126, code: 'NETCON_APP_STATIC', says: /static/ });
    writeFileSync(`${dir}/script`, `#!${dir}/static\n`);
    chmodSync(`${dir}/script`, 0o755);
    await app(`${dir}/script`, { exit: 126, code: 'NETCON_APP_STATIC' });
  });

  test('a set-user-id binary of another user', async () => {
    const dir = scratch();
    copyFileSync(which('true'), `${dir}/setuid`);
    chownSync(`${dir}/setuid`, UID, UID);
    chmodSync(`${dir}/setuid`, 0o4755);
    await app(`${dir}/setuid`, { exit: 126, code: 'NETCON_APP_SETUID' });
  });

  test('a 32-bit binary', async () => {
    const file = `${scratch()}/elf32`;
    // The headers of an i386 executable with an interpreter: netcon reads no more of it.
    const elf = Buffer.alloc(84 + 19);
    elf.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
    elf.writeUInt16LE(2, 16);
    elf.writeUInt16LE(3, 18);
    elf.writeUInt32LE(1, 20);
    elf.writeUInt32LE(52, 28);
    elf.writeUInt16LE(52, 40);
    elf.writeUInt16LE(32, 42);
    elf.writeUInt16LE(1, 44);
    elf.writeUInt32LE(3, 52);
    elf.writeUInt32LE(84, 56);
    elf.writeUInt32LE(19, 68);
    elf.write('/lib/ld-linux.so.2\0', 84);
    writeFileSync(file, elf, { mode: 0o755 });
    await app(file, { exit: 126, code: 'NETCON_APP_32BIT' });
  });

  test('a file that is no program', async () => {
    const file = `${scratch()}/data`;
    writeFileSync(file, Buffer.from([0, 1, 2, 3]), { mode: 0o755 });
    await app(file, { exit: 126, code: 'NETCON_APP_FORMAT' });
  });

  test('bad options', async () => {
    await fails(NETCON, ['intercept', '--socket', service.socket, '--bypass', 'nonsense', 'true'], {
      exit: 2,
      code: 'NETCON_BYPASS_BAD',
    });
    for (const args of [
      ['intercept'],
      ['intercept', '--no-such-option', 'true'],
      ['no-such-command'],
      ['show', '--pid', 'x'],
    ]) {
      const status = await ns.run(NETCON, args);
      assert.equal(status.code, 2, args.join(' '));
      assert.match(status.stderr, /^netcon: /);
    }
  });

  test('a user whom the service does not admit, and one whom it does', async () => {
    const [setpriv, ...words] = asUser();
    const args = (socket) => [...words, NETCON, 'intercept', '--socket', socket, 'true'];
    chmodSync(service.dir, 0o755);
    const refused = await ns.run(setpriv, args(service.socket));
    assert.equal(refused.code, 125, refused.stderr);
    assert.match(refused.stderr, /\[NETCON_(POLICY_REFUSED|SERVICE_DENIED)\]\n {2}what to do: .*--allow/);
    const open = new Service(ns, { args: ['--no-tap', '--allow', 'user:nobody'] });
    chmodSync(open.dir, 0o755);
    await open.process.says(/^ {2}try /m);
    const admitted = await ns.run(setpriv, args(open.socket));
    assert.equal(admitted.code, 0, admitted.stderr);
    await open.stop();
  });

  test('a service of another ordinary user is not trusted', async () => {
    const dir = scratch();
    chownSync(dir, UID, UID);
    const theirs = await Service.start(ns, { dir, args: ['--no-tap', '--allow', 'all'], wrap: asUser() });
    const other = [
      'setpriv',
      ['--reuid=12345', '--regid=12345', '--clear-groups', NETCON, 'intercept', '--socket', theirs.socket, 'true'],
    ];
    chmodSync(dir, 0o755);
    await fails(...other, { exit: 125, code: 'NETCON_SERVICE_UNTRUSTED' });
    await theirs.stop();
  });
});

describe('netcon service', () => {
  /** The service must not start, and must leave nothing: no interface, no file. */
  async function refuses(args, expectation, { wrap = [], dir = scratch() } = {}) {
    const interfaces = ns.interfaces();
    const files = readdirSync(dir);
    const [command, ...rest] = [...wrap, NETCON, 'service', '--socket', `${dir}/service.sock`, ...args];
    await fails(command, rest, expectation);
    assert.deepEqual(ns.interfaces(), interfaces);
    assert.deepEqual(readdirSync(dir), files);
  }

  test('a tap name that another service uses', () =>
    refuses(['--tap', 'nc0'], { exit: 1, code: 'NETCON_TAP_BUSY', says: /nc0/ }));
  test('the name of an interface that is no tap', () =>
    refuses(['--tap', 'lo'], { exit: 1, code: 'NETCON_TAP_(BUSY|NAME|FAILED)', says: /lo/ }));
  test('an impossible tap name', () =>
    refuses(['--tap', 'a-name-that-is-far-too-long'], { exit: 2, code: 'NETCON_TAP_NAME' }));
  test('a bad CIDR', async () => {
    for (const cidr of ['10.77.0.2', '10.77.0.2/33', '10.77.0/24', 'fd77::2/129', 'banana', '']) {
      await refuses(['--no-tap', '--address', cidr], { exit: 2, code: 'NETCON_ADDRESS_INVALID' });
    }
    await refuses(['--tap', 'nc9', '--host-address', '10.77.0.0/abc'], { exit: 2, code: 'NETCON_ADDRESS_INVALID' });
  });
  test('one address for both ends', () =>
    refuses(['--tap', 'nc9', '--address', '10.77.9.2/24', '--host-address', '10.77.9.2/24'], {
      exit: 2,
      code: 'NETCON_ADDRESS_CONFLICT',
    }));
  test('bad options', async () => {
    await refuses(['--no-tap', '--fault', 'loss=200%'], { exit: 2, code: 'NETCON_OPTION_BAD' });
    await refuses(['--no-tap', '--name', '../escape'], { exit: 2, code: 'NETCON_OPTION_BAD' });
    await refuses(['--no-tap', '--allow', 'user:no-such-user'], { exit: 2, code: 'NETCON_POLICY_UNKNOWN' });
  });
  test('a socket path that is too long', () =>
    fails(NETCON, ['service', '--no-tap', '--socket', `/tmp/${'x'.repeat(120)}.sock`], {
      exit: 2,
      code: 'NETCON_SOCKET_TOO_LONG',
    }));
  test('a directory that cannot be written', async () => {
    const dir = scratch();
    chmodSync(dir, 0o755);
    await refuses(
      ['--no-tap'],
      { exit: 1, code: 'NETCON_(SOCKET_BIND|NATIVE_FAILED|SYSTEM)' },
      { wrap: asUser(), dir },
    );
  });
  test('a second service of the same name', async () => {
    const status = await fails(NETCON, ['service', '--no-tap', '--socket', service.socket], {
      exit: 1,
      code: 'NETCON_ALREADY_RUNNING',
    });
    assert.match(status.stderr, new RegExp(String(service.pid)));
    assert.equal((await service.run('true', [])).code, 0, 'the first one serves on');
  });
  test('a missing app', () =>
    refuses(['--tap', 'nc9', '--', 'no-such-program'], { exit: 127, code: 'NETCON_APP_NOT_FOUND' }));

  test('no right to open a tap: says so, and serves programs among themselves', async () => {
    const dir = scratch();
    chownSync(dir, UID, UID);
    for (const [wrap, code] of [
      [withTun('0600'), 'TAP_DENIED'],
      [withTun(null), 'TAP_NO_DEVICE'],
    ]) {
      const poor = await Service.start(ns, { dir, args: ['--tap', 'nc9'], wrap: [...wrap, ...asUser()] });
      assert.match(poor.process.stdout, /no tap/);
      assert.match(poor.process.stdout, /programs reach each other only/, code);
      assert.match(poor.process.stdout, code === 'TAP_DENIED' ? /ip tuntap add/ : /modprobe tun|\/dev\/net\/tun/);
      assert.equal((await poor.stop()).code, 0);
    }
  });
});

test('an address that another program in netcon uses', async () => {
  const first = await startPythonHttp(service, scratch(), 8080, '0.0.0.0');
  const second = await service.run(python(), ['-m', 'http.server', '--bind', '0.0.0.0', '8080']);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /OSError: \[Errno 98\] Address already in use/);
  const elsewhere = await service.run(python(), ['-m', 'http.server', '--bind', '10.99.99.99', '8081']);
  assert.match(elsewhere.stderr, /OSError: \[Errno 99\] Cannot assign requested address/);
  await first.stop();
});

test('a symbolic link to netcon works, from any directory', async () => {
  const dir = scratch();
  mkdirSync(`${dir}/bin`);
  symlinkSync(NETCON, `${dir}/bin/netcon`);
  assert.match(await ns.must(`${dir}/bin/netcon`, ['--version'], { cwd: '/' }), /^\d+\.\d+\.\d+\n$/);
  assert.ok(existsSync(service.socket));
});
