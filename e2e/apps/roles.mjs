import { HOST4, STACK4, STACK6 } from '../lib/service.mjs';

/**
 * Who is intercepted, and where the client connects to. `tap`: one side is the host's, across the tap; `direct`: the two
 * may be connected to each other.
 */
export const ROLES = {
  native: { title: 'kernel TCP on both sides', hosts: ['127.0.0.1'], bind: '0.0.0.0' },
  a: { title: 'server intercepted, client on kernel TCP', server: true, hosts: [STACK4], bind: '0.0.0.0', tap: true },
  b: { title: 'client intercepted, server on kernel TCP', client: true, hosts: [HOST4], bind: '0.0.0.0', tap: true },
  c: {
    title: 'both intercepted',
    server: true,
    client: true,
    hosts: ['127.0.0.1', STACK4],
    bind: '0.0.0.0',
    direct: true,
  },
  d: {
    title: 'as a, the server has no interface',
    server: true,
    bare: true,
    hosts: [STACK4],
    bind: '0.0.0.0',
    tap: true,
  },
  e: { title: 'as a, over IPv6', server: true, hosts: [STACK6], bind: '::', tap: true },
  f: {
    title: 'as c, through the stack (`--no-shortcut`)',
    server: true,
    client: true,
    hosts: ['127.0.0.1'],
    bind: '0.0.0.0',
    args: ['--no-shortcut'],
  },
};
