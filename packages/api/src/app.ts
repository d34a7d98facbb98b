import swagger from '@fastify/swagger';
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import type { Service } from '@netcon/service';
import { NetconError } from '@netcon/service/errors';
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify';
import { v1 } from './routes.js';
import type { Problem } from './schemas.js';
import { version } from './version.js';

/** The longest interval of setInterval, 25 days. */
const NEVER = 2 ** 31 - 1;

/** The admin API of a service, not yet listening. */
export async function buildApi(service: Service): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: 64 * 1024,
    forceCloseConnections: true,
    // An idle service sleeps. The check for slow requests would wake it twice a minute; only its own user may connect.
    http: { connectionsCheckingInterval: NEVER },
  });
  app.setValidatorCompiler(TypeBoxValidatorCompiler);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'netcon admin API', version: version(), description: 'What a netcon service holds.' },
    },
    refResolver: { buildLocalReference: (schema, _base, _fragment, i) => String(schema.$id ?? `def-${i}`) },
  });
  app.setErrorHandler((thrown: FastifyError | NetconError, _request, reply) => {
    const error = asNetconError(thrown);
    return reply.code(error.status).send(problemOf(error));
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new NetconError('NETCON_API_NOT_FOUND', `${request.method} ${request.url}: no such route`);
    return reply.code(error.status).send(problemOf(error));
  });
  await app.register((scope) => v1(scope.withTypeProvider<TypeBoxTypeProvider>(), service), { prefix: '/v1' });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  return app;
}

/** An error as a response body. */
export function problemOf(error: NetconError): Problem {
  return { code: error.code, message: error.message, hint: error.hint };
}

function asNetconError(thrown: FastifyError | NetconError): NetconError {
  if (thrown instanceof NetconError) return thrown;
  if ((thrown.statusCode ?? 500) < 500) return new NetconError('NETCON_API_BAD_REQUEST', thrown.message);
  // What went wrong inside is not for the caller.
  return new NetconError('NETCON_API_FAILED', 'the service failed to answer', { cause: thrown });
}
