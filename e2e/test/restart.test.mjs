/** The service is killed, and started again: what programs see of it, and what the next service takes back. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { python, startNginx, startPythonHttp, startRedis, webRoot } from '../lib/apps.mjs';
import { curlDown, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { cpuMs, sleep, until, which } from '../lib/process.mjs';
import { Service, STACK4, STACK6 } from '../lib/service.mjs';
import { startSshd } from '../lib/sshd.mjs';
import { UID } from '../lib/unprivileged.mjs';

const SIZE = 10_000;
/** What a service takes with it: connections that it stands between. Direct ones live on: shortcut.test.mjs. */
const STACK_ONLY = ['--tap', 'nc0', '--no-shortcut'];

/** A program that does what it is told, a piece of Python a line (as JSON), and says what came of it. */
const PUPPET = `
import json, os, select, signal, socket, sys, threading, time
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
def tcp(family=socket.AF_INET): return socket.socket(family, socket.SOCK_STREAM)
def connected(port, host="127.0.0.1"): return socket.create_connection((host, port), 10)
def pair(port): c = connected(port); return c, l.accept()[0]
def echo(l):
    c, peer = l.accept(); c.sendall(c.recv(100)); c.close(); return peer[0]
def waiting(what):
    said = []
    def run():
        try: said.append(what())
        except OSError as e: said.append("errno %s" % e.errno)
    t = threading.Thread(target=run); t.start()
    def end(): t.join(5); return said
    return end
for line in sys.stdin:
    code = json.loads(line)
    try:
        try: said = repr(eval(code))
        except SyntaxError: exec(code); said = "done"
    except OSError as e: said = "errno %s" % e.errno
    except Exception as e: said = repr(e)
    print("> " + said, flush=True)
`;

class Puppet {
  constructor(service, options) {
    this.process = service.start(python(), ['-u', '-c', PUPPET], { stdio: ['pipe', 'pipe', 'pipe'], ...options });
    this.asked = 0;
  }

  /** What came of one line; it may take that long. */
  async does(line, ms = 10_000) {
    this.process.child.stdin.write(`${JSON.stringify(line)}\n`);
    const nth = ++this.asked;
    return until(
      () =>
        this.process.stdout
          .split('\n')
          .filter((said) => said.startsWith('> '))
          [nth - 1]?.slice(2),
      ms,
      () => `${line}: no answer\n${this.process.stdout}${this.process.stderr}`,
    );
  }

  stop() {
    return this.process.stop('SIGKILL');
  }
}

async function killed(service) {
  service.process.kill('SIGKILL');
  await service.process.end();
}

async function restarted(service) {
  return Service.start(service.ns, { dir: service.dir, args: STACK_ONLY });
}

/** The pid and those of its children. */
function family(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return [pid, ...children.map(Number)];
}

const at = (port, host = STACK4) => `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

describe('servers of all kinds', () => {
  let ns;
  let service;
  const servers = {};
  let ssh;
  let idle;
  before(async () => {
    ns = new Namespace();
    service = await Service.start(ns, { args: STACK_ONLY });
    // nginx's workers have to reach the socket again.
    chmodSync(service.dir, 0o755);
    const root = webRoot([SIZE]);
    servers.nginx = await startNginx(service, root, 8001);
    servers.python = await startPythonHttp(service, root, 8002);
    servers.node = (await startHttpServer(service, '::', 8003)).server;
    servers.redis = await startRedis(service, 6379);
    const sshd = await startSshd(service, 2222);
    servers.sshd = sshd.server;
    ssh = sshd.ssh;
    // A client that says nothing on each of them, in netcon and outside.
    const hold = `
