/**
 * Name look-ups: programs in netcon ask dnsmasq on the other side of the tap, over netcon's network; and every call is
 * compared with glibc's own resolver asking the same server.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { python as systemPython } from '../lib/apps.mjs';
import { differences } from '../lib/differential.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN, NETCON } from '../lib/paths.mjs';
import { until, which } from '../lib/process.mjs';
import { HOST4, HOST6, READY, Service, scratch } from '../lib/service.mjs';

/** Calls every function on each name and prints what it gives. */
const LOOK_UPS = `${BIN}look-ups`;
const LOOK_UPS_MUSL = `${BIN}musl/look-ups`;
const GET_MUSL = `${BIN}musl/http-get`;
const BIG = Array.from({ length: 64 }, (_, i) => `198.51.100.${i + 1}`);
const RECORDS = [
  // A second, so that what is kept for a while can be seen, and what is not.
  '--host-record=both.example.test,192.0.2.1,2001:db8::1,3600',
  '--host-record=v4.example.test,192.0.2.2',
  '--host-record=v6.example.test,2001:db8::2',
  `--host-record=web.example.test,${HOST4},${HOST6},3600`,
  `--host-record=web4.example.test,${HOST4}`,
  '--cname=alias.example.test,both.example.test',
  '--mx-host=example.test,both.example.test,10',
  '--txt-record=example.test,hello',
  ...BIG.map((ip) => `--host-record=big.example.test,${ip}`),
];

/** A mount namespace with a file of its own. */
function withFile(path, text) {
  const file = `${scratch()}/file`;
  writeFileSync(file, text);
  return ['unshare', '-m', '--', 'sh', '-c', `mount --bind ${file} ${path} && exec "$@"`, 'sh'];
}

const withResolvConf = (text) => withFile('/etc/resolv.conf', text);

/** What is to be stopped when the test that started it has ended. */
const running = [];
const stopAll = () => Promise.all(running.splice(0).map((process) => process.stop()));

async function startDnsmasq(ns, ...args) {
  const fixed = ['-d', '-R', '-h', '--conf-file=/dev/null', '--log-queries=extra', '--log-facility=-'];
  const zones = ['--local=/test/', '--local=/in-addr.arpa/', '--local=/ip6.arpa/'];
  const server = ns.start(which('dnsmasq'), [...fixed, ...zones, ...args]);
  running.push(server);
  await server.says(/started, version/);
  return server;
}

/** How often a question has reached the server. */
const asked = (server, type, name) => server.stderr.split(`query[${type}] ${name} from`).length - 1;

const ADDRESSES = `
import socket, sys
try:
    print(*sorted({a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80)}))
except socket.gaierror as e:
    print(e.errno)`;
const addresses = (where, name, options) =>
  where.must(systemPython(), ['-c', ADDRESSES, name], options).then((text) => text.trim());

