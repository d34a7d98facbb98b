/** Without root: a user's own namespace, a user's own persistent tap, and no tap at all. */
import assert from 'node:assert/strict';
import { chmodSync, chownSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { python, startPythonHttp, webRoot } from '../lib/apps.mjs';
import { curlDown, curlUp, MIB, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { BIN, NETCON } from '../lib/paths.mjs';
import { patternHash } from '../lib/pattern.mjs';
import { HOST4, HOST6, Service, STACK4, scratch } from '../lib/service.mjs';
import { asUser, UID, USER, withTun } from '../lib/unprivileged.mjs';

/** A directory that belongs to the user. */
function home() {
  const dir = scratch();
  chownSync(dir, UID, UID);
  chmodSync(dir, 0o755);
  return dir;
}

/** Programs of the user, in the service or beside it. */
function user(where) {
  const wrapped = (method) => (program, args, options) => {
    const [command, all] = where.command ? where.command(program, args) : [program, args];
    const [first, ...rest] = [...asUser(), command, ...all];
    return where.ns[method](first, rest, options);
  };
  return { start: wrapped('start'), must: wrapped('must'), run: wrapped('run') };
}

describe('with a persistent tap of his own', () => {
  let ns;
  let service;
  before(async () => {
    ns = new Namespace();
    ns.ip('tuntap', 'add', 'dev', 'nc0', 'mode', 'tap', 'user', USER);
    ns.ip('address', 'add', '10.77.0.1/24', 'dev', 'nc0');
    ns.ip('address', 'add', 'fd77::1/64', 'dev', 'nc0', 'nodad');
    ns.ip('link', 'set', 'nc0', 'up');
    service = await Service.start(ns, { dir: home(), wrap: [...withTun(), ...asUser()] });
  });
  after(async () => {
    assert.equal((await service.stop()).code, 0);
    assert.ok(ns.interfaces().includes('nc0'), 'a tap that root made stays');
  });

  test('he reaches the host and is reached', async () => {
    const http = await startHttpServer(ns, '::');
    await curlDown(user(service), http.url(HOST4), 8 * MIB);
    await curlUp(user(service), http.url(HOST6), 8 * MIB);
    await startPythonHttp(user(service), webRoot([8 * MIB]), 8000);
    await curlDown(ns, `http://${STACK4}:8000`, 8 * MIB);
    await curlDown(ns, 'http://[fd77::2]:8000', 8 * MIB);
  });

  test('root does not trust his service by default rules of trust', async () => {
    const status = await service.run('true', []);
    assert.equal(status.code, 125);
    assert.match(status.stderr, /NETCON_SERVICE_UNTRUSTED/);
  });
});

describe('in a user namespace of his own (unshare -Urn)', () => {
  test('service and programs, one command', async () => {
    const ns = new Namespace({ loopback: false });
    const dir = home();
    const inner = `
set -e
ip link set lo up
"$NETCON" service --socket ${dir}/s.sock >${dir}/log 2>&1 &
service=$!
for i in $(seq 100); do grep -q "^  try" ${dir}/log && break; sleep 0.1; done
grep -q "tap .* is up" ${dir}/log
"$PYTHON" -u -m http.server --bind ${HOST4} 8000 --directory "$ROOT" >/dev/null 2>&1 &
server=$!
for i in $(seq 100); do bash -c "exec 3<>/dev/tcp/${HOST4}/8000" 2>/dev/null && break; sleep 0.1; done
"$NETCON" intercept --socket ${dir}/s.sock curl -sS --noproxy "*" http://${HOST4}:8000/bytes/${8 * MIB} | sha256sum
kill $server $service
wait $service
ip -o link show | wc -l`;
    const [first, ...rest] = [...withTun(), ...asUser(), 'unshare', '-Urn', '/bin/bash', '-c', inner];
    const said = await ns.must(first, rest, { env: { NETCON, PYTHON: python(), ROOT: webRoot([8 * MIB]) } });
    assert.equal(said, `${patternHash(8 * MIB)}  -\n1\n`);
  });
});

describe('without a tap', () => {
  test('his programs reach each other', async () => {
    const ns = new Namespace({ loopback: false });
    const service = await Service.start(ns, { dir: home(), args: [], wrap: [...withTun(null), ...asUser()] });
    assert.match(service.process.stdout, /programs reach each other only/);
    for (const program of ['threads', 'prefork']) {
      for (const family of ['4', '6']) await user(service).must(`${BIN}${program}`, [family]);
    }
    await startPythonHttp(user(service), webRoot([8 * MIB]), 8000);
    await curlDown(user(service), `http://${STACK4}:8000`, 8 * MIB);
    const status = await user(service).run('curl', ['-sS', '--noproxy', '*', '-m', '5', `http://${HOST4}:8000/`]);
    assert.equal(status.code, 7, 'nobody else is there');
    assert.equal((await service.stop()).code, 0);
  });
});
