/**
 * UDP and ping sockets: programs in netcon against kernel UDP on the other side of the tap and against each
 * other, and point by point against the kernel's own sockets.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chownSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python as systemPython } from '../lib/apps.mjs';
import { differences } from '../lib/differential.mjs';
import { Namespace } from '../lib/netns.mjs';
import { E2E } from '../lib/paths.mjs';
import { until, which } from '../lib/process.mjs';
import { HOST4, HOST6, Service, STACK4, STACK6, scratch } from '../lib/service.mjs';
import { asUser, UID, withTun } from '../lib/unprivileged.mjs';

const PEER = `${E2E}programs/udp-peer.py`;
const OWN = [STACK4, HOST4, STACK6, HOST6];

function python(program, ...args) {
  return [systemPython(), ['-u', '-c', program, ...args]];
}

/** Sends and prints what comes back. */
const CLIENT = `
import socket, sys
host, port, text = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode()
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect((host, port))
s.send(text)
try:
    print(s.recv(70000).decode())
except ConnectionRefusedError:
    print('refused')`;

/** Answers in capitals. */
const SERVER = `
import socket, sys
host, port = sys.argv[1], int(sys.argv[2])
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((host, port))
print('ready')
while True:
    data, sender = s.recvfrom(70000)
    s.sendto(data.upper(), sender)`;

async function startServer(where, host, port) {
  const server = where.start(...python(SERVER, host, String(port)));
  await server.says(/ready/);
  return server;
}

const say = (where, host, port, text) => where.must(...python(CLIENT, host, String(port), text));

