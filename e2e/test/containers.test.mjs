/**
 * OCI containers without a network, with a user namespace and a read-only root: the service's directory, with its socket and
 * the library, is mounted, and two variables are set. What docs/containers.md calls tested is tested here.
 */
import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { webRoot } from '../lib/apps.mjs';
import { OUTSIDE, PLACE, PRELOADED, startContainer, WITH_CGROUPS } from '../lib/containers.mjs';
import { curlDown, MIB, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN } from '../lib/paths.mjs';
import { pattern, patternHash } from '../lib/pattern.mjs';
import { tail, which } from '../lib/process.mjs';
import { addFile, debianRootfs, muslRootfs } from '../lib/rootfs.mjs';
import { HOST4, HOST6, Service, STACK4, STACK6, scratch } from '../lib/service.mjs';

const SIZE = 8 * MIB;
let ns;
let service;
let host;
let dns;

before(async () => {
  ns = new Namespace();
  const dir = scratch();
  chmodSync(dir, 0o755);
  const library = `${dir}/libnetcon.so`;
  service = await Service.start(ns, {
    dir,
    args: ['--tap', 'nc0', '--allow', `user:${OUTSIDE}`, '--library', library, '--resolver', HOST4],
  });
  symlinkSync('service.sock', `${dir}/netcon.sock`);
  host = await startHttpServer(ns, '::');
  const record = `--host-record=host.example.test,${HOST4},${HOST6}`;
  dns = ns.start(which('dnsmasq'), ['-d', '-R', '-h', '--conf-file=/dev/null', '--local=/test/', record]);
  await dns.says(/started, version/);
});
after(async () => {
  await dns?.stop();
  await host?.server.stop();
  await service?.stop();
});

/** A container with the service's directory mounted. */
function start(rootfs, args, { mounts, ...options } = {}) {
  return startContainer(rootfs, args, { mounts: { [PLACE]: service.dir, ...mounts }, ...options });
}

async function must(rootfs, args, options) {
  const status = await start(rootfs, args, options).end();
  assert.equal(status.code, 0, tail(status));
  return status.stdout;
}

const CURL = ['curl', '-sS', '--fail', '--max-time', '30', '-g'];
/** Downloads in a container, and its hash there. */
function download(url) {
  return ['/bin/bash', '-c', `set -o pipefail; ${CURL.join(' ')} '${url}/bytes/${SIZE}' | sha256sum`];
}

