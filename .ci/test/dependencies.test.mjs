// Who may depend on whom: ARCHITECTURE.md's layers, checked over `cargo metadata` and the packages' manifests.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../..');

/** Crates of the workspace that each crate may use; tests may also use what stands behind "dev". */
const CRATES = {
  'netcon-wire': { normal: [], dev: [] },
  'netcon-sys': { normal: [], dev: [] },
  'netcon-sender': { normal: [], dev: [] },
  'netcon-stack': { normal: ['netcon-sender', 'netcon-wire'], dev: ['netcon-sim'] },
  'netcon-link': { normal: ['netcon-sys'], dev: [] },
  'netcon-sim': { normal: ['netcon-stack', 'netcon-wire'], dev: [] },
  'netcon-engine': { normal: ['netcon-stack', 'netcon-link', 'netcon-sys', 'netcon-wire'], dev: ['netcon-sim'] },
  'netcon-napi': { normal: ['netcon-engine'], dev: [] },
  'netcon-preload': { normal: ['netcon-wire'], dev: [] },
};

/** Crates from outside that would break a layer: the stack knows no system call, the library no runtime. */
const FOREIGN = {
  'netcon-wire': [],
  'netcon-sender': [],
  'netcon-stack': ['rustc-hash', 'self_cell', 'slab', 'smoltcp', 'thiserror'],
  'netcon-link': [],
  'netcon-preload': ['libc', 'rustix'],
};

/** Packages of the workspace that each package may use, and of these the entries that it may import. */
const PACKAGES = {
  '@netcon/core-rs': {},
  '@netcon/service': { '@netcon/core-rs': ['.'] },
  '@netcon/intercept': { '@netcon/core-rs': ['.'] },
  '@netcon/api': { '@netcon/service': ['.', './errors', './paths', './rpc'] },
  '@netcon/cli': {
    '@netcon/api': ['./client', './local', './schemas', './server', './version'],
    '@netcon/intercept': ['.'],
  },
};

test('crates depend downwards only', () => {
  const { packages } = JSON.parse(
    execFileSync('cargo', ['metadata', '--format-version=1', '--no-deps', '--locked', '--offline'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    }),
  );
  assert.deepEqual(packages.map(({ name }) => name).sort(), Object.keys(CRATES).sort(), 'a crate without a rule');
  for (const { name, dependencies } of packages) {
    for (const { name: used, kind, path } of dependencies) {
      if (path === undefined || path === null) {
        const allowed = FOREIGN[name];
        if (kind === null && allowed) assert.ok(allowed.includes(used), `${name} must not use ${used}`);
        continue;
      }
      const allowed = kind === 'dev' ? [...CRATES[name].normal, ...CRATES[name].dev] : CRATES[name].normal;
      assert.ok(allowed.includes(used), `${name} must not depend on ${used} (${kind ?? 'normal'})`);
    }
  }
});

test('packages depend downwards only', () => {
  for (const [name, allowed] of Object.entries(PACKAGES)) {
    const { dependencies = {}, devDependencies = {} } = manifest(name);
    const used = Object.keys({ ...dependencies, ...devDependencies }).filter((dep) => dep.startsWith('@netcon/'));
    assert.deepEqual(used.sort(), Object.keys(allowed).sort(), `${name}: manifest`);
  }
  const known = readdirSync(join(root, 'packages')).map((dir) => `@netcon/${dir}`);
  assert.deepEqual(known.sort(), Object.keys(PACKAGES).sort(), 'a package without a rule');
});

test('sources import what their manifests and the layers allow', () => {
  for (const [name, allowed] of Object.entries(PACKAGES)) {
    const { dependencies = {} } = manifest(name);
    for (const [file, specifier] of imports(name)) {
      if (specifier.startsWith('node:') || specifier.startsWith('.')) continue;
      const [used, entry] = split(specifier);
      if (used.startsWith('@netcon/')) {
        assert.ok(allowed[used]?.includes(entry), `${file} must not import ${specifier}`);
      } else {
        assert.ok(used in dependencies, `${file} imports ${used}, which its manifest does not list`);
      }
    }
  }
});

test('one file loads the addon', () => {
  const loaders = Object.keys(PACKAGES)
    .flatMap((name) => sources(name))
    .filter((file) => /\.node['"]|createRequire/.test(readFileSync(file, 'utf8')))
    .map((file) => file.slice(root.length + 1));
  assert.deepEqual(loaders, ['packages/core-rs/src/native.ts']);
});

test('no file with unsafe code in the crates that forbid it', () => {
  for (const crate of ['wire', 'sender', 'stack', 'link', 'engine', 'sim']) {
    const library = readFileSync(join(root, 'packages/core-rs/crates', crate, 'src/lib.rs'), 'utf8');
    assert.match(library, /^#!\[forbid\(unsafe_code\)\]$/m, crate);
  }
});

test('the lock file names no registry', () => {
  assert.doesNotMatch(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'), /https?:\/\//);
});

test('every package has the version of the workspace', () => {
  const version = /\[workspace\.package\]\s+version = "(.+)"/.exec(readFileSync(join(root, 'Cargo.toml'), 'utf8'))?.[1];
  for (const name of Object.keys(PACKAGES)) assert.equal(manifest(name).version, version, name);
});

function manifest(name) {
  return JSON.parse(readFileSync(join(directory(name), 'package.json'), 'utf8'));
}

function directory(name) {
  return join(root, 'packages', name.replace('@netcon/', ''));
}

function sources(name) {
  const dir = join(directory(name), 'src');
  assert.ok(existsSync(dir), dir);
  return readdirSync(dir, { recursive: true })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(dir, file));
}

/** Static and dynamic imports, and re-exports, of a package's sources. */
function imports(name) {
  return sources(name).flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/(?:\bfrom |\bimport\()'([^'\s]+)'/g)].map(([, specifier]) => [
      file,
      specifier,
    ]),
  );
}

function split(specifier) {
  const parts = specifier.split('/');
  const length = specifier.startsWith('@') ? 2 : 1;
  return [parts.slice(0, length).join('/'), ['.', ...parts.slice(length)].join('/')];
}
