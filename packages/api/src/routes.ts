import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import type { Service } from '@netcon/service';
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import { problemOf } from './app.js';
import { Problem, SessionList, SocketList, SocketQuery, Status } from './schemas.js';
import { version } from './version.js';

type Scope = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** The routes below /v1. */
export async function v1(scope: Scope, service: Service): Promise<void> {
  const failures = { '5xx': Problem };

  scope.get(
    '/status',
    { schema: { summary: 'The service, its link and its counters', response: { 200: Status, ...failures } } },
    async () => ({ ...describe(service), ...(await service.status()) }),
  );

  scope.get(
    '/sessions',
    { schema: { summary: 'The programs that have joined', response: { 200: SessionList, ...failures } } },
    () => service.sessions(),
  );

  scope.get(
    '/sockets',
    {
      schema: {
        summary: 'The sockets of the programs, and connections that have outlived theirs',
        querystring: SocketQuery,
        response: { 200: SocketList, '4xx': Problem, ...failures },
      },
    },
    async ({ query }) => {
      const rows = await service.sockets();
      return rows.filter(
        (row) =>
          (query.pid === undefined || row.pid === query.pid) &&
          (query.state === undefined || stateKey(row.state) === stateKey(query.state)),
      );
    },
  );
}

function describe(service: Service) {
  const { config, tap, tapProblem } = service;
  return {
    version: version(),
    name: config.name,
    pid: process.pid,
    socket: config.paths.socket,
    addresses: config.plan.stack,
    hostAddresses: tap === null ? [] : config.plan.host,
    gateways: config.plan.gateways,
    allow: config.policy.allow,
    tap,
    ...(tapProblem !== undefined && { tapProblem: problemOf(tapProblem) }),
  };
}

/** LISTEN, listen; SYN-SENT, syn_sent, synsent: all spellings in use name one state. */
function stateKey(state: string): string {
  return state.toUpperCase().replaceAll(/[-_]/g, '');
}
