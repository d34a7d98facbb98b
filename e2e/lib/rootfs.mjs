/** Root file systems for containers, made of what this machine has installed: no registry of images is asked. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { scratch } from './service.mjs';

/** What a Debian image has besides what was asked for. */
const BASE = ['base-files', 'base-passwd', 'bash', 'coreutils', 'dash', 'grep', 'libc-bin'];

/** The files of Debian packages and of all that they depend on. */
export function debianRootfs(packages) {
  const root = emptyRootfs();
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(`${root}/usr/${dir}`, { recursive: true });
    symlinkSync(`usr/${dir}`, `${root}/${dir}`);
  }
  const files = said('dpkg-query', ['-L', ...withDependencies([...BASE, ...packages])]);
  const present = [...new Set(files)].filter((file) => file.startsWith('/') && exists(file));
  const copy = 'tar -c -C / --no-recursion --null -T - | tar -x -C "$0" --keep-directory-symlink --no-same-owner';
  execFileSync('/bin/bash', ['-c', `set -o pipefail; ${copy}`, root], {
    input: present.map((file) => `${file.slice(1)}\0`).join(''),
  });
  // base-passwd's maintainer script does this, and so does the alternatives system of which nothing is used here.
  copyFileSync('/usr/share/base-passwd/passwd.master', `${root}/etc/passwd`);
  copyFileSync('/usr/share/base-passwd/group.master', `${root}/etc/group`);
  return root;
}

/** musl's dynamic linker, which is its libc too, and nothing else. */
export function muslRootfs() {
  const root = emptyRootfs();
  const linker = said('dpkg-query', ['-L', 'musl']).find((file) => /^(\/usr)?\/lib\/ld-musl-.*\.so\.1$/.test(file));
  if (linker === undefined) throw new Error('the package musl has no dynamic linker');
  mkdirSync(`${root}/lib`);
  copyFileSync(linker, `${root}/lib/${linker.split('/').pop()}`);
  return root;
}

function emptyRootfs() {
  const root = scratch('netcon-rootfs');
  chmodSync(root, 0o755);
  for (const dir of ['dev', 'etc', 'proc', 'run/netcon', 'sys', 'tmp', 'srv'])
    mkdirSync(`${root}/${dir}`, { recursive: true });
  writeFileSync(`${root}/etc/hosts`, '127.0.0.1 localhost\n');
  // As images have them: podman wants to write its own over them.
  symlinkSync('/proc/mounts', `${root}/etc/mtab`);
  for (const file of ['hostname', 'resolv.conf']) writeFileSync(`${root}/etc/${file}`, '');
  return root;
}

/** Puts a file of this machine into a root file system. */
export function addFile(root, from, to) {
  mkdirSync(dirname(`${root}${to}`), { recursive: true });
  copyFileSync(from, `${root}${to}`);
}

function withDependencies(packages) {
  const no = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const named = said('apt-cache', ['depends', '--recurse', '--installed', ...no, ...packages]).filter((line) =>
    /^[a-z0-9]/.test(line),
  );
  const selections = said('dpkg', ['--get-selections']).map((line) => line.split(/\s+/));
  const installed = new Set(selections.filter(([, state]) => state === 'install').map(([name]) => name.split(':')[0]));
  const missing = packages.filter((name) => !installed.has(name));
  if (missing.length > 0) throw new Error(`not installed: ${missing.join(', ')}; the tests need them`);
  return [...new Set(named.map((name) => name.split(':')[0]))].filter((name) => installed.has(name));
}

function said(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 26, stdio: ['ignore', 'pipe', 'pipe'] })
    .trim()
    .split('\n');
}

function exists(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
