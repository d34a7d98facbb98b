/** curl and wget as clients in netcon; the server is a program of the host, over kernel TCP on the other side of the tap. */
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { curlDown, curlUp, GIB, MIB, startHttpServer, wgetDown, wgetUp } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { pattern } from '../lib/pattern.mjs';
import { HOST4, HOST6, Service, scratch } from '../lib/service.mjs';

describe('clients in netcon, servers of the host', () => {
  let service;
  let http;
  before(async () => {
    const ns = new Namespace();
    service = await Service.start(ns);
    http = await startHttpServer(ns, '::');
  });
  after(async () => {
    await http?.server.stop();
    await service?.stop();
  });

  for (const [name, host] of [
    ['IPv4', HOST4],
    ['IPv6', HOST6],
  ]) {
    test(`curl downloads 8 MiB over ${name}`, () => curlDown(service, http.url(host), 8 * MIB));
    test(`curl uploads 8 MiB over ${name}`, () => curlUp(service, http.url(host), 8 * MIB));
    test(`wget downloads 8 MiB over ${name}`, () => wgetDown(service, http.url(host), 8 * MIB));
    test(`wget uploads 8 MiB over ${name}`, () => {
      const file = `${scratch()}/upload`;
      writeFileSync(file, Buffer.concat([...pattern(8 * MIB)]));
      return wgetUp(service, http.url(host), file, 8 * MIB);
    });
  }
  test('curl downloads 1 GiB', () => curlDown(service, http.url(HOST4), GIB));
  test('curl uploads 1 GiB', () => curlUp(service, http.url(HOST4), GIB));
  test('wget downloads 1 GiB over IPv6', () => wgetDown(service, http.url(HOST6), GIB));
  test('8 downloads and 8 uploads at once', () =>
    Promise.all(
      Array.from({ length: 8 }, async () => {
        await Promise.all([curlDown(service, http.url(HOST4), 3 * MIB), curlUp(service, http.url(HOST6), 3 * MIB)]);
      }),
    ));
});
