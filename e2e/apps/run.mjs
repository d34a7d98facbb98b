/**
 * The compatibility matrix: every program of programs/ in every role it has, unmodified, against kernel TCP and
 * against itself. Prints a line for each as it goes, writes docs/compatibility.md from a full run, and fails
 * where a row does not work. A run that went past netcon's stack fails too: its counters and the kernel's say so.
 *
 *     node apps/run.mjs [--all] [--role a,c] [APP...]
 *
 * Root; the programs come from install.sh. `--bypass` puts programs past netcon on purpose: the test of this
 * harness sees to it that such a run fails.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { onEnd } from '../lib/cleanup.mjs';
import { Namespace } from '../lib/netns.mjs';
import { NETCON } from '../lib/paths.mjs';
import { PATH } from '../lib/program.mjs';
import { Service, scratch } from '../lib/service.mjs';
import { APPS } from './list.mjs';
import { bypassed, difference, kernelCounts } from './proof.mjs';
import { markdown } from './report.mjs';
import { ROLES } from './roles.mjs';

const PROGRAMS = fileURLToPath(new URL('./programs/', import.meta.url));
const DOCUMENT = fileURLToPath(new URL('../../docs/compatibility.md', import.meta.url));
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { all: { type: 'boolean' }, role: { type: 'string' }, bypass: { type: 'boolean' }, out: { type: 'string' } },
});

const wanted = positionals.length > 0 ? APPS.filter((app) => positionals.includes(app.name)) : APPS;
if (positionals.some((name) => !APPS.some((app) => app.name === name)))
  throw new Error(`no such program in ${positionals}`);

const results = [];
const started = Date.now();
for (const app of wanted) {
  const version = versionOf(app);
  for (const role of rolesOf(app)) {
    const result = { app, version, role, ...(await attempt(app, role)) };
    results.push(result);
    const seconds = result.seconds.map((s) => s.toFixed(1)).join('+');
    process.stdout.write(
      `${app.name.padEnd(18)}${role.padEnd(7)}${result.state.padEnd(7)} ${seconds.padStart(9)} s  ${result.said}\n`,
    );
    if (options.out) appendFileSync(options.out, `${JSON.stringify({ ...result, app: app.name })}\n`);
  }
}

const broken = results.filter((result) => result.state !== 'WORKS');
process.stdout.write(
  `\n${results.length - broken.length} of ${results.length} work, ${((Date.now() - started) / 1000).toFixed(0)} s\n`,
);
for (const { app, role, said, details } of broken)
  process.stdout.write(`\n${app.name} ${role}: ${said}\n${details ?? ''}\n`);
if (options.all && positionals.length === 0 && !options.role) writeFileSync(DOCUMENT, markdown(results, ROLES));
process.exit(broken.length === 0 ? 0 : 1);

/** Everything with --all or --role; else (a), (c), (d) and (f) everywhere and the rest for one program of each kind. */
function rolesOf(app) {
  const has = Object.keys(ROLES).filter((role) => !(app.lacks ?? []).includes(role));
  if (options.role) return options.role.split(',').filter((role) => has.includes(role));
  if (options.all) return has;
  const first = APPS.find((other) => other.kind === app.kind) === app;
  return has.filter((role) => first || ['a', 'c', 'd', 'f'].includes(role));
}

function versionOf(app) {
  const text = execFileSync('/bin/bash', ['-c', `${app.version} 2>&1 || true`], {
    encoding: 'utf8',
    env: { ...process.env, PATH, LC_ALL: 'C' },
  });
  return text.match(/\d+(\.\d+)+[a-z]?\d*/)?.[0] ?? '';
}

async function attempt(app, name) {
  const role = ROLES[name];
  const ns = new Namespace();
  const dir = scratch('netcon-app');
  chmodSync(dir, 0o755);
  const seconds = [];
  let service;
  let stop;
  try {
    const where = role.bare ? new Namespace({ loopback: false }) : ns;
    if (name !== 'native') {
      const open = scratch('netcon-service');
      chmodSync(open, 0o755);
      service = await Service.start(ns, {
        dir: open,
        args: ['--tap', 'nc0', '--allow', 'all', '--max-sockets', '4096', ...(role.args ?? [])],
      });
    }
    const intercept = `${NETCON} intercept --socket ${service?.socket}${options.bypass ? ' --bypass all' : ''} --`;
    const env = {
      PATH,
      LC_ALL: 'C.UTF-8',
      BIND: role.bind,
      READY_HOST: role.hosts[0],
      SERVER_PREFIX: role.server ? intercept : '',
      CLIENT_PREFIX: role.client ? intercept : role.bare ? `nsenter --net=/run/netns/${ns.name} --` : '',
      ...app.env,
    };
    const script = [`${PROGRAMS}${app.name}.sh`];
    const port = String(20_000 + app.port);
    stop = onEnd(() => execFileSync(...where.inside('/bin/bash', [...script, 'stop', port, dir]), { stdio: 'ignore' }));
    const namespaces = [...new Set([ns, where])];
    const begun = await where.run('/bin/bash', [...script, 'start', port, dir], { env, ms: 90_000 });
    if (begun.code !== 0) return failure(`start: ${last(begun.stderr || begun.stdout)}`);
    let said = '';
    for (const host of role.hosts) {
      const counted = await service?.show('status');
      const kernel = kernelCounts(namespaces);
      const at = performance.now();
      const check = await ns.run('/bin/bash', [...script, 'check', host, port, dir], {
        env: { ...env, CLIENT_PREFIX: role.client ? intercept : '' },
        ms: 150_000,
      });
      seconds.push((performance.now() - at) / 1000);
      said = last(check.stdout).replace(/^[\w-]+: (ok|FAIL) /, '');
      if (check.code !== 0) return failure(`${host}: ${said} ${last(check.stderr)}`);
      if (!service) continue;
      const added = difference(counted.counters, (await service.show('status')).counters);
      const reasons = bypassed(role, app, added, difference(kernel, kernelCounts(namespaces)));
      if (reasons.length > 0) return failure(`${host}: bypassed: ${reasons.join('; ')}`, JSON.stringify(added));
    }
    return { state: 'WORKS', seconds, said };
  } catch (error) {
    return failure(String(error.message).split('\n')[0], error.stack);
  } finally {
    try {
      stop?.();
    } catch {
      // what is left of it ends with this process
    }
    await service?.stop();
  }

  function failure(said, details = '') {
    const log = existsSync(`${dir}/log`) ? readFileSync(`${dir}/log`, 'utf8').slice(-1500) : '';
    const spoke = service ? `${service.process.stdout.slice(-300)}${service.process.stderr.slice(-800)}` : '';
    return { state: 'BROKEN', seconds, said, details: `${details}\nlog: ${log}\nservice: ${spoke}` };
  }
}

function last(text) {
  return text.trim().split('\n').slice(-3).join(' | ').slice(-500);
}
