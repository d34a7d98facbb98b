/**
 * Sockets that lie ready for a program that makes several, and connects that are told to the service: what a program could notice of
 * them. docs/internals/sockets.md.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { python } from '../lib/apps.mjs';
import { Namespace } from '../lib/netns.mjs';
import { HOST4, Service } from '../lib/service.mjs';

const PORT = 7310;
/** A server of the host's: echoes, and says when a connection has ended. */
const SERVER = `
import selectors, socket
l = socket.create_server(('${HOST4}', ${PORT}), backlog=1000); print('up', flush=True)
s = selectors.DefaultSelector(); s.register(l, selectors.EVENT_READ)
while True:
    for key, _ in s.select():
        if key.fileobj is l:
            s.register(l.accept()[0], selectors.EVENT_READ)
            continue
        data = key.fileobj.recv(65536)
        if data: key.fileobj.sendall(data)
        else:
            print('ended', key.fileobj.getpeername()[1], flush=True)
            s.unregister(key.fileobj); key.fileobj.close()`;
/** What every program begins with: from its second socket on, sockets lie ready, and the address is known. */
const PRELUDE = `
import errno, os, select, socket, sys
to = ('${HOST4}', ${PORT})
def begin(address=to):
    s = socket.socket(); s.setblocking(False)
    return s, s.connect_ex(address)
def ask(s, data):
    s.setblocking(True); s.sendall(data); got = b''
    while len(got) < len(data): got += s.recv(65536)
    assert got == data, got
for _ in range(3):
    s, error = begin()
    assert error == errno.EINPROGRESS, error
    assert select.select([], [s], [], 10)[1]; ask(s, b'warm'); s.close()
`;

describe('sockets that lie ready', () => {
  let service;
  let server;
  before(async () => {
    service = await Service.start(new Namespace());
    server = service.ns.start(python(), ['-u', '-c', SERVER]);
    await server.says(/up/);
  });
  after(async () => {
    await server?.stop('SIGKILL');
    await service?.stop();
  });
  const program = (text) => service.must(python(), ['-u', '-c', PRELUDE + text]);

  test('two hundred connects at once, none waited for, each with its own content', async () => {
    const said = await program(`
pending = {}
for i in range(200):
    s, error = begin(); assert error == errno.EINPROGRESS, error; pending[s] = i
ready = select.poll()
by_fd = {s.fileno(): s for s in pending}
for fd in by_fd: ready.register(fd, select.POLLOUT)
done = 0
while by_fd:
    events = ready.poll(10000); assert events
    for fd, event in events:
        s = by_fd.pop(fd); ready.unregister(fd)
        assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        ask(s, b'%d ' % pending[s] * 20000); done += 1
print(done, len({s.getsockname()[1] for s in pending}), {s.getpeername() for s in pending} == {to})`);
    assert.equal(said, '200 200 True\n');
  });

  test('what is refused later is the error of the socket, which poll tells', async () => {
    const said = await program(`
for _ in range(3):
    s, error = begin(('${HOST4}', ${PORT + 1})); assert error == errno.EINPROGRESS, error
    poll = select.poll(); poll.register(s, select.POLLOUT)
    (_, events), = poll.poll(10000)
    print(bool(events & select.POLLERR), errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])`);
    assert.equal(said, 'True ECONNREFUSED\n'.repeat(3));
  });

  test('the numbers are the lowest, the flags those that were asked for', async () => {
    const said = await program(`
import fcntl
made = [socket.socket(type=socket.SOCK_STREAM | flag) for flag in (0, socket.SOCK_NONBLOCK)]
print(made[1].fileno() - made[0].fileno(), [bool(fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK) for s in made])
print([fcntl.fcntl(s, fcntl.F_GETFD) for s in made])`);
    assert.equal(said, '1 [False, True]\n[1, 1]\n');
  });

  test('a child of a fork holds none of what its parent uses and closes', async () => {
    const app = service.start(
      python(),
      [
        '-u',
        '-c',
        `${PRELUDE}
r, w = os.pipe()
if os.fork() == 0:
    os.close(w); os.read(r, 1); os._exit(0)
os.close(r)
s = socket.create_connection(to); ask(s, b'x'); port = s.getsockname()[1]; s.close()
print('closed', port)
sys.stdin.readline()`,
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const [, port] = await app.says(/closed (\d+)/);
    // The child lives, and the peer is told all the same.
    await server.says(new RegExp(`ended ${port}\\n`));
    app.child.stdin.end('\n');
    assert.equal((await app.end()).code, 0);
  });

  test('a child of a fork, and an exec, have sockets of their own', async () => {
    const said = await program(`
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        for _ in range(5):
            s, _ = begin(); select.select([], [s], [], 10); ask(s, b'child'); s.close()
        os.execvp(sys.executable, [sys.executable, '-c', '''
import socket
for _ in range(5):
    s = socket.create_connection(('${HOST4}', ${PORT})); s.sendall(b"exec"); assert s.recv(4) == b"exec"; s.close()
'''])
    s, _ = begin(); select.select([], [s], [], 10); ask(s, b'parent'); s.close()
    print(os.waitpid(pid, 0)[1])`);
    assert.equal(said, '0\n0\n0\n');
  });

  test('a socket closed while it connects gives no event, and is gone', async () => {
    // Nobody has that address: the neighbour is asked for in vain, for three seconds.
    const app = service.start(python(), [
      '-u',
      '-c',
      `${PRELUDE}
e = select.epoll()
kept = []
for _ in range(4):
    s, error = begin(('10.77.0.99', 9)); assert error == errno.EINPROGRESS, error
    e.register(s, select.EPOLLIN | select.EPOLLOUT); s.close()
print('closed')
print(e.poll(5))`,
    ]);
    await app.says(/closed/);
    assert.deepEqual(
      (await service.show()).filter((row) => row.peer === '10.77.0.99:9'),
      [],
    );
    assert.equal((await app.end()).stdout, 'closed\n[]\n');
  });

  test('sockets that were taken and never used are not counted when their program has ended', async () => {
    for (let i = 0; i < 3; i++) await program('keep = [socket.socket() for _ in range(20)]; print(len(keep))');
    assert.deepEqual(
      (await service.show()).filter((row) => row.protocol === 'tcp' && row.state === 'CLOSED'),
      [],
    );
  });
});
