import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { NetconError } from '@netcon/core-rs';

/** Credentials as the kernel gives them (SO_PEERCRED, SO_PEERGROUPS). */
export interface Credentials {
  uid: number;
  gid: number;
  groups: number[];
}

/** Who may join. */
export interface Policy {
  admits(who: Credentials): boolean;
  /** Others than the service's own user and root may join. */
  readonly open: boolean;
  /** As given, for `netcon show`. */
  readonly allow: string[];
}

export type Lookup = (database: 'passwd' | 'group', key: string) => string | undefined;

/**
 * The service's own user and root are always admitted: both could read the service's memory anyway.
 *
 * @example createPolicy(['user:www-data', 'group:staff'], 1000).admits({ uid: 33, gid: 33, groups: [] }) // true
 */
export function createPolicy(allow: string[], ownUid: number, lookup: Lookup = getent): Policy {
  const uids = new Set([ownUid, 0]);
  const gids = new Set<number>();
  let everyone = false;
  for (const entry of allow) {
    const [, kind, key] = /^(?:(user|group):(.+)|all)$/.exec(entry) ?? [];
    if (kind === undefined && entry !== 'all') throw new NetconError('NETCON_POLICY_UNKNOWN', `--allow ${entry}`);
    if (kind === undefined || key === undefined) everyone = true;
    else if (kind === 'user') uids.add(resolveId('passwd', key, entry, lookup));
    else gids.add(resolveId('group', key, entry, lookup));
  }
  return {
    admits: ({ uid, gid, groups }) =>
      everyone || uids.has(uid) || gids.has(gid) || groups.some((group) => gids.has(group)),
    open: everyone || uids.size > new Set([ownUid, 0]).size || gids.size > 0,
    allow: allow.length > 0 ? allow : [`user:${userName(ownUid, lookup)}`],
  };
}

/** The name of a user, or his number. */
export function userName(uid: number, lookup: Lookup = getent): string {
  return lookup('passwd', String(uid))?.split(':')[0] ?? String(uid);
}

function resolveId(database: 'passwd' | 'group', key: string, entry: string, lookup: Lookup): number {
  if (/^\d+$/.test(key)) return Number(key);
  const id = lookup(database, key)?.split(':')[2];
  if (id === undefined || !/^\d+$/.test(id)) {
    const kind = database === 'passwd' ? 'user' : 'group';
    throw new NetconError('NETCON_POLICY_UNKNOWN', `--allow ${entry}: no such ${kind} on this machine`);
  }
  return Number(id);
}

/** One line of passwd(5) or group(5); getent(1) also asks directories such as LDAP. */
function getent(database: 'passwd' | 'group', key: string): string | undefined {
  return local(database, key) ?? directory(database, key);
}

function local(database: 'passwd' | 'group', key: string): string | undefined {
  try {
    const lines = readFileSync(`/etc/${database}`, 'utf8').split('\n');
    return lines.find((line) => line.split(':')[0] === key || line.split(':')[2] === key);
  } catch {
    return undefined;
  }
}

function directory(database: 'passwd' | 'group', key: string): string | undefined {
  try {
    const line = execFileSync('getent', [database, key], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return line.trim() || undefined;
  } catch {
    return undefined;
  }
}