describe('programs in netcon and of the host', () => {
  let ns;
  let service;
  let capture;
  before(async () => {
    ns = new Namespace();
    capture = `${scratch()}/link.pcap`;
    service = await Service.start(ns, { args: ['--tap', 'nc0', '--capture', capture] });
    const peer = ns.start(which('python3'), ['-u', PEER]);
    await peer.says(/ready/);
  });
  after(async () => {
    assert.equal((await service.stop()).code, 0);
    // tcpdump's own eyes: the datagrams were on the link.
    const seen = await ns.must(which('tcpdump'), ['-n', '-r', capture, 'udp port 7777']);
    assert.match(seen, /IP 10\.77\.0\.2\.\d+ > 10\.77\.0\.1\.7777: UDP/);
    assert.match(seen, /IP6 fd77::1\.7777 > fd77::2\.\d+: UDP/);
  });

  test('a client in netcon is answered by kernel UDP, IPv4 and IPv6', async () => {
    for (const host of [HOST4, HOST6]) assert.equal(await say(service, host, 7777, 'hello'), 'hello\n');
  });

  test('a server in netcon answers kernel UDP, and shows where and whose it is', async () => {
    const servers = [await startServer(service, STACK4, 5000), await startServer(service, '::', 5001)];
    for (const [host, port] of [
      [STACK4, 5000],
      [STACK6, 5001],
      [STACK4, 5001],
    ]) {
      assert.equal(await say(ns, host, port, 'hello'), 'HELLO\n');
    }
    const rows = (await service.show()).filter((row) => row.protocol === 'udp');
    assert.deepEqual(rows.map((row) => [row.family, row.state, row.local, row.program, row.pid]).sort(), [
      [4, 'UNCONN', `${STACK4}:5000`, 'python3', servers[0].pid],
      [6, 'UNCONN', '[::]:5001', 'python3', servers[1].pid],
    ]);
    for (const server of servers) await server.stop('SIGKILL');
    assert.deepEqual(
      (await service.show()).filter((row) => row.protocol === 'udp'),
      [],
    );
  });

  test('a port that nobody has is refused, both ways', async () => {
    for (const host of [HOST4, HOST6]) assert.equal(await say(service, host, 9, 'x'), 'refused\n');
    for (const host of [STACK4, STACK6]) assert.equal(await say(ns, host, 9, 'x'), 'refused\n');
  });

  test('two programs in netcon talk, also from namespaces without an interface', async () => {
    const bare = new Namespace({ loopback: false });
    const inside = { start: (program, args) => service.start(program, args, { ns: bare }) };
    for (const [index, host] of ['127.0.0.1', '::1', STACK4, STACK6].entries()) {
      const server = await startServer(inside, host, 5100 + index);
      assert.equal(await say(service, host, 5100 + index, 'hello'), 'HELLO\n');
      await server.stop('SIGKILL');
    }
    bare.remove();
  });

  test('dig asks dnsmasq, each in netcon and outside', async () => {
    const hosts = `${scratch()}/hosts`;
    writeFileSync(hosts, '192.0.2.33 names.test\n');
    const options = ['-k', '-h', '-R', '-d', '-z', '--user=root', '--addn-hosts', hosts, '--pid-file='];
    const dig = (where, server) =>
      where.must(which('dig'), ['+short', '+tries=1', '+time=5', '-p', '5353', `@${server}`, 'names.test']);
    const cases = [
      [service, ns, STACK4],
      [ns, service, HOST4],
      [service, service, STACK4],
    ];
    for (const [server, client, address] of cases) {
      const dnsmasq = server.start(which('dnsmasq'), [...options, '-p', '5353', '--listen-address', address]);
      await until(async () => {
        try {
          return (await dig(client, address)) === '192.0.2.33\n';
        } catch {
          if (dnsmasq.status) throw new Error(dnsmasq.stderr);
          return false;
        }
      });
      await dnsmasq.stop();
    }
  });

  test('nc -u carries lines', async () => {
    const nc = service.start(which('nc'), ['-u', '-w', '2', HOST4, '7777'], { input: 'a line\n' });
    await nc.says(/a line/);
    await nc.stop('SIGKILL');
  });

  test('ping, which falls back to ping sockets, is answered; long echo requests too', async () => {
    for (const host of [HOST4, HOST6]) {
      const said = await service.must(which('ping'), ['-c', '2', '-i', '0.2', '-s', '3000', host]);
      assert.match(said, /2 received/);
    }
    for (const host of [STACK4, STACK6]) {
      assert.match(await ns.must(which('ping'), ['-c', '1', '-s', '3000', host]), /1 received/);
    }
  });

  test('broadcast and multicast of the network reach sockets in netcon', async () => {
    const listener = service.start(
      ...python(`
import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
a.bind(('', 5200))
a.setsockopt(0, 35, socket.inet_aton('239.1.2.3') + socket.inet_aton('${STACK4}'))
print('ready')
for _ in range(2): print(a.recv(99).decode())`),
    );
    await listener.says(/ready/);
    await ns.must(
      ...python(`
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(1, 6, 1)
s.setsockopt(0, 32, socket.inet_aton('${HOST4}'))
s.sendto(b'to all', ('10.77.0.255', 5200))
s.sendto(b'to some', ('239.1.2.3', 5200))`),
    );
    assert.match((await listener.end()).stdout, /to all\nto some\n/);
  });

  test('a burst of datagrams arrives, and drops are counted', async () => {
    const counters = async () => (await service.show('status')).counters;
    const before = await counters();
    await service.must(
      ...python(`
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(('${HOST4}', 7778))
for _ in range(20000): s.send(b'x' * 100)`),
    );
    // All of them have passed the device, or were dropped by its queue.
    const sent = await until(async () => {
      const now = await counters();
      const gone = now.datagrams_out - before.datagrams_out + now.datagrams_dropped - before.datagrams_dropped;
      return gone >= 20_000 ? now : undefined;
    });
    assert.ok(sent.datagrams_out - before.datagrams_out >= 10_000, JSON.stringify(sent));
  });

  test('the service sleeps when its sockets do', async () => {
    const turns = async () => (await service.show('status')).counters.turns;
    await say(service, HOST4, 7777, 'hello');
    const first = await turns();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    // Asking takes turns itself.
    assert.ok((await turns()) - first < 20);
  });
});

