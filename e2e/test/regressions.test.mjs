/**
 * What once failed under netcon or its ancestors, each by its name. The programs run intercepted; who talks to them
 * is on kernel TCP across the tap.
 */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python, startRedis } from '../lib/apps.mjs';
import { startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN } from '../lib/paths.mjs';
import { cpuMs, sleep, until, which } from '../lib/process.mjs';
import { Program } from '../lib/program.mjs';
import { HOST4, Service, STACK4, scratch } from '../lib/service.mjs';

let ns;
let service;
const capture = `${scratch()}/link.pcap`;

before(async () => {
  ns = new Namespace();
  const dir = scratch();
  // Some of the servers give up root before they are intercepted.
  chmodSync(dir, 0o755);
  service = await Service.start(ns, { dir, args: ['--tap', 'nc0', '--allow', 'all', '--capture', capture] });
});
after(() => service?.stop());

/** Starts a program, does something with it, stops it. */
async function withProgram(name, port, act) {
  const program = await Program.start(name, port, { service });
  try {
    return await act(program);
  } finally {
    program.stop();
  }
}

/** A dialogue with a server, as the host has it: each line is sent when the one before has been answered. */
const DIALOGUE = `
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 10)
f = s.makefile('rwb')
print(f.readline().decode().strip())
for line in sys.argv[3:]:
    f.write(line.encode() + b'\\r\\n'); f.flush()
    print(f.readline().decode().strip())`;

async function dialogue(port, ...lines) {
  const said = await ns.must(python(), ['-c', DIALOGUE, STACK4, String(port), ...lines]);
  return said.trim().split('\n');
}

const intercepted = (program, ...args) => service.must(python(), ['-u', '-c', program, ...args]);
const listening = async (port) =>
  (await service.show())
    .filter((row) => row.protocol === 'tcp' && row.state === 'LISTEN' && row.local.endsWith(`:${port}`))
    .map((row) => [row.family, row.local]);

describe('servers', () => {
  test('vsftpd greets with 220, not "500 OOPS"', () =>
    withProgram('vsftpd', 2101, async () => {
      const said = await dialogue(2101, 'USER anonymous', 'PASS x@y', 'PASV');
      assert.match(said[0], /^220 /);
      assert.match(said[2], /^230 /);
      assert.match(said[3], /^227 .*10,77,0,2,/, 'its own address, and its client has one');
    }));

  test('vsftpd with its sandbox and privilege separation greets with 220 too', () =>
    withProgram('vsftpd-root', 2102, async () => assert.match((await dialogue(2102))[0], /^220 /)));

  test('pure-ftpd serves, without "Socket operation on non-socket" or "invalid address given"', () =>
    withProgram('pure-ftpd', 2103, async (program) => {
      // The greeting has several lines; curl reads them. PORT is what was answered with 425.
      for (const mode of [['--ftp-pasv'], ['--disable-eprt', '--ftp-port', '-']]) {
        const url = `ftp://${STACK4}:${program.port}/pub/`;
        const { code, stdout, stderr } = await ns.run(
          which('curl'),
          ['-sSv', '-m', '15', '--noproxy', '*', '-u', 'vu:secret', ...mode, url],
          { ms: 30_000 },
        );
        assert.equal(code, 0, stderr);
        assert.match(stdout, /a\.bin/);
        assert.match(stderr, /< 220/);
        assert.doesNotMatch(stderr, /non-socket|invalid address/);
      }
    }));

  test('MariaDB keeps its client, and knows its address', () =>
    withProgram('mariadb', 2104, async ({ port }) => {
      const query = 'select user(); select repeat("x", 100000)';
      const args = ['--no-defaults', '--protocol=tcp', '-h', STACK4, '-P', port, '-u', 't', '-ppw', '-N', '-e', query];
      const [user, blob] = (await ns.must(which('mariadb'), args)).split('\n');
      assert.equal(user, `t@${HOST4}`);
      assert.equal(blob.length, 100_000);
    }));

  test('PostgreSQL keeps its client, and knows its address', () =>
    withProgram('postgresql', 2105, async ({ port }) => {
      const query = "select inet_client_addr(), inet_server_addr(), length(repeat('x', 100000))";
      const args = ['-X', '-h', STACK4, '-p', port, '-U', 't', '-d', 'postgres', '-Atqc', query];
      assert.equal(await ns.must(which('psql'), args), `${HOST4}|${STACK4}|100000\n`);
    }));

  test('sshd answers at once, not after 15 to 20 s', () =>
    withProgram('sshd', 2106, async ({ port, dir }) => {
      const options = ['IdentitiesOnly=yes', 'StrictHostKeyChecking=no', `UserKnownHostsFile=${dir}/known`];
      const args = ['-F', 'none', '-i', `${dir}/ck.client`, ...options.flatMap((option) => ['-o', option])];
      const login = [...args, '-o', 'BatchMode=yes', '-p', port, `netcon-ssh@${STACK4}`, 'echo $SSH_CONNECTION'];
      // A login takes a third of a second; bench/ssh.mjs measures it.
      const said = await ns.must(which('ssh'), login, { ms: 10_000 });
      assert.match(said, new RegExp(`^${HOST4} \\d+ ${STACK4} ${port}\n$`));
    }));
});

