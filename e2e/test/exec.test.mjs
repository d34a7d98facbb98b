/** What an intercepted program starts: followed, or told and, with --strict, refused. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { must, which } from '../lib/process.mjs';
import { Service, scratch } from '../lib/service.mjs';
import { asUser, UID } from '../lib/unprivileged.mjs';

const STRICT = ['--strict'];
let service;
let dir;
/** Path, what it is, and its word in the trace. */
let programs;

before(async () => {
  service = await Service.start(new Namespace({ loopback: false }), { args: ['--no-tap', '--allow', 'all'] });
  dir = scratch();
  for (const path of [dir, service.dir]) chmodSync(path, 0o755);
  writeFileSync(`${dir}/ran.c`, '#include <stdio.h>\nint main(void) { puts("ran"); return 0; }\n');
  const gcc = (name, ...flags) => must('gcc', [...flags, '-o', `${dir}/${name}`, `${dir}/ran.c`]);
  await gcc('dynamic');
  await gcc('static', '-static');
  await gcc('static-pie', '-static-pie');
  await gcc('narrow', '-m32');
  copyFileSync(`${dir}/dynamic`, `${dir}/setuid`);
  chownSync(`${dir}/setuid`, UID, UID);
  chmodSync(`${dir}/setuid`, 0o4755);
  writeFileSync(`${dir}/script`, `#!${dir}/static\n`);
  writeFileSync(`${dir}/script2`, `#! ${dir}/script an argument\n`);
  for (const script of ['script', 'script2']) chmodSync(`${dir}/${script}`, 0o755);
  programs = [
    [`${dir}/static`, 'statically linked', 'static'],
    [`${dir}/static-pie`, 'statically linked', 'static'],
    [`${dir}/narrow`, 'a 32-bit program', '32-bit'],
    [`${dir}/setuid`, 'a set-id program', 'set-id'],
    [`${dir}/script`, 'statically linked', 'static'],
    [`${dir}/script2`, 'statically linked', 'static'],
  ];
});
after(() => service?.stop());

const sh = (line, options) => service.run('/bin/sh', ['-c', line], options);

test('a child that cannot be followed runs; the trace tells, and nothing is written into its output', async () => {
  for (const [path, , word] of programs) {
    const trace = `${scratch()}/trace`;
    const status = await sh(`exec ${path}`, { intercept: ['--trace', trace] });
    // The 32-bit dynamic linker says that it cannot load a 64-bit library.
    const stderr = status.stderr.replace(/^ERROR: ld\.so: object .* ignored\.\n/gm, '');
    assert.deepEqual([status.code, status.stdout, stderr], [0, 'ran\n', '']);
    assert.ok(
      readFileSync(trace, 'utf8').includes(` exec(${path}) = 0 bypassed:${word}\n`),
      readFileSync(trace, 'utf8'),
    );
  }
});

test('on a terminal it is told', async () => {
  const [netcon, args] = service.command('/bin/sh', ['-c', `${dir}/static; ${dir}/dynamic`]);
  const said = await service.ns.must(which('script'), [
    '-qec',
    [netcon, ...args].map((word) => `'${word}'`).join(' '),
    '/dev/null',
  ]);
  assert.equal(
    said.replaceAll('\r', ''),
    `netcon: ${dir}/static is statically linked: it is not in netcon, but has its namespace's network\nran\nran\n`,
  );
});

