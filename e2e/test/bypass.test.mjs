/**
 * `--bypass NETWORK` and datagram sockets: the program's own namespace has a server at 127.0.0.1 and ::1, which is bypassed, and
 * no way to the network beyond the tap, which netcon has. Whoever answers shows which network a socket was in.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { python as systemPython } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { E2E } from '../lib/paths.mjs';
import { which } from '../lib/process.mjs';
import { HOST4, HOST6, Service, STACK4 } from '../lib/service.mjs';

const PEER = `${E2E}programs/udp-peer.py`;
const HOLES = ['--bypass', '127.0.0.0/8', '--bypass', '::1'];
const PRELUDE = `
import ctypes, errno, fcntl, os, socket, struct
V4, V6, DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_DGRAM
HERE, THERE, HERE6, THERE6 = ('127.0.0.1', 7777), ('${HOST4}', 7777), ('::1', 7777), ('${HOST6}', 7777)
libc = ctypes.CDLL(None, use_errno=True)
def udp(family=V4):
    s = socket.socket(family, DGRAM)
    s.settimeout(10)
    return s
def tried(function, *args):
    try: return function(*args)
    except OSError as e: return errno.errorcode[e.errno]
def echo(s, *to):
    sent = s.sendto(b'x', *to) if to else s.send(b'x')
    return sent, s.recv(9)
def dissolve(s): return libc.connect(s.fileno(), struct.pack('H14x', socket.AF_UNSPEC), 16)
`;

let own;
let service;
const peers = [];
before(async () => {
  const ns = new Namespace();
  own = new Namespace();
  service = await Service.start(ns);
  for (const place of [ns, own]) {
    const peer = place.start(which('python3'), ['-u', PEER]);
    peers.push(peer);
    await peer.says(/ready/);
  }
});
after(async () => {
  for (const peer of peers) await peer.stop('SIGKILL');
  await service.stop();
});

async function prints(program, expected, intercept = HOLES) {
  const said = await service.must(systemPython(), ['-c', PRELUDE + program], { ns: own, intercept });
  assert.equal(said.trim(), expected);
}

test('without a hole every datagram is netcon’s', () =>
  prints(
    `
s = udp(); s.connect(HERE); s.send(b'x')
print(tried(s.recv, 9), echo(udp(), THERE)[1])`,
    "ECONNREFUSED b'x'",
    [],
  ));

test('the first address that a socket sends to decides', () =>
  prints(
    `
for family, here, there in ((V4, HERE, THERE), (V6, HERE6, THERE6), (V6, ('::ffff:127.0.0.1', 7777), ('::ffff:${HOST4}', 7777))):
    a, b = udp(family), udp(family)
    print(echo(a, here)[1], echo(b, there)[1], tried(echo, a, there), tried(echo, b, here), echo(a, here)[1], echo(b, there)[1])`,
    Array(3).fill("b'x' b'x' ENETUNREACH ENETUNREACH b'x' b'x'").join('\n'),
  ));

test('connect decides, and once dissolved decides again; both ways', () =>
  prints(
    `
for first, second in ((HERE, THERE), (THERE, HERE)):
    s = udp()
    s.connect(first)
    print(echo(s)[1], tried(s.connect, second), s.getpeername() == first, dissolve(s), end=' ')
    s.connect(second)
    print(echo(s)[1], s.getpeername() == second, tried(echo, s, first))`,
    Array(2).fill("b'x' ENETUNREACH True 0 b'x' True ENETUNREACH").join('\n'),
  ));

test('bind decides: a server at a bypassed address is heard where the program is, another one in netcon', async () => {
  const server = `
import select
here, there = udp(), udp()
here.bind(('127.0.0.1', 5005)); there.bind(('${STACK4}', 5005))
everywhere = udp(); everywhere.bind(('0.0.0.0', 5006))
print(tried(here.bind, ('${STACK4}', 0)), tried(there.bind, ('127.0.0.1', 0)), tried(everywhere.sendto, b'x', HERE), flush=True)
for s in (here, there, everywhere):
    data, sender = s.recvfrom(99)
    s.sendto(data.upper(), sender)`;
  const running = service.start(systemPython(), ['-c', PRELUDE + server], { ns: own, intercept: HOLES });
  await running.says(/^EINVAL EINVAL ENETUNREACH\n/m);
  const ask = (host, port) => ['-c', `${PRELUDE}s = udp(); s.sendto(b'hello', ('${host}', ${port})); print(s.recv(9))`];
  assert.equal(await own.must(systemPython(), ask('127.0.0.1', 5005)), "b'HELLO'\n");
  assert.equal(await service.ns.must(systemPython(), ask(STACK4, 5005)), "b'HELLO'\n");
  assert.equal(await service.ns.must(systemPython(), ask(STACK4, 5006)), "b'HELLO'\n");
  assert.equal((await running.end()).code, 0);
});

test('options and flags go along; a copy of the descriptor that was made before stays in netcon', () =>
  prints(
    `
s = udp(V6)
s.setblocking(False)
os.set_inheritable(s.fileno(), True)
options = [(1, 6, 1), (1, 2, 1), (1, 15, 1), (1, 8, 40000), (1, 12, 3), (0, 2, 7), (41, 16, 9), (41, 26, 1), (41, 49, 1), (17, 103, 500)]
for level, name, value in options: s.setsockopt(level, name, value)
s.setsockopt(1, 20, struct.pack('ll', 3, 250000))
def state(): return [s.getsockopt(*o[:2]) for o in options], s.getsockopt(1, 20, 16), fcntl.fcntl(s, 1), fcntl.fcntl(s, 3)
before, copy = state(), socket.socket(fileno=os.dup(s.fileno()))
s.connect(HERE6)
print(state() == before, copy.getsockname()[1], tried(copy.getpeername))
copy.settimeout(10)
print(echo(copy, THERE6)[1])`,
    "True 0 ENOTCONN\nb'x'",
  ));

test('sendmsg and sendmmsg are steered too, and stop where the other network begins', () =>
  prints(
    `
s = udp()
print(s.sendmsg([b'a', b'b'], [], 0, HERE), s.recv(9), tried(s.sendmsg, [b'x'], [], 0, THERE))
class Iovec(ctypes.Structure): _fields_ = [('base', ctypes.c_char_p), ('len', ctypes.c_size_t)]
class Message(ctypes.Structure): _fields_ = [('name', ctypes.c_char_p), ('namelen', ctypes.c_uint), ('iov', ctypes.POINTER(Iovec)),
    ('iovlen', ctypes.c_size_t), ('control', ctypes.c_void_p), ('controllen', ctypes.c_size_t), ('flags', ctypes.c_int), ('_', ctypes.c_int), ('sent', ctypes.c_uint)]
def address(to, family=V4): return struct.pack('=H', family) + struct.pack('>H', to[1]) + socket.inet_aton(to[0]) + bytes(8)
def many(s, *names):
    texts = [b'', b'one', b'two', b'three'][:len(names)]
    list = (Message * len(names))(*(Message(name, len(name), ctypes.pointer(Iovec(text, len(text))), 1) for name, text in zip(names, texts)))
    count = libc.sendmmsg(s.fileno(), list, len(names), 0)
    return (count, [m.sent for m in list[:count]], [s.recv(9) for _ in range(count)]) if count > 0 else errno.errorcode[ctypes.get_errno()]
here, there = address(HERE), address(THERE)
print(many(udp(), here, here, there, here), many(udp(), there, there), many(s, there))
# The kernel takes AF_UNSPEC for AF_INET here, and IPv4 addresses on a socket of IPv6.
print(many(s, address(THERE, 0)), many(s, address(HERE, 0)))
v6 = udp(V6)
print(many(v6, here), many(v6, there), many(udp(V6), there))`,
    [
      "2 b'ab' ENETUNREACH",
      "(2, [0, 3], [b'', b'one']) (2, [0, 3], [b'', b'one']) ENETUNREACH",
      "ENETUNREACH (1, [0], [b''])",
      "(1, [0], [b'']) ENETUNREACH (1, [0], [b''])",
    ].join('\n'),
  ));
