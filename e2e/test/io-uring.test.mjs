/** A ring would make sockets past netcon: its set-up fails as on a kernel without io_uring, and programs do without. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN } from '../lib/paths.mjs';
import { Service, scratch } from '../lib/service.mjs';

const WAYS = ['syscall', 'io_uring_setup', 'io_uring_queue_init', 'io_uring_queue_init_params'];
let ns;
let service;

before(async () => {
  ns = new Namespace({ loopback: false });
  service = await Service.start(ns, { args: ['--no-tap'] });
});
after(() => service?.stop());

test('syscall(2) and liburing say that there is no io_uring', async () => {
  const said = await service.must(`${BIN}uring`, []);
  assert.equal(said, WAYS.map((way) => `${way}: Function not implemented\n`).join(''));
});

test('with --bypass all it is the kernel that answers', async () => {
  const native = await ns.must(`${BIN}uring`, []);
  assert.equal(await service.must(`${BIN}uring`, [], { intercept: ['--bypass', 'all'] }), native);
});

test('Node, asked to use rings for its files, reads files and the network without', async () => {
  const http = await startHttpServer(service, '127.0.0.1');
  const program = `
    const { createHash } = require('node:crypto');
    const { readFile, writeFile } = require('node:fs/promises');
    const hash = (data) => createHash('sha256').update(data).digest('hex');
    (async () => {
      const file = await readFile(process.execPath);
      await writeFile(process.argv[1], file);
      const page = await (await fetch('${http.url('127.0.0.1')}/bytes/65536')).arrayBuffer();
      console.log(hash(file) === hash(await readFile(process.argv[1])), page.byteLength);
    })();`;
  const dir = scratch();
  const options = { env: { UV_USE_IO_URING: '1' }, intercept: ['--trace', `${dir}/trace`] };
  assert.equal(await service.must(process.execPath, ['-e', program, `${dir}/copy`], options), 'true 65536\n');
  assert.match(readFileSync(`${dir}/trace`, 'utf8'), / io_uring_setup\(\d+, 0x[0-9a-f]+\) = -1 ENOSYS\(38\) failed/);
  await http.server.stop();
});