import socket, sys, time
held = [socket.create_connection((sys.argv[1], p), 10) for p in (8001, 8002, 8003, 6379, 2222)]
print("held", flush=True); time.sleep(600)`;
    idle = [ns.start(python(), ['-u', '-c', hold, STACK4]), service.start(python(), ['-u', '-c', hold, '127.0.0.1'])];
    for (const holder of idle) await holder.says(/held/);
    await answer();
  });
  after(async () => {
    await Promise.all([...Object.values(servers), ...idle].map((server) => server.stop('SIGKILL')));
    await service.stop();
  });

  /** Every server answers the host, and a program that joins now. */
  async function answer() {
    for (const [client, hosts] of [
      [ns, [STACK4, STACK6]],
      [service, ['127.0.0.1', '::1']],
    ]) {
      for (const host of hosts) {
        for (const port of [8001, 8002, 8003]) await curlDown(client, at(port, host), SIZE);
        assert.equal(await client.must(which('redis-cli'), ['-h', host, 'ping']), 'PONG\n');
      }
      assert.equal(await client.must(...ssh(hosts[0], 'echo $((6*7))')), '42\n');
    }
  }

  test('killed with -9: they burn no CPU', async () => {
    await killed(service);
    // What their connections' end gives them to do.
    await sleep(500);
    const pids = Object.values(servers).flatMap((server) => family(server.pid));
    const before = pids.map(cpuMs);
    await sleep(3000);
    const spent = pids.map((pid, i) => cpuMs(pid) - before[i]);
    const names = pids.map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    assert.ok(
      spent.every((ms) => ms <= 50),
      `CPU in 3 s: ${names.map((name, i) => `${name} ${spent[i]} ms`).join(', ')}`,
    );
  });

  test('the next service serves them again, the one after it too', async () => {
    for (let i = 0; i < 2; i++) {
      if (i > 0) await killed(service);
      service = await restarted(service);
      await answer();
      const listeners = (await service.show()).filter((row) => row.state === 'LISTEN');
      const ports = listeners.map((row) => row.local.match(/\d+$/)[0]).sort();
      assert.deepEqual(ports, ['2222', '6379', '6379', '8001', '8001', '8002', '8003']);
      for (const row of listeners) assert.ok(row.pid > 0 && row.program !== '', JSON.stringify(row));
    }
  });

  test("nginx's workers, which are another user, connect again", async () => {
    await curlDown(ns, `${at(8001)}/proxy`, SIZE);
  });
});

describe('a program', () => {
  let ns;
  let service;
  let puppet;
  before(async () => {
    ns = new Namespace();
    service = await Service.start(ns, { args: STACK_ONLY });
    puppet = new Puppet(service);
  });
  after(async () => {
    await puppet.stop();
    await service.stop();
  });

  const DOWN = 'errno 100';
  const RESET = 'errno 104';
  const is = async (line, said) => assert.equal(await puppet.does(line), said, line);

  test('without its service: new calls fail at once, connections are reset, waits end', async () => {
    await is('l = socket.create_server(("0.0.0.0", 7000), backlog=7)', 'done');
    await is('ends = [pair(7000) for _ in range(6)]', 'done');
    await is('fresh = tcp(); v6 = tcp(socket.AF_INET6); bound = tcp()', 'done');
    await is('bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)', 'None');
    await is('bound.bind(("0.0.0.0", 7001)); local = bound.getsockname()', 'done');
    await is('late = connected(7000)', 'done');
    await is('dialling = tcp(); dialling.setblocking(False); dialling.connect_ex(("10.77.0.99", 1))', 'done');
    await is('reader = waiting(lambda: ends[2][0].recv(10))', 'done');
    await is('reads = waiting(lambda: os.read(ends[2][1].fileno(), 10))', 'done');
    await is('dials = waiting(lambda: connected(1, "10.77.0.99"))', 'done');
    // Waits for the SYN that it sends: the call is under way.
    await until(async () => (await service.show()).filter((row) => row.state === 'SYN-SENT').length === 2);
    await killed(service);
    const began = Date.now();
    await is('ends[0][0].recv(10)', RESET);
    await is('ends[0][1].recv(10)', RESET);
    await is('ends[1][0].setblocking(False)', 'None');
    await is('ends[1][0].recv(10)', RESET);
    await is('os.read(ends[1][1].fileno(), 10)', RESET);
    await is('ends[3][0].send(b"x")', 'errno 32');
    await is('p = select.poll(); p.register(ends[3][1], select.POLLIN)', 'done');
    await is('len(p.poll(1000))', '1');
    await is('reader()', `['${RESET}']`);
    await is('reads()', `['${RESET}']`);
    await is('dials()', `['${DOWN}']`);
    await is('dialling.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (100, 104)', 'True');
    await is('socket.socket()', DOWN);
    await is('socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)', DOWN);
    await is('fresh.connect(("127.0.0.1", 7000))', DOWN);
    await is('fresh.bind(("0.0.0.0", 7002))', DOWN);
    await is('bound.listen()', DOWN);
    await is('l.listen()', DOWN);
    await is('l.getsockname()', DOWN);
    await is('bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)', DOWN);
    assert.ok(Date.now() - began < 5000, 'at once');
  });

  test('with the next one everything works again, in the same process', async () => {
    service = await restarted(service);
    await is('bound.getsockname() == local', 'True');
    await is('bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)', '77');
    await is('bound.listen(3)', 'None');
    await is('l.getsockname()', "('0.0.0.0', 7000)");
    await is('l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)', '1');
    // The connection that nobody had accepted is reset; the ones after it are served.
    await is('old = l.accept()[0]; old.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)', 'done');
    await is('old.recv(10)', RESET);
    await is('old.recv(10)', "b''");
    await is('ends[4][0].recv(10)', RESET);
    await is('ends[4][0].connect(("127.0.0.1", 7000))', 'errno 106');
    await is('ends[4][0].getsockname()[0]', "'127.0.0.1'");
    await is('ends[4][0].getpeername()', 'errno 107');
    await is('dialling.connect_ex(("127.0.0.1", 7000))', '104');
    await is('dialling.setblocking(True); dialling.connect(("127.0.0.1", 7000))', 'done');
    await is('l.accept()[1] == dialling.getsockname()', 'True');
    await is('fresh.connect(("127.0.0.1", 7001)); bound.accept()[1] == fresh.getsockname()', 'done');
    await is('v6.bind(("::", 7002)); v6.listen()', 'done');
    await is('tcp(socket.AF_INET6).connect(("::1", 7002))', 'None');
    await is('socket.create_server(("0.0.0.0", 7000))', 'errno 98');
    await is('again = waiting(lambda: echo(l))', 'done');
    assert.equal(await ns.must('/bin/bash', ['-c', `exec 3<>/dev/tcp/${STACK4}/7000; echo hi >&3; cat <&3`]), 'hi\n');
    await is('again()', "['10.77.0.1']");
    await is('l.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1); l.close()', 'done');
    await is('l = socket.create_server(("0.0.0.0", 7000))', 'done');
  });

  test('what is closed meanwhile, by itself or with its program, is not found again', async () => {
    const other = new Puppet(service);
    assert.equal(await other.does('o = socket.create_server(("0.0.0.0", 7100))'), 'done');
    await is('gone = socket.create_server(("0.0.0.0", 7101))', 'done');
    await killed(service);
    await other.stop();
    await is('gone.close()', 'None');
    service = await restarted(service);
    const ports = (await service.show()).filter((row) => row.state === 'LISTEN').map((row) => row.local);
    assert.deepEqual(ports.sort(), ['0.0.0.0:7000', '0.0.0.0:7001', '[::]:7002']);
    // Of the names: the service's own two, and one for each listener.
    assert.equal(readdirSync(`${service.dir}/service.d`).length, 2 + 3);
    await is('socket.create_server(("0.0.0.0", 7101)).close()', 'None');
  });

  test('its child, forked while there was no service, is served by the next', async () => {
    await killed(service);
    const child = `r, w = os.pipe(); r2, w2 = os.pipe()
