/** TCP_INFO and the send queue's ioctls of programs in netcon, on a link that delays, against kernel TCP. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { which } from '../lib/process.mjs';
import { HOST4, Service, STACK4 } from '../lib/service.mjs';

/** A server of the host: reads nothing until it is told how much by the first octet, then answers what it got. */
const SINK = `
import socket, sys
s = socket.create_server(('${HOST4}', int(sys.argv[1])), backlog=1)
print('ready')
c, _ = s.accept()
sys.stdin.readline()
got = 0
while got < int(sys.argv[2]):
    got += len(c.recv(65536))
c.sendall(b'k')
c.recv(1)`;

const PROLOGUE = `
import fcntl, socket, struct, sys, time
def queue(s, request=0x5411):
    return struct.unpack('i', fcntl.ioctl(s, request, b'\\0' * 4))[0]
def info(s):
    b = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 512)
    u32 = lambda at: struct.unpack_from('I', b, at)[0]
    u64 = lambda at: struct.unpack_from('Q', b, at)[0]
    return dict(state=b[0], retransmits=b[2], options=b[5], again=u64(208), mss=u32(16), unacked=u32(24), sent=u32(44), rtt=u32(68), rttvar=u32(72),
        cwnd=u32(80), retrans=u32(100), acked=u64(120), received=u64(128), minrtt=u32(148), len=len(b))
def until(what, wanted):
    deadline = time.monotonic() + 30
    while not wanted(what()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.01)
s = socket.create_connection(('${HOST4}', int(sys.argv[1])))
`;

describe('what a connection says of itself', () => {
  let ns;
  let service;
  before(async () => {
    ns = new Namespace();
    service = await Service.start(ns, { args: ['--tap', 'nc0', '--fault', 'delay=20ms'] });
  });
  after(async () => assert.equal((await service.stop()).code, 0));

  async function sink(port, octets) {
    const server = ns.start(python(), ['-u', '-c', SINK, String(port), String(octets)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await server.says(/ready/);
    return server;
  }

  test('are its round-trip time and its octets', async () => {
    const octets = 2_000_000;
    const server = await sink(7101, octets);
    server.child.stdin.end('go\n');
    const program = `${PROLOGUE}
s.sendall(b'x' * ${octets})
assert s.recv(1) == b'k'
i = info(s)
print(i)
assert i['state'] == 1 and i['mss'] == 1448 and i['options'] == 7 and i['len'] == 232, i
# The link delays by 20 ms each way.
assert 40000 <= i['minrtt'] <= i['rtt'] < 5000000 and i['rttvar'] > 0, i
assert i['retrans'] == 0 and i['cwnd'] > 10, i
assert ${octets} <= i['acked'] <= ${octets} + 1 and i['received'] == 1 and i['unacked'] == 0, i
short = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
assert len(short) == 8 and short[0] == 1, short`;
    await service.must(python(), ['-c', program, '7101'], { ms: 120_000 });
    await server.stop('SIGKILL');
  });

  test('are the segments that had to be sent again', async () => {
    const server = await sink(7104, 100);
    server.child.stdin.end('go\n');
    const program = `${PROLOGUE}
before = info(s)
assert before['retrans'] == 0
print('connected', flush=True)
sys.stdin.readline()
s.sendall(b'x' * 100)
until(lambda: info(s), lambda i: i['retrans'] > 0 and i['unacked'] == 1 and i['retransmits'] > 0)
print('sent again', flush=True)
assert s.recv(1) == b'k'
after = info(s)
assert after['retransmits'] == 0 and after['acked'] - before['acked'] == 100 and after['again'] >= 100, after`;
    const client = service.start(python(), ['-c', program, '7104'], { stdio: ['pipe', 'pipe', 'pipe'] });
    await client.says(/connected/);
    // The host's answers go astray.
    ns.ip('neigh', 'replace', STACK4, 'lladdr', '02:00:00:00:00:99', 'nud', 'permanent', 'dev', 'nc0');
    client.child.stdin.end('go\n');
    await client.says(/sent again/);
    ns.ip('neigh', 'del', STACK4, 'dev', 'nc0');
    const ended = await client.end(120_000);
    assert.equal(ended.code, 0, ended.stderr);
    await server.stop('SIGKILL');
  });

  test('are the octets that the peer has not acknowledged', async () => {
    const octets = 300_000;
    const server = await sink(7102, octets);
    const program = `${PROLOGUE}
assert queue(s) == 0 and queue(s, 0x894b) == 0
s.sendall(b'x' * ${octets})
# Nobody reads: what does not fit the peer's window waits.
until(lambda: queue(s), lambda n: 0 < n < ${octets})
until(lambda: queue(s) + info(s)['acked'] - 1, lambda n: n == ${octets})
assert queue(s, 0x894b) <= queue(s)
print('waiting', flush=True)
assert s.recv(1) == b'k'
until(lambda: queue(s), lambda n: n == 0)
assert queue(s, 0x894b) == 0
try: queue(socket.create_server(('', 0)))
except OSError as e: print(e.errno)
print(queue(socket.socket()))`;
    const client = service.start(python(), ['-c', program, '7102']);
    await client.says(/waiting/);
    server.child.stdin.end('go\n');
    const ended = await client.end(120_000);
    assert.equal(ended.code, 0, ended.stderr);
    assert.equal(ended.stdout, 'waiting\n22\n0\n');
    await server.stop('SIGKILL');
  });

  test('are what iperf3 reports', async () => {
    const server = ns.start(which('iperf3'), ['-s', '-1', '--forceflush', '-p', '7103', '-B', HOST4]);
    await server.says(/listening/);
    const report = await service.must(which('iperf3'), ['-c', HOST4, '-p', '7103', '-t', '2', '-J'], { ms: 60_000 });
    const { sender } = JSON.parse(report).end.streams[0];
    assert.ok(sender.mean_rtt >= 40_000 && sender.min_rtt >= 40_000, JSON.stringify(sender));
    assert.ok(sender.retransmits >= 0 && sender.max_snd_cwnd > 10_000, JSON.stringify(sender));
  });
});
