/** The servers of the tests, each started by a Namespace (kernel TCP) or a Service (intercepted). */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { pattern } from './pattern.mjs';
import { until, which } from './process.mjs';
import { scratch } from './service.mjs';

/** A directory with index.html and files bytes/N that hold pattern(N). */
export function webRoot(sizes) {
  const dir = scratch();
  mkdirSync(`${dir}/bytes`);
  writeFileSync(`${dir}/index.html`, 'hello netcon\n');
  for (const size of sizes) writeFileSync(`${dir}/bytes/${size}`, Buffer.concat([...pattern(size)]));
  execFileSync('chmod', ['-R', 'a+rX', dir]);
  return dir;
}

/** nginx with two workers, which run as nobody where the master is root. */
export async function startNginx(
  where,
  root,
  port,
  { workers = 2, listen = [`0.0.0.0:${port}`, `[::]:${port}`] } = {},
) {
  const dir = scratch();
  chmodSync(dir, 0o755);
  const user = process.getuid() === 0 ? 'user nobody nogroup;' : '';
  writeFileSync(
    `${dir}/nginx.conf`,
    `daemon off; worker_processes ${workers}; pid ${dir}/nginx.pid; error_log stderr info; ${user}
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_timeout 30; client_max_body_size 64m;
  client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f; uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
  server { ${listen.map((at) => `listen ${at};`).join(' ')} root ${root};
    location /proxy/ { proxy_pass http://127.0.0.1:${port}/; proxy_http_version 1.1; } }
}
`,
  );
  const nginx = where.start(which('nginx'), ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', 'stderr']);
  await nginx.says(new RegExp(`start worker process \\d+[\\s\\S]*`.repeat(workers)));
  return nginx;
}

/** The system's Python: a version manager's shim would be a shell script between. */
export function python() {
  return existsSync('/usr/bin/python3') ? '/usr/bin/python3' : which('python3');
}

export async function startPythonHttp(where, root, port, bind = '::') {
  const server = where.start(python(), ['-u', '-m', 'http.server', '--bind', bind, '--directory', root, String(port)]);
  await server.says(/Serving HTTP/);
  return server;
}

export async function startRedis(where, port) {
  const args = [
    '--port',
    String(port),
    '--bind',
    '0.0.0.0',
    '::',
    '--dir',
    scratch(),
    '--save',
    '',
    '--appendonly',
    'no',
    '--protected-mode',
    'no',
  ];
  const server = where.start(which('redis-server'), args);
  await server.says(/Ready to accept connections/);
  return server;
}

/** Waits until something accepts connections there. */
export function untilConnects(where, host, port) {
  return until(async () => (await where.run('/bin/bash', ['-c', `exec 3<>/dev/tcp/${host}/${port}`])).code === 0);
}
