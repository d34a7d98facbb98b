import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NetconError } from '@netcon/service/errors';
import { buildApi } from '../src/app.js';
import { connecting, listening, serviceDouble, session } from './service-double.js';

const docs = new URL('../../../../docs/admin-api.md', import.meta.url);

test('status tells about the service, its link and its counters', async () => {
  const { status, body } = await get('/v1/status');
  assert.equal(status, 200);
  assert.match(body.version, /^\d+\.\d+\.\d+$/);
  assert.equal(body.pid, process.pid);
  assert.equal(body.socket, '/run/netcon/netcon.sock');
  assert.deepEqual(body.addresses, ['10.77.0.2/24', 'fd77::2/64']);
  assert.deepEqual(body.hostAddresses, ['10.77.0.1/24', 'fd77::1/64']);
  assert.deepEqual(body.tap, { name: 'netcon0', offload: true, addressesSet: true });
  assert.deepEqual(body.counters, { rx_frames: 3 });
  assert.equal(body.sockets, 2);
});

test('status says why there is no tap', async () => {
  const tapProblem = new NetconError('NETCON_TAP_DENIED', 'no right');
  const { body } = await get('/v1/status', serviceDouble({ tap: null, tapProblem }));
  assert.equal(body.tap, null);
  assert.deepEqual(body.hostAddresses, []);
  assert.equal(body.tapProblem.code, 'NETCON_TAP_DENIED');
});

test('sessions are listed', async () => {
  assert.deepEqual((await get('/v1/sessions')).body, [session]);
});

const filters: [query: string, want: number[], why: string][] = [
  ['', [1, 2], 'all'],
  ['?state=listen', [1], 'any case'],
  ['?state=SYN-SENT', [2], "the RFC's spelling"],
  ['?state=syn_sent', [2], "ss(8)'s neighbours' spelling"],
  ['?state=established', [], 'none'],
  ['?pid=100', [1], 'a process'],
  ['?pid=101&state=listen', [], 'both hold'],
];

for (const [query, want, why] of filters) {
  test(`sockets${query} gives ${want.length}: ${why}`, async () => {
    const { status, body } = await get(`/v1/sockets${query}`);
    assert.equal(status, 200);
    assert.deepEqual(
      body.map((row: { id: number }) => row.id),
      want,
    );
  });
}

test('rows are complete', async () => {
  assert.deepEqual((await get('/v1/sockets')).body, [listening, connecting]);
});

const failures: [url: string, status: number, code: string][] = [
  ['/v1/sockets?pid=x', 400, 'NETCON_API_BAD_REQUEST'],
  ['/v1/sockets?pid=0', 400, 'NETCON_API_BAD_REQUEST'],
  ['/v1/nothing', 404, 'NETCON_API_NOT_FOUND'],
  ['/', 404, 'NETCON_API_NOT_FOUND'],
];

for (const [url, status, code] of failures) {
  test(`${url} is answered with ${status} and ${code}`, async () => {
    const answer = await get(url);
    assert.equal(answer.status, status);
    assert.deepEqual(Object.keys(answer.body), ['code', 'message', 'hint']);
    assert.equal(answer.body.code, code);
  });
}

test('an error of the engine keeps its code, and its status', async () => {
  const sockets = () => Promise.reject(new NetconError('NETCON_ENGINE_STATE', 'does not answer'));
  const { status, body } = await get('/v1/sockets', serviceDouble({ sockets }));
  assert.deepEqual([status, body.code, body.message], [503, 'NETCON_ENGINE_STATE', 'does not answer']);
});

test('an unforeseen error is not told to the caller', async () => {
  const sockets = () => Promise.reject(new Error('secret'));
  const { status, body } = await get('/v1/sockets', serviceDouble({ sockets }));
  assert.equal(status, 500);
  assert.doesNotMatch(JSON.stringify(body), /secret/);
});

test('the OpenAPI document describes every route, with examples', async () => {
  const { body } = await get('/openapi.json');
  assert.equal(body.openapi, '3.1.0');
  assert.deepEqual(Object.keys(body.paths), ['/v1/status', '/v1/sessions', '/v1/sockets']);
  for (const path of Object.values(body.paths) as { get: { summary: string } }[]) assert.ok(path.get.summary);
  const schemas: [string, { properties: Record<string, { examples?: unknown[]; anyOf?: unknown; $ref?: string }> }][] =
    Object.entries(body.components.schemas);
  assert.deepEqual(schemas.map(([name]) => name).sort(), ['Problem', 'Session', 'Socket']);
  // The body of a route stands in place, its rows and errors by reference.
  schemas.push(['Status', body.paths['/v1/status'].get.responses['200'].content['application/json'].schema]);
  for (const [name, { properties }] of schemas) {
    for (const [field, schema] of Object.entries(properties)) {
      assert.ok(schema.examples ?? schema.anyOf ?? schema.$ref, `${name}.${field} has no example`);
    }
  }
});

test('docs/admin-api.md names every route, filter and field', async () => {
  const text = readFileSync(docs, 'utf8');
  const { body } = await get('/openapi.json');
  for (const [path, { get: route }] of Object.entries(body.paths) as [
    string,
    { get: { parameters?: { name: string }[] } },
  ][]) {
    assert.ok(text.includes(`\`GET ${path}\``), `${path} is not documented`);
    for (const { name } of route.parameters ?? []) assert.ok(text.includes(`\`${name}\``), `${path}: ${name}`);
  }
  for (const url of ['/v1/status', '/v1/sessions', '/v1/sockets']) {
    const row = (await get(url)).body;
    for (const field of Object.keys(Array.isArray(row) ? row[0] : row)) {
      assert.ok(text.includes(`\`${field}\``), `${url}: ${field} is not documented`);
    }
  }
});

async function get(url: string, service = serviceDouble()) {
  const app = await buildApi(service);
  const response = await app.inject({ url });
  await app.close();
  return { status: response.statusCode, body: response.json() };
}
