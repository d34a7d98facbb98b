/**
 * What programs in netcon find out about their interfaces, against a namespace that has the same interface
 * natively; and what Python, Node.js and Java make of it.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { differences } from '../lib/differential.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN } from '../lib/paths.mjs';
import { which } from '../lib/process.mjs';
import { Service, STACK4, STACK6, scratch } from '../lib/service.mjs';

/** Prints what IP_PKTINFO and the scope of a link-local address say of a datagram's interface. */
const DATAGRAM = `
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 8, 1)
s.bind(('', 0))
for to in ('127.0.0.1', '${STACK4}'):
    s.sendto(b'x', (to, s.getsockname()[1]))
    _, control, _, _ = s.recvmsg(9, 99)
    print(struct.unpack('i4s4s', control[0][2])[0])
print(socket.if_nametoindex('lo'), socket.if_nametoindex('nc0'), socket.if_nameindex())`;

const NODE = `
const all = require('os').networkInterfaces();
for (const name in all) for (const a of all[name]) console.log(name, a.cidr, a.mac, a.internal, a.scopeid ?? '');`;

const JAVA = `
import java.net.*;
import java.util.*;
class Interfaces {
  public static void main(String[] a) throws Exception {
    for (NetworkInterface i : Collections.list(NetworkInterface.getNetworkInterfaces())) {
      System.out.println(i.getName() + " " + i.getIndex() + " " + i.getMTU() + " " + i.isUp() + " " + i.isLoopback() + " "
        + (i.getHardwareAddress() == null ? "-" : HexFormat.ofDelimiter(":").formatHex(i.getHardwareAddress())));
      for (InterfaceAddress x : i.getInterfaceAddresses())
        if (x.getAddress() instanceof Inet4Address)
          System.out.println("  " + x.getAddress().getHostAddress() + "/" + x.getNetworkPrefixLength() + " " + x.getBroadcast());
    }
  }
}`;

describe('the interfaces of a program in netcon', () => {
  let service;
  let mac;
  before(async () => {
    const ns = new Namespace();
    service = await Service.start(ns, { args: ['--tap', 'nc0'] });
    const seen = await service.must(process.execPath, ['-e', NODE]);
    mac = seen.match(/^nc0 \S+ (\S+)/m)[1];
  });
  after(async () => assert.equal((await service.stop()).code, 0));

  test('are what the kernel would show of the same interface', async () => {
    const twin = new Namespace();
    const index = await service.must(which('python3'), ['-c', 'import socket; print(socket.if_nametoindex("nc0"))']);
    const link = ['nc0', 'address', mac, 'index', index.trim(), 'mtu', '1500', 'txqueuelen', '10000'];
    twin.ip('link', 'add', ...link, 'type', 'veth', 'peer', 'name', 'twin0', 'index', '77');
    for (const name of ['nc0', 'twin0']) twin.ip('link', 'set', name, 'addrgenmode', 'none', 'up');
    twin.ip('addr', 'add', `${STACK4}/24`, 'brd', '+', 'dev', 'nc0');
    for (const address of [`${STACK6}/64`, linkLocal(mac)]) twin.ip('addr', 'add', address, 'nodad', 'dev', 'nc0');
    // The link's other end and the tunnels that some kernels give every namespace are the twin's own.
    const native = await twin.must(`${BIN}interfaces`, ['nc0']);
    const foreign = twin.interfaces().filter((name) => !['lo', 'nc0'].includes(name));
    const expected = native
      .split('\n')
      .filter((line) => !foreign.some((name) => line.startsWith(`${name} `) || line.includes(` ${name} `)))
      .join('\n');
    const indices = twin.ip('-o', 'link').match(/^\d+/gm);
    assert.ok(indices.includes(index.trim()));
    const actual = await service.must(`${BIN}interfaces`, ['nc0']);
    const found = differences(expected, actual).filter(
      ({ native }) => !foreign.some((name) => native.startsWith('SIOCGIFNAME') && native.endsWith(` ${name}`)),
    );
    assert.deepEqual(found, []);
  });

  test('have the indices that datagrams come with', async () => {
    const out = await service.must(python(), ['-c', DATAGRAM]);
    const [lo, own, all] = out.trim().split('\n');
    assert.equal(lo, '1');
    const index = Number(own);
    assert.equal(all, `1 ${index} [(1, 'lo'), (${index}, 'nc0')]`);
  });

  test('are seen by Node.js', async () => {
    const out = await service.must(process.execPath, ['-e', NODE]);
    const lines = out.trim().split('\n');
    const scope = lines.at(-1).split(' ').at(-1);
    assert.deepEqual(
      lines,
      [
        'lo 127.0.0.1/8 00:00:00:00:00:00 true ',
        'lo ::1/128 00:00:00:00:00:00 true 0',
        `nc0 ${STACK4}/24 ${mac} false `,
        `nc0 ${STACK6}/64 ${mac} false 0`,
        `nc0 ${linkLocal(mac)} ${mac} false ${scope}`,
      ].sort(),
    );
  });

  test('are seen by Java', async () => {
    const file = `${scratch()}/Interfaces.java`;
    writeFileSync(file, JAVA);
    const out = await service.must(which('java'), [file], { ms: 60_000 });
    const index = out.match(/^nc0 (\d+)/m)[1];
    assert.match(out, new RegExp(`^nc0 ${index} 1500 true false ${mac}\n {2}${STACK4}/24 /10\\.77\\.0\\.255$`, 'm'));
    assert.match(out, /^lo 1 65536 true true -\n {2}127\.0\.0\.1\/8 null$/m);
  });

  test('are not for a program to change', async () => {
    const set = `
import fcntl, socket, struct
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    for number in (0x8914, 0x8916, 0x8922, 0x8924, 0x890b):
        try: fcntl.ioctl(socket.socket(socket.AF_INET, kind), number, struct.pack('16sh22x', b'nc0', 0)); print('done')
        except OSError as e: print(e.errno)`;
    assert.equal(await service.must(python(), ['-c', set]), '1\n'.repeat(10));
  });
});

/** RFC 4291 2.5.1. */
function linkLocal(mac) {
  const [a, b, c, d, e, f] = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const group = (high, low) => ((high << 8) | low).toString(16);
  return `fe80::${group(a ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}/64`;
}