test('without root a user namespace serves; without that UDP is refused, with the remedy', async () => {
  const ns = new Namespace({ loopback: false });
  const home = () => {
    const dir = scratch();
    chownSync(dir, UID, UID);
    return dir;
  };
  const run = (service, ...args) => {
    const [first, ...rest] = [...asUser(), ...service.command(...python(...args)).flat()];
    return service.ns.must(first, rest);
  };
  const start = (tun) => Service.start(ns, { args: ['--no-tap'], dir: home(), wrap: [...withTun(tun), ...asUser()] });

  const served = await start('0666');
  const said = await run(
    served,
    `
import socket
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
a.bind(('${STACK4}', 53))
b.sendto(b'hello', a.getsockname())
print(a.recv(9).decode())
socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)`,
  );
  assert.equal(said, 'hello\n');
  assert.equal((await served.stop()).code, 0);

  // No /dev/net/tun: no device to put behind the sockets.
  const refused = await start(null);
  const errno = await run(
    refused,
    `
import socket
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
except OSError as error: print(error.errno)
socket.socket()`,
  );
  assert.equal(errno, '93\n');
  await refused.process.says(/no UDP: .*run the service as root/);
  await refused.stop();
});

test('--max-sockets counts datagram sockets, and streams with them, until they are closed or their program ends', async () => {
  const service = await Service.start(new Namespace(), { args: ['--no-tap', '--max-sockets', '40'] });
  const program = `
import errno, socket, sys, time
kinds = [socket.SOCK_DGRAM, socket.SOCK_STREAM]
def full():
    held = []
    while True:
        try: held.append(socket.socket(socket.AF_INET, kinds[len(held) % 2]))
        except OSError as e: return held, errno.errorcode[e.errno]
held, error = full()
print(len(held), error)
for s in held: s.close()
end = time.monotonic() + 10
again = 0
while again < 30 and time.monotonic() < end:
    del held
    held, error = full()
    again = len(held)
print(again >= 30, error, flush=True)
sys.stdin.readline()`;
  const first = service.start(...python(program), { stdio: ['pipe', 'pipe', 'pipe'] });
  await first.says(/True ENOBUFS/);
  assert.match(first.stdout, /^40 ENOBUFS\n/);
  // Together too: nothing is left for another.
  const one = 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)';
  const refused = await service.run(...python(one));
  assert.match(refused.stderr, /No buffer space available/);
  first.child.kill('SIGKILL');
  await first.end();
  await until(async () => (await service.run(...python(one))).code === 0);
  await service.stop();
});

describe('point by point as the kernel', () => {
  let expected;
  let service;
  let ns;
  before(async () => {
    const [own, peer] = [new Namespace(), new Namespace()];
    execFileSync('ip', [
      'link',
      'add',
      'nc0',
      'netns',
      own.name,
      'type',
      'veth',
      'peer',
      'name',
      'nc0',
      'netns',
      peer.name,
    ]);
    for (const [side, v4, v6] of [
      [own, STACK4, STACK6],
      [peer, HOST4, HOST6],
    ]) {
      side.ip('address', 'add', `${v4}/24`, 'broadcast', '+', 'dev', 'nc0');
      side.ip('address', 'add', `${v6}/64`, 'dev', 'nc0', 'nodad');
      side.ip('link', 'set', 'nc0', 'up');
      side.run(which('sh'), ['-c', 'echo "0 2147483647" > /proc/sys/net/ipv4/ping_group_range']);
    }
    await peer.start(which('python3'), ['-u', PEER]).says(/ready/);
    const status = await own.run(which('python3'), [`${E2E}differential/udp.py`, ...OWN], { ms: 60_000 });
    assert.equal(status.code, 0, status.stderr);
    expected = status.stdout;
    ns = new Namespace();
    service = await Service.start(ns);
    await ns.start(which('python3'), ['-u', PEER]).says(/ready/);
  });
  after(() => service?.stop());

  test('every line is the same', async () => {
    assert.ok(!expected.includes('Error('), expected);
    const actual = await service.run(which('python3'), [`${E2E}differential/udp.py`, ...OWN], { ms: 60_000 });
    assert.equal(actual.code, 0, actual.stderr);
    const lines = differences(expected, actual.stdout).map(
      ({ section, native, netcon }) => `[${section}]\n  native: ${native}\n  netcon: ${netcon}\n`,
    );
    if (lines.length > 0) assert.fail(`\n${lines.join('')}`);
    const points = readFileSync(`${E2E}differential/udp.py`, 'utf8').match(/^@point/gm).length;
    assert.equal(actual.stdout.match(/^-- /gm).length, points);
  });
});