child = os.fork()
if child == 0:
  os.read(r, 1)
  try: os.write(w2, echo(l).encode()); connected(7001).close(); os.write(w2, b" and connects")
  except Exception as e: os.write(w2, repr(e).encode())
  os._exit(0)`;
    await is(child, 'done');
    service = await restarted(service);
    await is('os.write(w, b"x")', '1');
    assert.equal(await ns.must('/bin/bash', ['-c', `exec 3<>/dev/tcp/${STACK4}/7000; echo hi >&3; cat <&3`]), 'hi\n');
    await is('os.waitpid(child, 0)[1]', '0');
    await is('os.read(r2, 100)', "b'10.77.0.1 and connects'");
  });

  test('a service that does not start leaves what the next one needs', async () => {
    await killed(service);
    const failed = new Service(ns, { dir: service.dir, args: ['--tap', 'lo'] });
    assert.notEqual((await failed.process.end()).code, 0);
    service = await restarted(service);
    assert.equal((await service.show()).filter((row) => row.state === 'LISTEN').length, 3);
  });
});

describe('what is not taken back', () => {
  let ns;
  let service;
  let puppet;
  const ports = async () =>
    (await service.show())
      .filter((row) => row.state === 'LISTEN')
      .map((row) => Number(row.local.match(/\d+$/)[0]))
      .sort();
  const names = () => readdirSync(`${service.dir}/service.d`).filter((name) => name.includes('-'));
  before(async () => {
    ns = new Namespace();
    service = await Service.start(ns, { args: STACK_ONLY });
    puppet = new Puppet(service);
    await puppet.does('a = socket.create_server(("0.0.0.0", 7000)); b = socket.create_server(("0.0.0.0", 7001))');
  });
  after(async () => {
    await puppet.stop();
    await service.stop();
  });

  test('a socket that has been put in the place of a listener, or beside it', async () => {
    await killed(service);
    const dir = `${service.dir}/service.d`;
    const [first] = names();
    rmSync(`${dir}/${first}`);
    const forged = [];
    for (const name of [first, 'ff-00000000000000ff']) {
      const server = createServer((socket) => socket.end());
      await new Promise((resolve) => server.listen(`${dir}/${name}`, resolve));
      forged.push(server);
    }
    service = await restarted(service);
    assert.equal((await ports()).length, 1);
    assert.equal(names().length, 1);
    for (const server of forged) server.close();
  });

  test("a record of another user's socket, and a directory of another user's", async () => {
    const [left] = await ports();
    await killed(service);
    const dir = `${service.dir}/service.d`;
    // The sockets stay the same; who made them is told by the kernel, not by the file.
    chownSync(dir, UID, UID);
    service = await restarted(service);
    assert.deepEqual(await ports(), []);
    assert.equal(await puppet.does(`tcp().connect(("127.0.0.1", ${left}))`), 'errno 111');
  });
});
