import { ApiClient, type SessionRow, type SocketRow, type Status } from '@netcon/api/client';
import { apiSocketOf, locate, NetconError } from '@netcon/api/local';
import { age, table } from './table.js';

export interface ShowFlags {
  socket?: string;
  name?: string;
  state?: string;
  pid?: number;
  json?: boolean;
}

/** What `netcon show` prints. */
export async function show(what: string, flags: ShowFlags): Promise<string> {
  const client = new ApiClient(apiSocketOf(locate(flags).path));
  switch (what) {
    case 'sockets': {
      const { state, pid } = flags;
      const rows = await client.sockets({ ...(state !== undefined && { state }), ...(pid !== undefined && { pid }) });
      return flags.json ? json(rows) : socketTable(rows);
    }
    case 'sessions': {
      const rows = await client.sessions();
      return flags.json ? json(rows) : sessionTable(rows);
    }
    case 'status': {
      const status = await client.status();
      return flags.json ? json(status) : statusText(status);
    }
    case 'stats': {
      const { counters } = await client.status();
      return flags.json ? json(counters) : columns(byName(counters));
    }
    default:
      throw new NetconError('NETCON_OPTION_BAD', `show ${what}: sockets, sessions, status or stats`, {
        hint: 'see netcon show --help',
      });
  }
}

export function socketTable(rows: SocketRow[]): string {
  return table(
    ['Proto', 'State', 'Recv-Q', 'Send-Q', 'Local', 'Peer', 'Pid/Program', 'Age'],
    rows.map((row) => [
      row.family === 6 ? `${row.protocol}6` : row.protocol,
      row.shortcut ? `${row.state} shortcut` : row.state,
      String(row.recvQueue),
      String(row.sendQueue),
      row.local,
      row.peer || '*',
      // pid 0: the program is gone, the connection lives on (TIME-WAIT, or data still to be delivered).
      row.pid === 0 ? '-' : `${row.pid}/${row.program}`,
      age(row.ageMs),
    ]),
    [2, 3],
  );
}

export function sessionTable(rows: SessionRow[]): string {
  return table(
    ['Id', 'Pid', 'Uid', 'Program', 'Parent', 'Sockets', 'Age'],
    rows.map((row) => [
      String(row.id),
      String(row.pid),
      String(row.uid),
      row.program,
      row.parent === undefined ? '-' : String(row.parent),
      String(row.sockets),
      age(row.ageMs),
    ]),
    [0, 1, 2, 5],
  );
}

export function statusText(status: Status): string {
  const tap = status.tap;
  const rows: [string, string][] = [
    ['service', `${status.name}, version ${status.version}, pid ${status.pid}, up ${age(status.uptimeMs)}`],
    ['socket', status.socket],
    ['tap', tap ? `${tap.name}, offload ${tap.offload ? 'on' : 'off'}` : (status.tapProblem?.message ?? 'none')],
    ['stack', status.addresses.join(', ')],
    ['host', status.hostAddresses.join(', ') || '-'],
    ['gateway', status.gateways.join(', ') || '-'],
    ['may join', status.allow.join(', ')],
    [
      'holds',
      `${status.sessions} sessions, ${status.sockets} sockets, ${status.listeners} listeners, ` +
        `${status.connections} connections`,
    ],
    ...byName(status.counters),
  ];
  return columns(rows);
}

function byName(counters: Status['counters']): [string, string][] {
  return Object.entries(counters)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => [name, String(value)]);
}

function columns(rows: [string, string][]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
