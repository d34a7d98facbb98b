/** Programs that could not reach a network by themselves: in a namespace without any interface, and in a chroot. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startNginx, webRoot } from '../lib/apps.mjs';
import { curlDown, curlUp, MIB, startHttpServer } from '../lib/http.mjs';
import { Namespace } from '../lib/netns.mjs';
import { E2E, LIBRARY } from '../lib/paths.mjs';
import { patternHash } from '../lib/pattern.mjs';
import { which } from '../lib/process.mjs';
import { HOST4, HOST6, Service, STACK4, STACK6, scratch } from '../lib/service.mjs';

let ns;
let service;
let host;

before(async () => {
  ns = new Namespace();
  service = await Service.start(ns);
  host = await startHttpServer(ns, '::');
});
after(async () => {
  await host?.server.stop();
  await service?.stop();
});

/** The service seen from another namespace: what is started there is intercepted. */
function from(elsewhere) {
  return {
    start: (program, args, options) => service.start(program, args, { ...options, ns: elsewhere }),
    must: (program, args, options) => service.must(program, args, { ...options, ns: elsewhere }),
  };
}

test('the host pings the stack', async () => {
  const ping = (args) => ns.must(which('ping'), ['-c', '3', '-i', '0.2', '-W', '2', ...args]);
  assert.match(await ping([STACK4]), / 0% packet loss/);
  assert.match(await ping(['-s', '1400', STACK4]), / 0% packet loss/);
  assert.match(await ping(['-6', STACK6]), / 0% packet loss/);
  assert.match(await ping(['-6', '-s', '1400', STACK6]), / 0% packet loss/);
});

describe('in a network namespace with no interface', () => {
  const bare = new Namespace({ loopback: false });

  test('curl reaches the host', async () => {
    assert.match(bare.ip('-o', 'link', 'show', 'up'), /^$/);
    await curlDown(from(bare), host.url(HOST4), 8 * MIB);
    await curlUp(from(bare), host.url(HOST6), 8 * MIB);
  });

  test('a server is reached by the host, and by a program in another such namespace', async () => {
    const root = webRoot([8 * MIB]);
    const nginx = await startNginx(from(bare), root, 8101);
    await curlDown(ns, `http://${STACK4}:8101`, 8 * MIB);
    await curlDown(ns, `http://[${STACK6}]:8101`, 8 * MIB);
    await curlDown(from(new Namespace({ loopback: false })), 'http://127.0.0.1:8101', 8 * MIB);
    assert.equal((await nginx.stop()).code, 0);
  });
});

describe('inside a chroot', () => {
  /** A root with nothing but the system's programs: the service's socket is out of reach in it. */
  function enter(script) {
    const root = scratch();
    const binds = ['/usr', '/lib', '/lib64', '/bin', '/etc/ssl', '/dev', LIBRARY, E2E];
    const lines = binds.map(
      (path) =>
        `if [ -d ${path} ]; then mkdir -p ${root}${path}; else mkdir -p $(dirname ${root}${path}); touch ${root}${path}; fi; mount --bind ${path} ${root}${path}`,
    );
    const mount = [
      'set -e',
      'mount --make-rprivate /',
      `mount -t tmpfs none ${root}`,
      ...lines,
      `mkdir -p ${root}/tmp`,
    ].join('\n');
    // Intercepted first, as sshd or vsftpd are, the program goes into its chroot afterwards.
    return ['unshare', ['-m', '/bin/sh', '-c', `${mount}\nexec chroot ${root} /bin/sh -c '${script}'`]];
  }

  test('curl reaches the host, in what it execs and forks there', async () => {
    const script = `ls / | tr "\\n" " "; test ! -e ${service.socket} || exit 9; curl -sS --noproxy "*" ${host.url(HOST4)}/bytes/8388608 | sha256sum`;
    const [program, args] = enter(script);
    const said = await service.must(program, args);
    assert.match(said, new RegExp(patternHash(8 * MIB)));
  });

  test('client and server there meet over 127.0.0.1', async () => {
    const [program, args] = enter(`${E2E}bin/threads 4 && ${E2E}bin/prefork 6`);
    assert.match(await service.must(program, args), /good 160 served 160 of 160/);
  });
});