describe('mappings', () => {
  test('redis opens its IPv6-only listening socket at the first attempt, beside the IPv4 one', async () => {
    const redis = await startRedis(service, 6379);
    assert.doesNotMatch(redis.stdout, /Could not create|Warning: |Failed listening/);
    assert.deepEqual((await listening(6379)).sort(), [
      [4, '0.0.0.0:6379'],
      [6, '[::]:6379'],
    ]);
    assert.equal((await redis.stop()).code, 0);
    assert.deepEqual(await listening(6379), []);
  });

  test('a listening socket that is closed and opened again is one mapping, and none when it is closed', async () => {
    const app = service.start(
      python(),
      [
        '-u',
        '-c',
        `
import socket, sys
def make():
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(('::', 6400)); s.listen(5)
    return s
s = make(); s.close(); s = make()
print('twice'); sys.stdin.readline()
s.close()
print('closed'); sys.stdin.readline()`,
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    await app.says(/twice/);
    assert.deepEqual(await listening(6400), [[6, '[::]:6400']]);
    app.child.stdin.write('\n');
    await app.says(/closed/);
    assert.deepEqual(await listening(6400), [], 'its program lives, its socket does not');
    app.child.stdin.end('\n');
    assert.equal((await app.end()).code, 0);
  });

  test('a connection whose program has closed its end is no mapping', async () => {
    const server = await startHttpServer(ns, HOST4);
    const app = service.start(
      python(),
      [
        '-u',
        '-c',
        `
import socket, sys
s = [socket.create_connection(('${HOST4}', ${server.port})) for _ in range(3)]
print('open'); sys.stdin.readline()
for c in s: c.close()
print('closed'); sys.stdin.readline()`,
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    );
    const open = async () => (await service.show()).filter((row) => row.pid === app.pid && row.state === 'ESTABLISHED');
    await app.says(/open/);
    assert.equal((await open()).length, 3);
    app.child.stdin.write('\n');
    await app.says(/closed/);
    await until(async () => (await open()).length === 0);
    app.child.stdin.end('\n');
    await app.end();
    await server.server.stop();
  });
});

describe('calls', () => {
  test('accept with nobody waiting is EAGAIN: node does not loop', async () => {
    const errno = await intercepted(`
import socket
s = socket.create_server(('127.0.0.1', 6410)); s.setblocking(False)
try: s.accept()
except OSError as e: print(e.errno)`);
    assert.equal(errno, '11\n');
    const { server, url } = await startHttpServer(service, '0.0.0.0', 6411);
    const curl = ['-sS', '-m', '10', '--noproxy', '*', `${url(STACK4)}/bytes/[10-29]`];
    await ns.must(which('curl'), curl);
    const from = cpuMs(server.pid);
    await sleep(1500);
    const spent = cpuMs(server.pid) - from;
    assert.ok(spent <= 150, `${spent} ms of CPU in 1.5 s with nothing to do`);
    await server.stop();
  });

  test('accept4 keeps SOCK_NONBLOCK and SOCK_CLOEXEC', async () => {
    const said = await service.must(`${BIN}accept4`, ['4']);
    for (const [flags, nonblock, cloexec] of [
      ['0', 0, 0],
      ['SOCK_NONBLOCK', 1, 0],
      ['SOCK_CLOEXEC', 0, 1],
      ['SOCK_NONBLOCK | SOCK_CLOEXEC', 1, 1],
    ]) {
      const lines = said.split('\n').filter((line) => line.startsWith(`${flags}: `));
      assert.deepEqual(lines, Array(3).fill(`${flags}: nonblock ${nonblock} cloexec ${cloexec}`));
    }
  });

  test('syscall(2) hands on all six arguments and the whole result', async () => {
    const said = await service.must(`${BIN}syscall`, ['4']);
    assert.match(said, /^six arguments: the page at the offset$/m);
    assert.match(said, /^a result above 2\^32: yes$/m);
  });
});

describe('setsockopt is no fake', () => {
  /** The frames of a capture that match, as tcpdump puts them, in the order in which the stack saw them. */
  const frames = async (file, filter) =>
    (await ns.must(which('tcpdump'), ['-n', '-r', file, filter])).split('\n').filter(Boolean);

  test('SO_LINGER of zero: read back, and the kernel’s peer gets a reset', async () => {
    const peer = ns.start(python(), [
      '-u',
      '-c',
      `
import socket
l = socket.create_server(('${HOST4}', 6420)); print('up')
for _ in range(2):
    s = l.accept()[0]
    try: print('end', s.recv(1))
    except OSError as e: print('errno', e.errno)`,
    ]);
    await peer.says(/up/);
    const said = await intercepted(`
import socket, struct
for onoff in (1, 0):
    s = socket.create_connection(('${HOST4}', 6420))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', onoff, 0))
    print(struct.unpack('ii', s.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)))
    s.close()`);
    assert.equal(said, '(1, 0)\n(0, 0)\n');
    assert.match((await peer.end()).stdout, /up\nerrno 104\nend b''\n/);
  });

  test('SO_KEEPALIVE with its times: read back, and probes are on the wire', async () => {
    const server = await startHttpServer(ns, HOST4);
    const app = service.start(python(), [
      '-u',
      '-c',
      `
import socket, time
s = socket.create_connection(('${HOST4}', ${server.port}))
for level, name, value in ((1, 9, 1), (6, 4, 1), (6, 5, 1), (6, 6, 3)):
    s.setsockopt(level, name, value); print('set', s.getsockopt(level, name))
time.sleep(60)`,
    ]);
    await app.says(/set 1\nset 1\nset 1\nset 3\n/);
    // SYN, the handshake's ACK, and then nothing was written: what else this side sends are probes.
    await until(async () => (await frames(capture, `tcp dst port ${server.port}`)).length >= 4);
    assert.match((await app.stop('SIGKILL')).stdout, /set 3/);
    await server.server.stop();
  });

  test('TCP_NODELAY: read back, and small writes do not wait for an acknowledgement', async () => {
    const file = `${scratch()}/slow.pcap`;
    const args = ['--tap', 'nc0', '--fault', 'delay=400ms', '--capture', file];
    const slow = await Service.start(new Namespace(), { args });
    const server = await startHttpServer(slow.ns, HOST4);
    /** How many segments came from the peer between two single bytes. */
    const between = async (nodelay) => {
      const app = slow.start(
        python(),
        [
          '-u',
          '-c',
          `
import socket, sys
s = socket.create_connection(('${HOST4}', ${server.port}))
s.setsockopt(6, 1, ${nodelay}); print('nodelay', s.getsockopt(6, 1), 'port', s.getsockname()[1])
for line in sys.stdin: s.send(line.strip().encode())`,
        ],
        { stdio: ['pipe', 'pipe', 'pipe'] },
      );
      const [, port] = await app.says(new RegExp(`nodelay ${nodelay} port (\\d+)`));
      const seen = () => frames(file, `tcp port ${port}`);
      /** Where the bytes 1 and 2 of the stream first stand alone. */
      const single = (lines) =>
        ['1:2', '2:3'].map((seq) =>
          lines.findIndex((line) => line.includes(` > ${HOST4}.`) && line.includes(`seq ${seq},`)),
        );
      app.child.stdin.write('G\n');
      await until(async () => single(await seen())[0] >= 0);
      app.child.stdin.write('E\n');
      const lines = await until(async () => {
        const all = await seen();
        return single(all)[1] >= 0 ? all : undefined;
      });
      await app.stop('SIGKILL');
      const [first, second] = single(lines);
      return second - first - 1;
    };
    // Nagle's algorithm waits for the acknowledgement, which takes 0.8 s here.
    assert.ok((await between(0)) >= 1, 'without TCP_NODELAY the second byte waits');
    // Where the processor is busy the acknowledgement may come before the second byte is written.
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 5 && least > 0; i++) least = Math.min(least, await between(1));
    assert.equal(least, 0, 'with TCP_NODELAY it does not wait');
    await server.server.stop();
    await slow.stop();
  });
});
