import type { Service } from '@netcon/api/server';
import pc from 'picocolors';

/** What the service did at its start and how to reach it, in a few lines. */
export function announce(
  service: Pick<Service, 'config' | 'tap' | 'tapProblem' | 'resolvers'>,
  library?: string,
): string {
  const { config, tap, tapProblem } = service;
  const lines = [`${pc.bold('netcon service')} ${config.name}, pid ${process.pid}`];
  const stack = config.plan.stack.join(', ');
  if (tap !== null) {
    const offload = tap.offload ? 'offload on' : `no offload${tap.offloadReason ? ` (${tap.offloadReason})` : ''}`;
    lines.push(`  tap       ${tap.name} is ${tap.addressesSet ? 'up' : 'open'}, ${offload}`);
    lines.push(`  host      ${config.plan.host.join(', ')}`);
    if (!tap.addressesSet) {
      lines.push(`  ${pc.yellow('warning')}   the host's addresses are not set: ${tap.reason ?? 'no right to'}`);
      for (const address of config.plan.host)
        lines.push(`            as root: ip address add ${address} dev ${tap.name}`);
      lines.push(`            as root: ip link set ${tap.name} up`);
    }
  } else if (tapProblem !== undefined) {
    lines.push(`  ${pc.yellow('no tap')}    ${tapProblem.message}: programs reach each other only`);
    lines.push(`            ${tapProblem.hint}`);
  } else {
    lines.push('  no tap    as asked: programs reach each other only');
  }
  lines.push(`  stack     ${stack}`);
  if (config.plan.gateways.length > 0) lines.push(`  gateway   ${config.plan.gateways.join(', ')}`);
  lines.push(`  names     ${names(service.resolvers())}`);
  if (config.fault !== undefined) lines.push(`  faults    ${faults(config.fault)}`);
  if (config.capture !== undefined) lines.push(`  capture   ${config.capture}`);
  lines.push(`  socket    ${config.paths.socket} (may join: ${config.policy.allow.join(', ')})`);
  if (library !== undefined) lines.push(`  library   ${library}`);
  lines.push(`  try       ${hint(config, tap !== null)}`);
  return `${lines.join('\n')}\n`;
}

/** The DNS servers; one that only the host reaches is asked over the host's network. */
function names(servers: ReturnType<Service['resolvers']>): string {
  if (servers.length === 0) return '/etc/hosts only, as asked';
  const shown = servers.map(({ ip, port, via }) => {
    const address = port === 53 ? ip : ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
    return via === 'host' ? `${address} (over the host's network)` : address;
  });
  return `by DNS: ${shown.join(', ')}`;
}

function hint(config: Service['config'], hasTap: boolean): string {
  const { paths, name } = config;
  const which = paths.ownDir ? (name === 'netcon' ? '' : ` --name ${name}`) : ` --socket ${paths.socket}`;
  const address = (hasTap ? config.plan.host : config.plan.stack)[0]?.split('/')[0] ?? '127.0.0.1';
  return `netcon intercept${which} curl http://${address.includes(':') ? `[${address}]` : address}/`;
}

function faults(fault: object): string {
  return Object.entries(fault)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ');
}
