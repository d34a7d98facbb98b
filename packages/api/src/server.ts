import { chmodSync } from 'node:fs';
import { type Around, type Service, type ServiceOptions, startService } from '@netcon/service';
import { NetconError } from '@netcon/service/errors';
import { buildApi } from './app.js';

export type { Around, Log, Service, ServiceOptions } from '@netcon/service';
export { buildApi } from './app.js';

/** A service with its admin API. */
export interface Daemon {
  readonly service: Service;
  /** Ends both and leaves nothing behind. */
  stop(): Promise<void>;
}

/** Starts a service and its admin API (a unix socket of mode 0600 beside the RPC's). */
export async function startDaemon(options: ServiceOptions, around: Around): Promise<Daemon> {
  const service = await startService(options, around);
  try {
    const app = await buildApi(service);
    await listen(() => app.listen({ path: service.config.paths.api }), service.config.paths.api);
    return {
      service,
      async stop() {
        await app.close();
        await service.stop();
      },
    };
  } catch (thrown) {
    await service.stop();
    throw thrown;
  }
}

async function listen(start: () => Promise<unknown>, path: string): Promise<void> {
  // Made 0600 from its first moment, with no time in between for others to connect.
  const umask = process.umask(0o177);
  try {
    await start();
    chmodSync(path, 0o600);
  } catch (cause) {
    throw new NetconError('NETCON_SOCKET_BIND', `${path}: ${(cause as Error).message}`, { cause });
  } finally {
    process.umask(umask);
  }
}
