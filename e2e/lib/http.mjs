import assert from 'node:assert/strict';
import { E2E } from './paths.mjs';
import { patternHash } from './pattern.mjs';
import { which } from './process.mjs';

export const MIB = 1 << 20;
export const GIB = 1 << 30;
const PROGRAMS = `${E2E}programs/`;

/** Where a program is to run: a Namespace (kernel TCP) or a Service (intercepted) has start and must. */
export async function startHttpServer(where, host, port = 0) {
  const server = where.start(process.execPath, [`${PROGRAMS}http-server.mjs`, host, String(port)]);
  const [, found] = await server.says(/listening on (\d+)/);
  return { server, port: Number(found), url: (to) => `http://${to.includes(':') ? `[${to}]` : to}:${found}` };
}

const CURL = ['-sS', '--fail', '--max-time', '100', '--noproxy', '*', '-g'];

/** Downloads with curl and compares the SHA-256 with that of what was sent. */
export async function curlDown(where, url, size) {
  const line = `set -o pipefail; ${which('curl')} ${CURL.map(quoted).join(' ')} ${quoted(`${url}/bytes/${size}`)} | sha256sum`;
  const [got] = (await where.must('/bin/bash', ['-c', line], { ms: 120_000 })).split(' ');
  assert.equal(got, patternHash(size));
}

/** Uploads with curl; the server says what it received. */
export async function curlUp(where, url, size) {
  const generate = `${process.execPath} ${PROGRAMS}generate.mjs ${size}`;
  const line = `set -o pipefail; ${generate} | ${which('curl')} ${CURL.map(quoted).join(' ')} -H Expect: -T - ${quoted(`${url}/upload`)}`;
  const got = JSON.parse(await where.must('/bin/bash', ['-c', line], { ms: 120_000 }));
  assert.deepEqual(got, { bytes: size, sha256: patternHash(size) });
}

export async function wgetDown(where, url, size) {
  const line = `set -o pipefail; ${which('wget')} -q --no-proxy -T 60 -t 1 -O - ${quoted(`${url}/bytes/${size}`)} | sha256sum`;
  const [got] = (await where.must('/bin/bash', ['-c', line], { ms: 120_000 })).split(' ');
  assert.equal(got, patternHash(size));
}

export async function wgetUp(where, url, file, size) {
  const args = ['-q', '--no-proxy', '-T', '60', '-t', '1', '-O', '-', `--post-file=${file}`, `${url}/upload`];
  const got = JSON.parse(await where.must(which('wget'), args, { ms: 120_000 }));
  assert.deepEqual(got, { bytes: size, sha256: patternHash(size) });
}

function quoted(word) {
  return `'${word}'`;
}