describe('a Debian root', () => {
  let root;
  let site;
  before(() => {
    root = debianRootfs(['nginx-light', 'curl', 'python3']);
    site = webRoot([SIZE]);
    chmodSync(site, 0o755);
  });

  test('there is no network but netcon’s, nor a right to write', async () => {
    const look = 'cat /proc/self/uid_map; tail -n +3 /proc/net/dev | cut -d: -f1; echo > /x; exec curl -sS http://$0/';
    const native = await start(root, ['/bin/bash', '-c', look, HOST4], { env: [] }).end();
    assert.match(native.stdout, new RegExp(`^ +0 +${OUTSIDE} +65536\n +lo\n$`));
    assert.match(native.stderr, /Read-only file system\ncurl: \(7\)/);
  });

  test('curl reaches the host', async () => {
    assert.equal(await must(root, download(host.url(HOST4))), `${patternHash(SIZE)}  -\n`);
    assert.equal(await must(root, download(host.url(HOST6))), `${patternHash(SIZE)}  -\n`);
  });

  test('nginx, with workers of another user, serves the host and another container', async () => {
    const conf = `daemon off; worker_processes 2; pid /tmp/pid; error_log stderr info; user www-data;
events { }
http { access_log off; sendfile on; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;
  scgi_temp_path /tmp/s; server { listen 80; listen [::]:80; root /srv; } }`;
    const file = `${scratch()}/nginx.conf`;
    writeFileSync(file, conf);
    chmodSync(file.replace('/nginx.conf', ''), 0o755);
    const mounts = { '/srv': site, '/etc/nginx/nginx.conf': file };
    const nginx = start(root, ['/usr/sbin/nginx', '-e', 'stderr'], { mounts });
    await nginx.says(/start worker process \d+[\s\S]*start worker process \d+/);
    await curlDown(ns, `http://${STACK4}`, SIZE);
    await curlDown(ns, `http://[${STACK6}]`, SIZE);
    for (const address of ['127.0.0.1', STACK4]) {
      assert.equal(await must(root, download(`http://${address}`)), `${patternHash(SIZE)}  -\n`);
    }
    assert.equal((await nginx.stop('SIGTERM')).code, 0, tail(nginx));
  });

  test('python3 serves and asks', async () => {
    const args = ['-u', '-m', 'http.server', '--bind', '::', '--directory', '/srv', '8000'];
    const server = start(root, ['/usr/bin/python3', ...args], { mounts: { '/srv': site } });
    await server.says(/Serving HTTP/);
    await curlDown(ns, `http://${STACK4}:8000`, SIZE);
    const ask = `import hashlib, urllib.request
print(hashlib.sha256(urllib.request.urlopen("http://${STACK4}:8000/bytes/${SIZE}", timeout=30).read()).hexdigest())`;
    assert.equal(await must(root, ['/usr/bin/python3', '-c', ask]), `${patternHash(SIZE)}\n`);
    await server.stop('SIGKILL');
  });

  test('a child with an empty environment stays in', async () => {
    const said = await must(root, [
      '/usr/bin/env',
      '-i',
      '/bin/sh',
      '-c',
      `exec env -i ${download(host.url(HOST4))[2].slice(21)}`,
    ]);
    assert.match(said, /^[0-9a-f]{64} {2}-\n$/);
  });

  test('/etc/ld.so.preload does it for every program, without a variable', async () => {
    const file = `${scratch()}/ld.so.preload`;
    writeFileSync(file, `${PLACE}/libnetcon.so\n`);
    chmodSync(file.replace('/ld.so.preload', ''), 0o755);
    writeFileSync(`${root}/etc/ld.so.preload`, '');
    const said = await must(root, download(host.url(HOST4)), { env: [], mounts: { '/etc/ld.so.preload': file } });
    assert.equal(said, `${patternHash(SIZE)}  -\n`);
  });

  test('another user of the container needs --allow, and the message has his number outside', async () => {
    const status = await start(root, [...CURL, host.url(HOST4)], { user: 1000 }).end();
    assert.equal(status.code, 7, tail(status));
    assert.match(
      status.stderr,
      new RegExp(`netcon: user ${OUTSIDE + 1000} may not join; .*--allow user:${OUTSIDE + 1000}\n`),
    );
  });

  test('without a user namespace root inside is root', async () => {
    assert.equal(await must(root, download(host.url(HOST4)), { userNamespace: false }), `${patternHash(SIZE)}  -\n`);
  });

  test('without /proc a user namespace cannot be told, and a service of somebody else is not trusted', async () => {
    const status = await start(root, [...CURL, host.url(HOST4)], { proc: false }).end();
    assert.equal(status.code, 7, tail(status));
    assert.match(status.stderr, /netcon: the service belongs to another user and is not trusted/);
    const known = { proc: false, userNamespace: false };
    assert.equal(await must(root, download(host.url(HOST4)), known), `${patternHash(SIZE)}  -\n`);
  });

  test('podman, with docker’s flags and its seccomp profile', async () => {
    const state = scratch();
    const flags = [
      `--root=${state}/root`,
      `--runroot=${state}/run`,
      '--cgroup-manager=cgroupfs',
      '--events-backend=none',
    ];
    // What this machine may lack: cgroups to write, and limits to raise.
    const machine = ['--cgroups=disabled', '--ulimit=nofile=1024:1024', '--ulimit=nproc=4096:4096'];
    const map = [`--uidmap=0:${OUTSIDE}:65536`, `--gidmap=0:${OUTSIDE}:65536`];
    const docker = [
      '--rm',
      '--network=none',
      '--read-only',
      `--volume=${service.dir}:${PLACE}`,
      ...PRELOADED.map((entry) => `--env=${entry}`),
    ];
    const [command, ...words] = [...WITH_CGROUPS, which('podman'), ...flags, 'run', ...machine, ...map, ...docker];
    const said = await ns.must(command, [...words, '--rootfs', root, ...download(host.url(HOST4))], { ms: 60_000 });
    assert.equal(said, `${patternHash(SIZE)}  -\n`);
  });
});

describe('a root with musl alone', () => {
  let root;
  before(() => {
    root = muslRootfs();
    for (const name of ['http-get', 'threads', 'prefork']) addFile(root, `${BIN}musl/${name}`, `/bin/${name}`);
    appendFileSync(`${root}/etc/hosts`, `${HOST4} listed\n`);
  });

  test('a client reaches the host, by its addresses, a name of the DNS and one of /etc/hosts', async () => {
    for (const address of [HOST4, HOST6, 'host.example.test', 'listed']) {
      const said = await must(root, ['/bin/http-get', 'get', address, String(host.port), '/bytes/65536']);
      // As text: neither has to be valid UTF-8.
      assert.equal(said, Buffer.concat([...pattern(65_536)]).toString());
    }
  });

  test('a server is reached by the host, and by another container', async () => {
    const server = start(root, ['/bin/http-get', 'serve', '8080', 'hello from musl']);
    await server.says(/listening on/);
    assert.equal(
      await ns.must(which('curl'), [...CURL.slice(1), '--noproxy', '*', `http://${STACK4}:8080/`]),
      'hello from musl',
    );
    assert.equal(await must(root, ['/bin/http-get', 'get', '127.0.0.1', '8080', '/']), 'hello from musl');
    await server.stop('SIGKILL');
  });

  test('threads, and processes that share a listener', async () => {
    for (const program of ['threads', 'prefork']) await must(root, [`/bin/${program}`, '4']);
  });
});
