import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ERRORS } from '../src/errors.js';

const root = fileURLToPath(new URL('../../../../', import.meta.url));
const codes = Object.keys(ERRORS);

test('docs/errors.md explains every code, with its status, and no other', () => {
  const rows = readFileSync(`${root}docs/errors.md`, 'utf8').matchAll(/^\| `(NETCON_\w+)` \| (\d+) \| (.+) \|$/gm);
  const documented = [...rows].map(([, code, status]) => `${code} ${status}`);
  assert.deepEqual(
    documented.sort(),
    Object.entries(ERRORS)
      .map(([code, { status }]) => `${code} ${status}`)
      .sort(),
  );
});

test('every code that the addon gives is in the registry', () => {
  const unknown = quoted('packages/core-rs/crates/napi/src', '.rs').filter((code) => !codes.includes(code));
  assert.deepEqual(unknown, []);
});

test('every code in the registry is given by something', () => {
  const sources = ['service', 'api', 'cli', 'intercept'].flatMap((name) => quoted(`packages/${name}/src`, '.ts'));
  const own = quoted('packages/core-rs/src', 'native.ts', 'errors.ts');
  const given = new Set([...sources, ...own, ...quoted('packages/core-rs/crates/napi/src', '.rs')]);
  assert.deepEqual(
    codes.filter((code) => !given.has(code)),
    [],
  );
});

test('every code has a hint that says what to do', () => {
  for (const [code, { hint }] of Object.entries(ERRORS)) assert.ok(hint.length > 15, code);
});

/** The codes in string literals of the sources below a directory. */
function quoted(dir: string, ...endings: string[]): string[] {
  return readdirSync(`${root}${dir}`, { recursive: true, encoding: 'utf8' })
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .flatMap((name) => [...readFileSync(`${root}${dir}/${name}`, 'utf8').matchAll(/["'](NETCON_[A-Z0-9_]+)[:"']/g)])
    .map(([, code]) => code ?? '')
    .filter((code) => !ENVIRONMENT.has(code));
}

/** Names of environment variables, which look alike. */
const ENVIRONMENT = new Set(['NETCON_SOCKET', 'NETCON_TRACE', 'NETCON_BYPASS']);