describe('names over DNS', () => {
  const conf = withResolvConf(`nameserver ${HOST4}\nsearch example.test\noptions timeout:1\n`);
  let ns;
  let service;
  let server;
  before(async () => {
    ns = new Namespace();
    service = await Service.start(ns, { wrap: conf });
    // musl waits in vain for another answer than a refusal: these do not exist.
    const missing = ['both', 'localhost', 'listed', 'listed-too', '1', '3', '::1'].map((name) => `--local=/${name}/`);
    server = await startDnsmasq(ns, ...RECORDS, ...missing);
  });
  after(async () => {
    await stopAll();
    assert.equal((await service.stop()).code, 0);
  });

  test('the service says which servers it asks', () =>
    assert.match(service.process.stdout, /names +by DNS: 10\.77\.0\.1\n/));

  test('every call gives what it gives with the resolver of glibc', async () => {
    const names = [
      'both.example.test',
      'both',
      'alias.example.test',
      'v4.example.test',
      'v6.example.test',
      'localhost',
    ];
    names.push(
      'nosuch.example.test',
      'refused.example.org.',
      'example.test',
      '127.0.0.1',
      '::1',
      '1.2.3',
      'no..name',
      '',
    );
    const native = await ns.must(conf[0], [...conf.slice(1), LOOK_UPS, ...names]);
    const netcon = await service.must(LOOK_UPS, names);
    assert.ok(native.split('\n').length > 700, 'the program says something');
    assert.deepEqual(differences(native, netcon), []);
  });

  test('every call of a program built with musl gives what it gives with the resolver of musl', async () => {
    const inRoot = withFile(
      '/etc/hosts',
      '127.0.0.1 localhost\n::1 localhost\n192.0.2.77 listed listed-too # no more\n192.0.2.78 listed\n',
    );
    const said = async (...names) => [
      await ns.must(conf[0], [...conf.slice(1), ...inRoot, LOOK_UPS_MUSL, ...names]),
      await service.must(inRoot[0], [...inRoot.slice(1), LOOK_UPS_MUSL, ...names]),
    ];
    const names = ['both.example.test', 'both', 'alias.example.test', 'v4.example.test', 'v6.example.test'];
    names.push('web.example.test', 'localhost', 'listed', 'listed-too');
    names.push('nosuch.example.test', 'example.test', '127.0.0.1', '::1', 'fe80::1%lo', '1.2.3', '');
    names.push('no..name', 'x'.repeat(255));
    const [native, netcon] = (await said(...names)).map((text) =>
      text
        .split('\n')
        // Of a name that is none musl's res_query leaves h_errno alone.
        .filter((line) => !/^res_(query|search) (no\.\.name|x{255}) /.test(line))
        // The order is netcon's, by other tables than musl's.
        .map((line) =>
          line.replace(/ \[.*\]$/, (entries) =>
            entries
              .match(/\[[^\]]*\]/g)
              .sort()
              .join(' '),
          ),
        )
        .join('\n'),
    );
    assert.ok(native.split('\n').length > 800, 'the program says something');
    assert.deepEqual(differences(native, netcon), []);
  });

  test('addresses stand in the same order for programs of either libc', async () => {
    for (const name of ['web.example.test', 'web']) {
      const [glibc, musl] = await Promise.all(
        [LOOK_UPS, LOOK_UPS_MUSL].map((program) => service.must(program, [name])),
      );
      const listed = (text) => /^getaddrinfo \S+ - .*$/m.exec(text)[0].match(/(?<= 1 6 )\S+/g);
      assert.deepEqual(listed(musl), listed(glibc));
      assert.equal(listed(musl).length, 2);
    }
  });

  test('a program built with musl gets as much of a long answer as musl takes', async () => {
    const listed = await service.must(LOOK_UPS_MUSL, ['big.example.test']);
    const [, first] = /^getaddrinfo big\.example\.test - .*: 0 (.*)$/m.exec(listed);
    const found = [...first.matchAll(/\[0 2 1 6 (\S+) 0 big\.example\.test\]/g)].map(([, ip]) => ip);
    assert.equal(new Set(found).size, 48);
    assert.ok(found.every((ip) => BIG.includes(ip)));
  });

  test('a program without any network looks names up, and reaches what they name', async () => {
    const empty = new Namespace({ loopback: false });
    assert.equal(await addresses(service, 'both', { ns: empty }), '192.0.2.1 2001:db8::1');
    running.push(ns.start(which('python3'), ['-m', 'http.server', '--bind', '::', '8000', '--directory', scratch()]));
    const curl = [
      '-sS',
      '--retry',
      '20',
      '--retry-connrefused',
      '--retry-delay',
      '1',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
    ];
    for (const name of ['web.example.test', 'web4']) {
      assert.equal(await service.must(which('curl'), [...curl, `http://${name}:8000/`], { ns: empty }), '200');
    }
    const wget = await service.run(which('wget'), ['-q', '-O', '/dev/null', 'http://web:8000/'], { ns: empty });
    assert.equal(wget.code, 0, wget.stderr);
  });

  test('getent, node, Java and Python look names up', async () => {
    const ahosts = await service.must(which('getent'), ['ahosts', 'alias']);
    assert.match(ahosts, /^\S+ +STREAM both\.example\.test$/m);
    assert.match(ahosts, /^192\.0\.2\.1 +STREAM/m);
    const node = `require('dns').lookup('both', { all: true }, (e, all) => console.log(JSON.stringify(all ?? e.code)))`;
    const found = JSON.parse(await service.must(process.execPath, ['-e', node]));
    assert.deepEqual(found.map(({ address }) => address).sort(), ['192.0.2.1', '2001:db8::1']);
    const missing = await service.must(process.execPath, ['-e', node.replace('both', 'nosuch.example.test')]);
    assert.equal(missing.trim(), '"ENOTFOUND"');
    const java = `${scratch()}/Names.java`;
    writeFileSync(
      java,
      `class Names { public static void main(String[] a) throws Exception {
      System.out.println(java.net.InetAddress.getByName("v4").getHostAddress());
      System.out.println(java.net.InetAddress.getByName("192.0.2.1").getCanonicalHostName()); } }`,
    );
    assert.equal(await service.must(which('java'), [java], { ms: 60_000 }), '192.0.2.2\nboth.example.test\n');
    const calls = `
import socket
print(socket.gethostbyname('v4'), socket.gethostbyaddr('192.0.2.1')[0], socket.getfqdn('192.0.2.2'))
print(socket.getnameinfo(('192.0.2.1', 80), 0)[0], socket.gethostbyname_ex('alias'))`;
    const said = await service.must(systemPython(), ['-c', calls]);
    const alias = "('both.example.test', ['alias.example.test'], ['192.0.2.1'])";
    assert.equal(said, `192.0.2.2 both.example.test v4.example.test\nboth.example.test ${alias}\n`);
  });

  test('an answer is kept for its time to live, for all programs, and counted', async () => {
    const name = 'both.example.test';
    await addresses(service, name);
    const before = asked(server, 'A', name);
    for (let i = 0; i < 3; i++) assert.equal(await addresses(service, name), '192.0.2.1 2001:db8::1');
    assert.equal(asked(server, 'A', name), before);
    const { counters } = await service.show('status');
    assert.ok(counters.name_cache_hits >= 6 && counters.name_queries > 0, JSON.stringify(counters));
    // A time to live of 0 is not.
    const uncached = asked(server, 'A', 'v4.example.test');
    for (let i = 0; i < 2; i++) await addresses(service, 'v4.example.test');
    assert.equal(asked(server, 'A', 'v4.example.test'), uncached + 2);
  });

  test('a long answer comes over TCP, through the stack', async () => {
    const { counters } = await service.show('status');
    assert.equal(await addresses(service, 'big'), [...BIG].sort().join(' '));
    const { counters: now } = await service.show('status');
    assert.ok(now.name_queries_tcp > counters.name_queries_tcp, 'over TCP');
    assert.ok(now.connected > counters.connected, 'a connection of the stack');
  });

  test('64 threads at once, and a child of fork in the middle of them, get their answers', async () => {
    const program = `
import os, socket, threading
wrong = []
def look(i):
    for _ in range(5):
        found = {a[4][0] for a in socket.getaddrinfo('both' if i % 2 else 'v4', 80)}
        if found != ({'192.0.2.1', '2001:db8::1'} if i % 2 else {'192.0.2.2'}): wrong.append(found)
threads = [threading.Thread(target=look, args=(i,)) for i in range(64)]
for t in threads: t.start()
pid = os.fork()
if pid == 0:
    os._exit(0 if socket.gethostbyname('v4') == '192.0.2.2' else 1)
for t in threads: t.join()
print(wrong, os.waitpid(pid, 0)[1])`;
    assert.equal(await service.must(systemPython(), ['-c', program], { ms: 60_000 }), '[] 0\n');
  });

  test('a signal does not end a look-up', async () => {
    const program = `
import signal, socket
hits = []
signal.signal(signal.SIGALRM, lambda *_: hits.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
found = {socket.gethostbyname('v4') for _ in range(50)}
signal.setitimer(signal.ITIMER_REAL, 0)
print(found, len(hits) > 0)`;
    assert.equal(await service.must(systemPython(), ['-c', program]), "{'192.0.2.2'} True\n");
  });

  test('a program whose service has gone gets EAI_AGAIN at once, and still reads /etc/hosts', async () => {
    const own = await Service.start(new Namespace());
    const program = `
import socket, sys
print('ready', flush=True)
sys.stdin.readline()
for name in ('www.example.test', 'localhost', '192.0.2.1'):
    try: print(socket.getaddrinfo(name, 80)[0][4][0])
    except socket.gaierror as e: print(e.errno == socket.EAI_AGAIN)`;
    const app = own.start(systemPython(), ['-u', '-c', program], { stdio: ['pipe', 'pipe', 'pipe'] });
    await app.says(/ready/);
    const musl = own.start('/bin/sh', ['-c', `read go; exec ${GET_MUSL} get www.example.test 80 /`], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await until(async () => (await own.show('sessions')).some((session) => session.program === 'sh'));
    await own.stop('SIGKILL');
    musl.child.stdin.end('\n');
    assert.match((await musl.end()).stderr, /getaddrinfo: Try again\n$/);
    app.child.stdin.end('\n');
    const { stdout } = await app.end();
    assert.match(stdout, /ready\nTrue\n(127\.0\.0\.1|::1)\n192\.0\.2\.1\n/);
  });
});

