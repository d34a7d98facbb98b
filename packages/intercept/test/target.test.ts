import assert from 'node:assert/strict';
import { chownSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { identify } from '../src/elf.js';
import { checkTarget, type Starter } from '../src/target.js';
import { elf, Fixtures } from './fixtures.js';

const files = new Fixtures();
after(() => files.remove());

const dynamic = files.file('dynamic', elf({}));
const fixed = files.file('fixed', elf({ header: 'load' }));
const isRoot = process.geteuid?.() === 0;
const who: Starter = {
  path: `${join(files.dir, 'none')}:${files.dir}`,
  euid: process.geteuid?.() ?? 0,
  egid: process.getegid?.() ?? 0,
  machine: 62,
};

const accepted: [file: string, why: string][] = [
  [dynamic, 'a dynamically linked program'],
  [files.file('ld-linux-x86-64.so.2', elf({ header: 'load' })), 'the dynamic linker honours LD_PRELOAD'],
  [files.file('script', `#!${dynamic}\nrest`), 'a script'],
  [files.file('script-arg', `#! ${dynamic} -x y\n`), 'a script with an argument'],
  [files.file('script-of-script', `#!${join(files.dir, 'script')}\n`), 'a script run by a script'],
  [files.file('setuid-script', `#!${dynamic}\n`, 0o4755), 'Linux ignores set-id bits of scripts'],
  [files.file('setuid-own', elf({}), 0o4755), 'set-user-id to the own user changes nothing'],
  [files.file('setgid-data', elf({}), 0o2705), 'set-group-id without group execution'],
];

for (const [file, why] of accepted) {
  test(`${file.replace(`${files.dir}/`, '')} is accepted: ${why}`, () => assert.equal(checkTarget(file, who), file));
}

const env = files.file('env', elf({}));
mkdirSync(join(files.dir, 'directory'));
files.file('static-interpreter', elf({ header: 'load' }));

const refused: [name: string, content: Buffer | string, mode: number, code: string, message: RegExp][] = [
  ['r-static', elf({ header: 'load' }), 0o755, 'NETCON_APP_STATIC', /statically linked/],
  ['r-no-headers', elf({ header: 'none' }), 0o755, 'NETCON_APP_STATIC', /statically linked/],
  ['r-32', elf({ bits: 32, machine: 3 }), 0o755, 'NETCON_APP_32BIT', /32-bit/],
  ['r-arm', elf({ machine: 183 }), 0o755, 'NETCON_APP_MACHINE', /machine 183/],
  ['r-empty', '', 0o755, 'NETCON_APP_FORMAT', /neither/],
  ['r-text', 'echo hello\n', 0o755, 'NETCON_APP_FORMAT', /neither/],
  ['r-bare-shebang', '#!\n', 0o755, 'NETCON_APP_FORMAT', /neither/],
  ['r-script-static', `#!${fixed}\n`, 0o755, 'NETCON_APP_STATIC', /fixed: statically/],
  ['r-script-lost', '#!/no/such/interpreter\n', 0o755, 'NETCON_APP_NOT_FOUND', /interpreter \/no\/such/],
  ['r-script-env', `#!${env} static-interpreter\n`, 0o755, 'NETCON_APP_STATIC', /static-interpreter/],
  ['r-script-env-s', `#!${env} -S A=1 static-interpreter -x\n`, 0o755, 'NETCON_APP_STATIC', /static-interpreter/],
  ['r-script-loop', `#!${join(files.dir, 'r-script-loop')}\n`, 0o755, 'NETCON_APP_FORMAT', /too many levels/],
  ['r-not-executable', elf({}), 0o644, 'NETCON_APP_DENIED', /not executable/],
];

for (const [name, content, mode, code, message] of refused) {
  const file = files.file(name, content, mode);
  test(`${name} is refused with ${code}`, () => {
    assert.throws(() => checkTarget(file, who), { name: 'NetconError', code, message });
  });
}

test('a directory is refused', () => {
  assert.throws(() => checkTarget(join(files.dir, 'directory'), who), { code: 'NETCON_APP_DENIED' });
});

test('a set-id program of another user is refused', { skip: !isRoot && 'root is needed to give files away' }, () => {
  const user = files.file('r-setuid', elf({}));
  chownSync(user, 4242, 0);
  files.file('r-setuid', elf({}), 0o4755);
  assert.throws(() => checkTarget(user, who), { code: 'NETCON_APP_SETUID', message: /set-user-id/ });
  const group = files.file('r-setgid', elf({}));
  chownSync(group, 0, 4242);
  files.file('r-setgid', elf({}), 0o2755);
  assert.throws(() => checkTarget(group, who), { code: 'NETCON_APP_SETUID', message: /set-group-id/ });
});

test('a name is looked up in PATH as execvp(3) does', () => {
  assert.equal(checkTarget('dynamic', who), dynamic);
  assert.throws(() => checkTarget('no-such-program', who), { code: 'NETCON_APP_NOT_FOUND', message: /PATH/ });
  assert.throws(() => checkTarget('r-not-executable', who), { code: 'NETCON_APP_DENIED' });
  assert.throws(() => checkTarget('directory', who), { code: 'NETCON_APP_NOT_FOUND' });
  assert.throws(() => checkTarget('./no-such-program', who), { code: 'NETCON_APP_NOT_FOUND', message: /no such file/ });
});

test('a link is followed to what it names', () => {
  const link = join(files.dir, 'link');
  symlinkSync(fixed, link);
  assert.throws(() => checkTarget(link, who), { code: 'NETCON_APP_STATIC' });
});

test("this machine's own programs are accepted", () => {
  for (const program of ['sh', 'cat']) checkTarget(program, { ...who, path: process.env.PATH, machine: hostMachine() });
});

test('broken files never throw', () => {
  const whole = elf({});
  for (let at = 0; at < 64; at++) {
    for (const byte of [0, 1, 0x7f, 0xff]) {
      const file = Buffer.from(whole);
      file[at] = byte;
      identify((from, length) => file.subarray(Math.min(from, file.length), from + length));
    }
  }
  for (let length = 0; length < whole.length; length++) {
    identify((from, size) => whole.subarray(0, length).subarray(Math.min(from, length), from + size));
  }
});

function hostMachine(): number {
  return process.arch === 'arm64' ? 183 : 62;
}
