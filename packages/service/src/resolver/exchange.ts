import { randomInt } from 'node:crypto';
import { answers, isServersFault, isTruncated } from './message.js';
import type { ResolvConf, Server } from './resolv-conf.js';

/** Carries one message to a server and brings its answer; tests give fakes. */
export interface Network {
  /** Waits for a datagram that `accept` takes. */
  udp(server: Server, message: Buffer, accept: (answer: Buffer) => boolean, timeoutMs: number): Promise<Buffer>;
  tcp(server: Server, message: Buffer, timeoutMs: number): Promise<Buffer>;
  /** Ends what is under way. */
  close(): void;
}

/** Counters of a resolver, for `netcon show status`. */
export interface ResolverCounters {
  name_queries: number;
  name_queries_tcp: number;
  name_cache_hits: number;
  name_failures: number;
}

/** A server that did not answer is asked last for so long. */
const SHUN_MS = 30_000;
/** An answer to a question of a program comes within this, whatever resolv.conf allows. */
export const DEADLINE_MS = 60_000;

/** Asks servers in turn until one gives an answer that can be used. */
export class Exchange {
  private readonly silentUntil = new Map<string, number>();
  private turn = 0;
  private readonly network: Network;
  private readonly counters: ResolverCounters;

  constructor(network: Network, counters: ResolverCounters) {
    this.network = network;
    this.counters = counters;
  }

  /** The first usable answer; undefined if there is none. Its id is the query's. */
  async ask(query: Buffer, servers: Server[], conf: ResolvConf, until: number): Promise<Buffer | undefined> {
    const ordered = this.order(servers, conf.rotate);
    for (let attempt = 0; attempt < conf.attempts; attempt++) {
      for (const server of ordered) {
        // As glibc: doubled at each round, shared among the servers from the second on (res_send.c).
        const share = attempt === 0 ? 1 : ordered.length;
        const timeout = Math.max(1000, (conf.timeoutMs * 2 ** attempt) / share);
        const left = until - Date.now();
        if (left <= 0) return undefined;
        const answer = await this.askOne(query, server, conf.useTcp, Math.min(timeout, left));
        if (answer !== undefined && !isServersFault(answer)) return answer;
      }
    }
    return undefined;
  }

  private async askOne(query: Buffer, server: Server, useTcp: boolean, timeout: number): Promise<Buffer | undefined> {
    const key = `${server.ip} ${server.port}`;
    const message = Buffer.from(query);
    // An id and a port that nobody can foresee (RFC 5452); the port is the kernel's choice.
    message.writeUInt16BE(randomInt(0x10000), 0);
    try {
      const answer = await this.oneAnswer(message, server, useTcp, timeout);
      this.silentUntil.delete(key);
      query.copy(answer, 0, 0, 2);
      return answer;
    } catch {
      this.silentUntil.set(key, Date.now() + SHUN_MS);
      return undefined;
    }
  }

  private async oneAnswer(message: Buffer, server: Server, useTcp: boolean, timeout: number): Promise<Buffer> {
    this.counters.name_queries++;
    if (!useTcp) {
      const answer = await this.network
        .udp(server, message, (candidate) => answers(message, candidate), timeout)
        .catch((error: NodeJS.ErrnoException) => {
          // No datagrams at all here: TCP still goes. A server that refuses or is silent is not asked twice.
          if (error.code === 'NETCON_NATIVE_FAILED') return undefined;
          throw error;
        });
      if (answer !== undefined && !isTruncated(answer)) return answer;
    }
    this.counters.name_queries_tcp++;
    const answer = await this.network.tcp(server, message, timeout);
    if (!answers(message, answer)) throw new Error(`${server.ip}: an answer to another question`);
    return answer;
  }

  private order(servers: Server[], rotate: boolean): Server[] {
    const start = rotate ? this.turn++ % Math.max(1, servers.length) : 0;
    const turned = [...servers.slice(start), ...servers.slice(0, start)];
    const now = Date.now();
    const isSilent = ({ ip, port }: Server) => (this.silentUntil.get(`${ip} ${port}`) ?? 0) > now;
    return [...turned.filter((server) => !isSilent(server)), ...turned.filter(isSilent)];
  }
}
