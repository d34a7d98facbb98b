import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { which } from './process.mjs';
import { scratch } from './service.mjs';

/** sshd for the user that runs the tests, with a key of its own; `ssh` makes a client's command line. */
export async function startSshd(where, port, { listen = '0.0.0.0' } = {}) {
  const dir = scratch();
  const keygen = (file) => execFileSync(which('ssh-keygen'), ['-q', '-t', 'ed25519', '-N', '', '-f', `${dir}/${file}`]);
  keygen('host');
  keygen('client');
  copyFileSync(`${dir}/client.pub`, `${dir}/authorized_keys`);
  // Its privilege separation wants this directory (sshd(8)).
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  writeFileSync(
    `${dir}/sshd_config`,
    `Port ${port}
ListenAddress ${listen}
HostKey ${dir}/host
PidFile none
AuthorizedKeysFile ${dir}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
UseDNS no
MaxStartups 200
`,
  );
  const server = where.start(which('sshd'), ['-D', '-e', '-f', `${dir}/sshd_config`]);
  await server.says(/Server listening/);
  const options = Object.entries({
    IdentitiesOnly: 'yes',
    StrictHostKeyChecking: 'no',
    UserKnownHostsFile: '/dev/null',
    BatchMode: 'yes',
    ConnectTimeout: '10',
    LogLevel: 'ERROR',
  }).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const ssh = (host, command) => [
    which('ssh'),
    ['-F', 'none', '-i', `${dir}/client`, ...options, '-p', String(port), `${userInfo().username}@${host}`, command],
  ];
  return { server, ssh };
}
