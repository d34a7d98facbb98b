// The servers: those of the host, for all rounds, and those of each contender's app.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOST, inside } from './networks.mjs';
import { HOST_PORTS } from './peers.mjs';
import { run, start, stop, until } from './processes.mjs';

export const FILE_NAME = '1k.bin';
const HOST_GROUP = 'host';

/** Servers in the host's namespace. */
export async function startHostServers(host, tools, directory) {
  const www = join(directory, 'www');
  mkdirSync(www, { recursive: true });
  writeFileSync(join(www, FILE_NAME), 'x'.repeat(1024));
  const commands = [
    [HOST_PORTS.iperf, ['iperf3', '-s', '-p', `${HOST_PORTS.iperf}`]],
    [HOST_PORTS.echo, [tools.latbench, 'server', `${HOST_PORTS.echo}`]],
    [HOST_PORTS.bulk, [tools.bulk, 'server', `${HOST_PORTS.bulk}`]],
    [HOST_PORTS.http, nginx('host', HOST_PORTS.http, directory)],
  ];
  const programs = {};
  for (const [port, argv] of commands) {
    const program = start([...host, ...argv], { group: HOST_GROUP });
    await until(argv[0], program, () => listens(host, port));
    programs[port] = program;
  }
  return { host, group: HOST_GROUP, echo: programs[HOST_PORTS.echo] };
}

async function listens(host, port) {
  const out = await run([...host, 'ss', '-Hltn', `sport = :${port}`]);
  return out.trim() !== '';
}

/** Servers among the app's processes: nginx, an echo server and, where programs of the app may talk to each other, iperf3. */
export async function startAppServers(network, tools, directory) {
  const { ports } = network;
  const commands = [[...nginx(network.name, ports.http, directory)], [tools.latbench, 'server', `${ports.echo}`]];
  if (network.local) commands.push(['iperf3', '-s', '-p', `${ports.iperf}`]);
  const programs = commands.map((argv) => start([...network.app, ...argv], { group: `${network.name}-app` }));
  const probe = [...inside(HOST), tools.latbench, 'connections', network.appAddress, `${ports.echo}`, '0.001'];
  await until(`the echo server (${network.name})`, programs[1], () => succeeds(probe));
  const get = ['curl', '-sf', '-o', '/dev/null', `http://${network.appAddress}:${ports.http}/${FILE_NAME}`];
  await until(`nginx (${network.name})`, programs[0], () => succeeds([...inside(HOST), ...get]));
  return { stop: () => Promise.all(programs.map(stop)) };
}

async function succeeds(argv) {
  try {
    const out = await run(argv, 5);
    return !out.includes('"count":0');
  } catch {
    return false;
  }
}

function nginx(name, port, directory) {
  const home = join(directory, `nginx-${name}`);
  mkdirSync(home, { recursive: true });
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (each) => `${each}_temp_path ${home}/${each};`,
  );
  writeFileSync(
    join(home, 'nginx.conf'),
    `worker_processes 1; daemon off; user root; pid ${home}/pid; error_log ${home}/error.log;
events { worker_connections 8192; }
http {
  access_log off; keepalive_requests 100000000; keepalive_timeout 600; tcp_nodelay on;
  open_file_cache max=16 inactive=600s; open_file_cache_valid 600s;
  ${paths.join(' ')}
  server { listen ${port} backlog=4096; root ${join(directory, 'www')}; }
}
`,
  );
  return ['nginx', '-p', home, '-c', join(home, 'nginx.conf'), '-e', join(home, 'error.log')];
}