describe('with --strict', () => {
  test('it is refused with EACCES and a message', async () => {
    for (const [path, what] of programs) {
      const status = await sh(`exec ${path}`, { intercept: STRICT });
      assert.equal(status.code, 126, path);
      assert.equal(status.stdout, '');
      assert.match(
        status.stderr,
        new RegExp(`^netcon: ${path} is ${what}: it cannot be intercepted, and --strict refuses it\n`),
      );
      assert.match(status.stderr, /Permission denied/);
    }
  });

  test('what can be followed runs, a dynamic linker called by name and a set-id program of one’s own too', async () => {
    const linker = (await must('readelf', ['-lW', `${dir}/dynamic`])).match(/interpreter: (\S+)\]/)[1];
    copyFileSync(`${dir}/dynamic`, `${dir}/own`);
    chmodSync(`${dir}/own`, 0o4755);
    for (const line of [`${dir}/dynamic`, `${linker} ${dir}/dynamic`, `${dir}/own`]) {
      const status = await sh(`exec ${line}`, { intercept: STRICT });
      assert.deepEqual([status.code, status.stdout, status.stderr], [0, 'ran\n', ''], line);
    }
  });

  test('a program that is not there, not executable or no program fails as ever', async () => {
    writeFileSync(`${dir}/text`, 'echo from a shell\n');
    const line = `${dir}/none; echo $?; ${dir}/ran.c; echo $?; ${dir}; echo $?; chmod +x ${dir}/text; ${dir}/text`;
    const native = await service.ns.run('/bin/sh', ['-c', line]);
    const status = await sh(line, { intercept: STRICT });
    assert.deepEqual([status.stdout, status.stderr], [native.stdout, native.stderr]);
  });

  test('by every way to start a program, also with an empty environment', async () => {
    const program = `
import os, subprocess, ctypes
d = ${JSON.stringify(dir)}
os.environ["PATH"] = "/nonexistent:" + d
libc = ctypes.CDLL(None, use_errno=True)
def raw():
    args = (ctypes.c_char_p * 2)(b"static", None)
    if libc.syscall(59 if os.uname().machine == "x86_64" else 221, f"{d}/static".encode(), args, (ctypes.c_char_p * 1)(None)) == -1:
        raise OSError(ctypes.get_errno(), "syscall")
ways = {
    "execv": lambda: os.execv(f"{d}/static", ["static"]),
    "execve": lambda: os.execve(f"{d}/static", ["static"], {}),
    "execvp": lambda: libc.execvp(b"static", (ctypes.c_char_p * 2)(b"static", None)) == -1 and os.strerror(ctypes.get_errno()),
    "fexecve": lambda: os.execve(os.open(f"{d}/static", os.O_RDONLY), ["static"], {}),
    "posix_spawn": lambda: os.posix_spawn(f"{d}/static", ["static"], {}),
    "posix_spawnp": lambda: os.posix_spawnp("static", ["static"], {}),
    "syscall": raw,
    "subprocess": lambda: subprocess.run([f"{d}/static"], env={}),
}
for name, way in ways.items():
    try:
        print(name, way())
    except PermissionError:
        print(name, "Permission denied")
`;
    const status = await service.run('/usr/bin/env', ['-i', python(), '-c', program], { intercept: STRICT });
    const ways = ['execv', 'execve', 'execvp', 'fexecve', 'posix_spawn', 'posix_spawnp', 'syscall', 'subprocess'];
    assert.equal(status.stdout, ways.map((way) => `${way} Permission denied\n`).join(''), status.stderr);
  });

  test('file capabilities count for those who are not root, unless they may gain none', async () => {
    copyFileSync(`${dir}/dynamic`, `${dir}/capable`);
    // capability.h: revision 2, effective; permitted: CAP_NET_RAW.
    const value = 'struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)';
    await must(python(), ['-c', `import os, struct; os.setxattr("${dir}/capable", "security.capability", ${value})`]);
    assert.equal((await sh(`exec ${dir}/capable`, { intercept: STRICT })).stdout, 'ran\n');
    const user = (words) => {
      const [command, ...args] = asUser({ shell: words });
      return service.run(command, args, { intercept: STRICT });
    };
    const refused = await user(['/bin/sh', '-c', `exec ${dir}/capable`]);
    assert.equal(refused.code, 126);
    assert.match(refused.stderr, /capable is a program with file capabilities/);
    const harmless = await user(['setpriv', '--no-new-privs', '/bin/sh', '-c', `exec ${dir}/capable`]);
    assert.deepEqual([harmless.code, harmless.stdout], [0, 'ran\n'], harmless.stderr);
  });
});
