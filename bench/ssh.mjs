#!/usr/bin/env node
// `node bench/ssh.mjs`: how long a user waits for the prompt of an intercepted sshd, and of the same sshd on kernel TCP
// over veth. The logins take turns, so that what else the machine does meets both. See docs/performance.md.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeHost, netconNetwork, removeAll, vethNetwork } from './lib/networks.mjs';
import { run, start, stopAll, until } from './lib/processes.mjs';
import { commit, describeMachine, writePage } from './lib/report.mjs';
import { cell, median } from './lib/statistics.mjs';

const LOGINS = Number(process.argv.find((arg) => /^\d+$/.test(arg)) ?? 20);
const WARM_UP = 2;
const PORT = 2222;
const root = fileURLToPath(new URL('..', import.meta.url));

async function startSshd(network, directory) {
  const config = join(directory, `sshd-${network.name}.conf`);
  const lines = [`Port ${PORT}`, 'ListenAddress 0.0.0.0', `HostKey ${directory}/host`, `PidFile ${config}.pid`];
  lines.push(`AuthorizedKeysFile ${directory}/client.pub`, 'StrictModes no', 'UsePAM no', 'UseDNS no');
  lines.push('PermitRootLogin prohibit-password', 'PrintMotd no', 'PrintLastLog no', 'MaxStartups 100');
  writeFileSync(config, `${lines.join('\n')}\n`);
  // sshd wants its absolute path: it starts itself again for each client.
  const sshd = start([...network.app, '/usr/sbin/sshd', '-D', '-e', '-f', config]);
  await until(`sshd (${network.name})`, sshd, () => /Server listening/.test(sshd.err));
}

/** Milliseconds from the start of ssh to the first byte of the shell's prompt. */
function login(client, address, directory) {
  const options = ['IdentitiesOnly=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const args = [...options, 'BatchMode=yes', 'ConnectTimeout=20'].flatMap((option) => ['-o', option]);
  const argv = [...client, 'ssh', '-F', 'none', '-tt', '-i', `${directory}/client`, ...args];
  return new Promise((resolve, reject) => {
    const from = performance.now();
    let first;
    let said = '';
    const ssh = spawn(argv[0], [...argv.slice(1), '-p', String(PORT), `root@${address}`], { stdio: 'pipe' });
    ssh.stdout.once('data', () => {
      first = performance.now() - from;
      ssh.stdin.end('exit\n');
    });
    ssh.stdout.resume();
    ssh.stderr.on('data', (data) => {
      said += data;
    });
    ssh.on('error', reject);
    ssh.on('close', () => (first === undefined ? reject(new Error(`ssh: no prompt: ${said}`)) : resolve(first)));
  });
}

function table(machine, results) {
  const [veth, netcon] = [results.veth, results.netcon];
  return [
    `${LOGINS} logins each, median (lowest - highest), taken in turn in one run on ${new Date().toISOString().slice(0, 10)}: Linux ${machine.kernel},`,
    `${machine.cores} x ${machine.cpu}, load average ${machine.load.toFixed(2)} before the run, commit ${commit(root)}.`,
    '',
    '| What | Unit | kernel TCP over veth | netcon | netcon / veth |',
    '| --- | --- | ---: | ---: | ---: |',
    `| start of ssh to the prompt's first byte (less is better) | ms | ${cell(veth, 0)} | ${cell(netcon, 0)} | ${(median(netcon) / median(veth)).toFixed(2)} |`,
  ].join('\n');
}

async function main() {
  if (process.getuid?.() !== 0) throw new Error('needs root: it makes network namespaces');
  const directory = mkdtempSync(join(tmpdir(), 'netcon-bench-'));
  try {
    for (const name of ['host', 'client']) {
      await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
    }
    mkdirSync('/run/sshd', { recursive: true });
    const machine = describeMachine();
    const client = await makeHost();
    const networks = [await vethNetwork(), await netconNetwork(join(root, 'packages/cli/bin/netcon'), directory)];
    for (const network of networks) await startSshd(network, directory);
    const results = { veth: [], netcon: [] };
    for (let i = -WARM_UP; i < LOGINS; i++) {
      for (const network of i % 2 ? networks : networks.toReversed()) {
        const ms = await login(client, network.appAddress, directory);
        if (i >= 0) results[network.name].push(ms);
      }
    }
    const text = table(machine, results);
    console.log(text);
    if (!process.argv.includes('--no-write')) writePage(join(root, 'docs/performance.md'), text, 'node bench/ssh.mjs');
  } finally {
    await stopAll();
    await removeAll();
    rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
});
