/**
 * Whether what a program did went through netcon: by netcon's own counters, and by those of the kernel's TCP and
 * UDP in the namespaces of the run.
 */
import { execFileSync } from 'node:child_process';

/** What the kernel has counted in these namespaces: connections opened and accepted, datagrams sent and read. */
export function kernelCounts(namespaces) {
  const total = { connections: 0, datagrams: 0 };
  for (const ns of namespaces) {
    const text = execFileSync(...ns.inside('cat', ['/proc/net/snmp', '/proc/net/snmp6']), { encoding: 'utf8' });
    const { connections, datagrams } = parseSnmp(text);
    total.connections += connections;
    total.datagrams += datagrams;
  }
  return total;
}

/** proc_pid_net(5): pairs of lines in snmp; a line each in snmp6, where only UDP is counted apart. */
export function parseSnmp(text) {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const value = (protocol, name) => {
    const [names, numbers] = lines.filter(([first]) => first === `${protocol}:`);
    return Number(numbers?.[names.indexOf(name)] ?? Number.NaN);
  };
  const value6 = (name) => Number(lines.find(([first]) => first === name)?.[1] ?? Number.NaN);
  return {
    connections: value('Tcp', 'ActiveOpens') + value('Tcp', 'PassiveOpens'),
    datagrams:
      value('Udp', 'InDatagrams') +
      value('Udp', 'OutDatagrams') +
      value6('Udp6InDatagrams') +
      value6('Udp6OutDatagrams'),
  };
}

/** Name by name, what was added. */
export function difference(from, to) {
  return Object.fromEntries(Object.entries(to).map(([name, value]) => [name, value - (from[name] ?? 0)]));
}

/**
 * Every reason for which a run is no proof: `counted` by netcon, `kernel` by kernelCounts. Empty: it went
 * through netcon. `app.bytes` it moves at least, and `app.datagrams`, where it uses UDP.
 */
export function bypassed(role, app, counted, kernel) {
  const bytes = app.bytes ?? 1_000_000;
  const datagrams = app.datagrams ?? 0;
  const linked = counted.rx_bytes + counted.tx_bytes;
  const passed = counted.datagrams_in + counted.datagrams_out;
  // A server with TCP_DEFER_ACCEPT, as Apache, is not connected to directly.
  const direct = role.direct && counted.shortcuts >= 1;
  const reasons = [
    [role.server && !direct && !(counted.accepted >= 1), 'no connection was accepted in netcon'],
    [role.client && !direct && !(counted.connected >= 1), 'no connection was made in netcon'],
    [role.tap && !(linked >= bytes), `${linked} bytes on netcon's link, at least ${bytes} are needed`],
    [!role.tap && kernel.connections !== 0, `${kernel.connections} connections of the kernel's TCP`],
  ];
  if (datagrams > 0) {
    reasons.push(
      [
        !(counted.datagrams_read >= datagrams / 2),
        `${counted.datagrams_read} datagrams were read in netcon, at least ${datagrams / 2} are needed`,
      ],
      [
        role.tap && !(passed >= datagrams),
        `${passed} datagrams passed netcon's link, at least ${datagrams} are needed`,
      ],
      [!role.tap && kernel.datagrams !== 0, `${kernel.datagrams} datagrams of the kernel's UDP`],
    );
  }
  return reasons.filter(([found]) => found).map(([, reason]) => reason);
}
