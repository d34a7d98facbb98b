/** 100 logins by ssh, half of them killed in the middle: service and sshd are idle afterwards, and nothing is left. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Namespace } from '../lib/netns.mjs';
import { cpuMs, sleep, until } from '../lib/process.mjs';
import { Service, STACK4 } from '../lib/service.mjs';
import { startSshd } from '../lib/sshd.mjs';

const LOGINS = 100;
const AT_ONCE = 10;

test('100 ssh logins, half of them killed: CPU, sessions, sockets and descriptors return to what they were', async () => {
  const ns = new Namespace();
  const service = await Service.start(ns);
  const { server, ssh } = await startSshd(service, 2222);
  const descriptors = () => readdirSync(`/proc/${service.pid}/fd`).length;
  const login = async (kill) => {
    // `cat` ends with its session; sshd leaves a command that does not read alone.
    const client = ns.start(...ssh(STACK4, kill ? 'echo in; cat' : 'echo in; head -c 100000 /dev/zero'), {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await client.says(/in\n/);
    if (kill) await client.stop('SIGKILL');
    else assert.equal((await client.end()).code, 0);
  };
  await login(false);
  await settled();
  const before = descriptors();
  for (let i = 0; i < LOGINS; i += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => login(n % 2 === 1)));
  }
  await settled();
  await until(
    () => descriptors() <= before,
    10_000,
    () => `descriptors: ${before}, then ${descriptors()}`,
  );
  const pids = [service.pid, server.pid];
  const idle = pids.map(cpuMs);
  await sleep(3000);
  const spent = pids.map((pid, i) => cpuMs(pid) - idle[i]);
  assert.ok(
    spent.every((ms) => ms <= 50),
    `CPU in 3 s: service ${spent[0]} ms, sshd ${spent[1]} ms`,
  );
  await server.stop();
  await service.stop();

  /** One session, sshd's own, and its listener; nothing else but TIME-WAIT. */
  async function settled() {
    let seen;
    await until(
      async () => {
        const sockets = await service.show();
        const open = sockets.filter((row) => !['LISTEN', 'TIME-WAIT'].includes(row.state));
        const sessions = await service.show('sessions');
        const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').trim();
        seen = JSON.stringify({ open, sessions, children });
        return open.length === 0 && sessions.length === 1 && children === '';
      },
      20_000,
      () => `left: ${seen}`,
    );
  }
});