describe('which servers are asked', () => {
  afterEach(stopAll);

  test('one that is named, on another port; the next when it is dead', async () => {
    const ns = new Namespace();
    const resolvers = ['--resolver', '10.77.0.99', '--resolver', `${HOST4}:5353`];
    const conf = withResolvConf('options timeout:1\nsearch example.test\n');
    const service = await Service.start(ns, { args: ['--tap', 'nc0', ...resolvers], wrap: conf });
    assert.match(service.process.stdout, /names +by DNS: 10\.77\.0\.99, 10\.77\.0\.1:5353\n/);
    await startDnsmasq(ns, ...RECORDS, '--port=5353');
    assert.equal(await addresses(service, 'both'), '192.0.2.1 2001:db8::1');
    await service.stop();
  });

  test('when none answers, EAI_AGAIN within the time that resolv.conf allows', async () => {
    const ns = new Namespace();
    const conf = withResolvConf('nameserver 10.77.0.99\noptions timeout:1 attempts:1\n');
    const service = await Service.start(ns, { wrap: conf });
    const start = Date.now();
    assert.equal(await addresses(service, 'www.example.test'), '-3');
    assert.ok(Date.now() - start < 15_000);
    const musl = await service.run(GET_MUSL, ['get', 'www.example.test', '80', '/']);
    assert.equal(musl.stderr, 'getaddrinfo: Try again\n');
    assert.ok((await service.show('status')).counters.name_failures > 0);
    await service.stop();
  });

  test("a loopback server of the host's resolv.conf is asked over the host's network", async () => {
    const ns = new Namespace();
    const conf = withResolvConf('nameserver 127.0.0.1\n');
    await startDnsmasq(ns, ...RECORDS, '--listen-address=127.0.0.1', '--bind-interfaces');
    const service = await Service.start(ns, { wrap: conf });
    assert.match(service.process.stdout, /127\.0\.0\.1 \(over the host's network\)/);
    const elsewhere = new Namespace({ loopback: false });
    assert.equal(await addresses(service, 'both.example.test', { ns: elsewhere }), '192.0.2.1 2001:db8::1');
    assert.equal(await addresses(service, 'big.example.test', { ns: elsewhere }), [...BIG].sort().join(' '));
    await service.stop();
  });

  test('a server that itself runs in netcon, without a tap', async () => {
    const service = await Service.start(new Namespace({ loopback: false }), {
      args: ['--no-tap', '--resolver', '10.77.0.2:53'],
    });
    const dnsmasq = service.start(which('dnsmasq'), [
      ...['-d', '-R', '-h', '--conf-file=/dev/null', '--log-facility=-', '--local=/test/', '--user=root'],
      ...['--host-record=both.example.test,192.0.2.1', '--port=53'],
    ]);
    running.push(dnsmasq);
    await dnsmasq.says(/started, version/);
    assert.equal(await addresses(service, 'both.example.test'), '192.0.2.1');
    await service.stop();
  });

  test('--no-dns: files only, and no server is asked', async () => {
    const ns = new Namespace();
    const conf = withResolvConf(`nameserver ${HOST4}\n`);
    const service = await Service.start(ns, { args: ['--tap', 'nc0', '--no-dns'], wrap: conf });
    const server = await startDnsmasq(ns, ...RECORDS);
    assert.match(service.process.stdout, /names +\/etc\/hosts only, as asked\n/);
    assert.equal(await addresses(service, 'both.example.test'), '-2');
    assert.match(await addresses(service, 'localhost'), /127\.0\.0\.1|::1/);
    const musl = await service.run(GET_MUSL, ['get', 'both.example.test', '80', '/']);
    assert.equal(musl.stderr, 'getaddrinfo: Name does not resolve\n');
    assert.doesNotMatch(server.stderr, /query\[/);
    await service.stop();
  });

  test('no query leaves by the network of the program, whatever it calls', async () => {
    const host = new Namespace();
    const server = await startDnsmasq(host, '--listen-address=127.0.0.1', '--bind-interfaces', ...RECORDS);
    const conf = withResolvConf('nameserver 127.0.0.1\n');
    // The service asks nobody; the program's namespace has a server that would answer.
    const service = await Service.start(new Namespace(), { args: ['--no-tap', '--no-dns'] });
    const inHost = (command, args) => host.must(conf[0], [...conf.slice(1), command, ...args]);
    const said = await inHost(...service.command(LOOK_UPS, ['both.example.test']));
    assert.match(said, /^getaddrinfo_a both\.example\.test: -2$/m);
    const musl = await inHost(...service.command(LOOK_UPS_MUSL, ['both.example.test']));
    assert.match(musl, /^gethostbyname both\.example\.test: h_errno 1$/m);
    assert.doesNotMatch(server.stderr, /query\[/);
    // Natively it is asked: the check can fail.
    for (const program of [LOOK_UPS, LOOK_UPS_MUSL]) {
      const before = asked(server, 'A', 'both.example.test');
      await inHost(program, ['both.example.test']);
      assert.ok(asked(server, 'A', 'both.example.test') > before, program);
    }
    await service.stop();
  });

  test('a --resolver that is none is refused', async () => {
    for (const bad of ['dns.example', '10.77.0.1:0', '10.77.0.1:70000', '[fd77::1', '::1:53x']) {
      const status = await new Namespace().run(NETCON, ['service', '--no-tap', '--resolver', bad]);
      assert.equal(status.code, 2, bad);
      assert.match(status.stderr, /NETCON_RESOLVER_BAD/);
      assert.doesNotMatch(status.stdout, READY);
    }
  });
});
