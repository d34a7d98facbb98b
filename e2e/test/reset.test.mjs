/** Resets by a kernel peer, as a program sees them: as on Linux, whether or not the service may reach into the program. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { E2E } from '../lib/paths.mjs';
import { HOST4, HOST6, Service, scratch } from '../lib/service.mjs';
import { asUser, UID, USER, withTun } from '../lib/unprivileged.mjs';

const READER = `${E2E}programs/reset-reader.py`;

let ns;
let peer;
let port;
before(async () => {
  ns = new Namespace();
  peer = ns.start(python(), ['-u', `${E2E}programs/reset-peer.py`]);
  [, port] = await peer.says(/port (\d+)/);
});
after(() => peer.stop('SIGKILL'));

async function native(host) {
  const local = host.includes(':') ? '::1' : '127.0.0.1';
  return ns.must(python(), [READER, local, port, 'native']);
}

describe('a service with every right', () => {
  let service;
  before(async () => {
    service = await Service.start(ns);
  });
  after(() => service.stop());
  for (const host of [HOST4, HOST6]) {
    test(`over ${host}`, async () => {
      assert.equal(await service.must(python(), [READER, host, port, 'rights'], { ms: 60_000 }), await native(host));
    });
  }
});

describe('a service that may not reach into the program', () => {
  let service;
  before(async () => {
    const dir = scratch();
    chownSync(dir, UID, UID);
    chmodSync(dir, 0o755);
    ns.ip('tuntap', 'add', 'dev', 'nc1', 'mode', 'tap', 'user', USER);
    ns.ip('address', 'add', `${HOST4}/24`, 'dev', 'nc1');
    ns.ip('address', 'add', `${HOST6}/64`, 'dev', 'nc1', 'nodad');
    ns.ip('link', 'set', 'nc1', 'up');
    service = await Service.start(ns, { dir, wrap: [...withTun(), ...asUser()], args: ['--tap', 'nc1'] });
  });
  after(() => service.stop());
  for (const host of [HOST4, HOST6]) {
    test(`over ${host}`, async () => {
      const [command, args] = service.command(python(), ['-u', READER, host, port, 'no-rights', 'wait']);
      const [first, ...rest] = [...asUser(), command, ...args];
      const reader = ns.start(first, rest, { stdio: ['pipe', 'pipe', 'pipe'] });
      await reader.says(/ready/);
      const [probe, ...look] = [...asUser(), 'ls', `/proc/${reader.pid}/fd`];
      assert.notEqual((await ns.run(probe, look)).code, 0, "the service's user may not look into the program");
      reader.child.stdin.end('\n');
      const { code, stdout, stderr } = await reader.end(60_000);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.replace('ready\n', ''), await native(host));
    });
  }
});
