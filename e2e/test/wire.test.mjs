/**
 * The same program over a wire to kernel TCP: natively over a veth pair, under netcon over the tap. Half-close,
 * resets, refused and unreachable destinations as they come from another host.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { differences } from '../lib/differential.mjs';
import { curlDown, curlUp, MIB, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN, E2E } from '../lib/paths.mjs';
import { which } from '../lib/process.mjs';
import { HOST4, HOST6, Service, STACK4, STACK6, scratch } from '../lib/service.mjs';

const ROWS = [
  { family: 4, host: HOST4, own: `${STACK4}/24`, hostCidr: `${HOST4}/24`, silent: '10.77.0.99', nowhere: '192.0.2.7' },
  { family: 6, host: HOST6, own: `${STACK6}/64`, hostCidr: `${HOST6}/64`, silent: 'fd77::99', nowhere: '2001:db8::7' },
];

describe('over a wire, a program sees the same as with kernel TCP', { concurrency: 2 }, () => {
  /** The host of the native run, and the namespace that stands for netcon's stack there. */
  let nativeHost;
  let nativeStack;
  let service;

  before(async () => {
    nativeHost = new Namespace();
    nativeStack = new Namespace();
    nativeHost.ip('link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1', 'netns', nativeStack.name);
    for (const [ns, device, key] of [
      [nativeHost, 'wire0', 'hostCidr'],
      [nativeStack, 'wire1', 'own'],
    ]) {
      for (const row of ROWS) ns.ip('address', 'add', row[key], 'dev', device, ...(row.family === 6 ? ['nodad'] : []));
      ns.ip('link', 'set', device, 'up');
    }
    service = await Service.start(new Namespace());
  });
  after(() => service.stop());

  for (const { family, host, silent, nowhere } of ROWS) {
    test(`IPv${family}`, async () => {
      const port = '7300';
      const peers = await Promise.all(
        [nativeHost, service.ns].map(async (ns) => {
          const peer = ns.start(python(), ['-u', `${E2E}programs/wire-peer.py`, host, port]);
          await peer.says(/up/);
          return peer;
        }),
      );
      const args = [String(family), host, port, silent, nowhere];
      const [native, netcon] = await Promise.all([
        nativeStack.run(`${BIN}wire`, args),
        service.run(`${BIN}wire`, args),
      ]);
      assert.equal(native.code, 0, native.stdout);
      const found = differences(native.stdout, netcon.stdout).map(
        (line) => `[${line.section}]\n  native: ${line.native}\n  netcon: ${line.netcon}\n`,
      );
      if (found.length > 0) assert.fail(`\n${found.join('')}`);
      assert.equal(netcon.code, 0, netcon.stderr);
      await Promise.all(peers.map((peer) => peer.stop('SIGKILL')));
    });
  }
});

describe('other links', () => {
  async function transfers(args, size = 8 * MIB) {
    const service = await Service.start(new Namespace(), { args: ['--tap', 'nc0', ...args] });
    const http = await startHttpServer(service.ns, '::');
    const own = await startHttpServer(service, '::', 8000);
    await curlDown(service, http.url(HOST4), size);
    await curlUp(service, http.url(HOST6), size);
    await curlDown(service.ns, own.url(STACK6), size);
    await curlUp(service.ns, own.url(STACK4), size);
    await service.stop();
    return service;
  }

  test('without offload', () => transfers(['--no-offload']));
  test('that lose, delay, reorder and double frames deliver every byte', () =>
    transfers(['--fault', 'loss=1%,delay=1ms,jitter=1ms,reorder=1%,duplicate=1%,seed=7'], 2 * MIB));
  test('a capture is a pcap file that holds the conversation', async () => {
    const file = `${scratch()}/wire.pcap`;
    const service = await Service.start(new Namespace(), { args: ['--tap', 'nc0', '--capture', file] });
    const http = await startHttpServer(service.ns, HOST4);
    await curlDown(service, http.url(HOST4), 10_000);
    await service.stop();
    const bytes = readFileSync(file);
    assert.ok([0xa1b2c3d4, 0xa1b23c4d].includes(bytes.readUInt32LE(0)), 'pcap magic');
    assert.equal(bytes.readUInt32LE(20), 1, 'Ethernet');
    assert.ok(bytes.includes('GET /bytes/10000 HTTP/1.1'));
  });
  test('a tap and addresses of one’s own', async () => {
    const service = await Service.start(new Namespace(), {
      args: ['--tap', 'other7', '--address', '192.168.77.2/24', '--host-address', '192.168.77.1/24'],
    });
    await service.ns.must(which('ping'), ['-c', '1', '-W', '2', '192.168.77.2']);
    const http = await startHttpServer(service.ns, '192.168.77.1');
    await curlDown(service, http.url('192.168.77.1'), MIB);
    await service.stop();
  });
  test('behind a gateway, other networks are reached', async () => {
    const far = new Namespace();
    const service = await Service.start(new Namespace(), {
      args: ['--tap', 'nc0', '--gateway', HOST4, '--gateway', HOST6],
    });
    const { ns } = service;
    ns.ip('link', 'add', 'wire0', 'type', 'veth', 'peer', 'name', 'wire1', 'netns', far.name);
    for (const [where, device, v4, v6] of [
      [ns, 'wire0', '192.0.2.1/24', '2001:db8::1/64'],
      [far, 'wire1', '192.0.2.7/24', '2001:db8::7/64'],
    ]) {
      where.ip('address', 'add', v4, 'dev', device);
      where.ip('address', 'add', v6, 'dev', device, 'nodad');
      where.ip('link', 'set', device, 'up');
    }
    far.ip('route', 'add', 'default', 'via', '192.0.2.1');
    far.ip('-6', 'route', 'add', 'default', 'via', '2001:db8::1');
    await ns.must('sysctl', ['-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    const http = await startHttpServer(far, '::');
    await curlDown(service, http.url('192.0.2.7'), 8 * MIB);
    await curlUp(service, http.url('2001:db8::7'), 8 * MIB);
    // A narrower network behind it: the gateway says so, and the stack adapts.
    far.ip('link', 'set', 'wire1', 'mtu', '1300');
    ns.ip('link', 'set', 'wire0', 'mtu', '1300');
    await curlUp(service, http.url('192.0.2.7'), 2 * MIB);
    await service.stop();
  });
});
