import { parseIp } from '../ip.js';
import { Cache } from './cache.js';
import { DEADLINE_MS, Exchange, type Network, type ResolverCounters } from './exchange.js';
import {
  encodeQuery,
  type Finding,
  isQueryable,
  NOTHING,
  questionOf,
  rcodeOf,
  readAnswer,
  Verdict,
  type VerdictCode,
  verdictOf,
} from './message.js';
import { parseResolvConf, type ResolvConf, type Server, serversOf, WatchedFile } from './resolv-conf.js';

/** What a resolver is made of. */
export interface ResolverSettings {
  network: Network;
  /** Servers the user named; without them those of resolv.conf. */
  servers: Server[];
  resolvConf: string;
}

/** A message as a server sent it, and how the look-up ended. */
export interface RawAnswer {
  verdict: VerdictCode;
  message: Buffer;
}

type Type = 'A' | 'AAAA' | 'PTR';
const TYPES: Record<Type, number> = { A: 1, PTR: 12, AAAA: 28 };
const CLASS_IN = 1;
/** Findings kept at most; each is some hundred bytes. */
const CACHE_ENTRIES = 4096;
const EMPTY = Buffer.alloc(0);

/** Looks names up: search list, cache, servers. Knows no socket and no program. */
export class Resolver {
  readonly counters: ResolverCounters = { name_queries: 0, name_queries_tcp: 0, name_cache_hits: 0, name_failures: 0 };
  private readonly cache = new Cache<Finding>(CACHE_ENTRIES);
  private readonly exchange: Exchange;
  private readonly file: WatchedFile;
  private conf: ResolvConf | undefined;
  private readonly settings: ResolverSettings;

  constructor(settings: ResolverSettings) {
    this.settings = settings;
    this.file = new WatchedFile(settings.resolvConf);
    this.exchange = new Exchange(settings.network, this.counters);
  }

  /** The servers that would be asked now. */
  servers(): Server[] {
    return serversOf(this.settingsNow(), this.settings.servers);
  }

  /** The addresses of a name as a program wrote it, along the search list. */
  async addresses(name: string, family: 4 | 6 | undefined): Promise<Finding> {
    const types: Type[] = family === 4 ? ['A'] : family === 6 ? ['AAAA'] : ['A', 'AAAA'];
    const until = Date.now() + DEADLINE_MS;
    return this.along(
      name,
      async (candidate) => {
        const findings = await Promise.all(types.map((type) => this.find(candidate, type, until)));
        return combine(findings);
      },
      { ...NOTHING, verdict: name === '' ? Verdict.NoRecovery : Verdict.NotFound },
    );
  }

  /** The names of an address. */
  names(ip: string): Promise<Finding> {
    return this.find(reverseName(ip), 'PTR', Date.now() + DEADLINE_MS);
  }

  /** A message as it stands (res_send). */
  async send(query: Buffer): Promise<RawAnswer> {
    if (questionOf(query) === undefined && query.length < 12) return { verdict: Verdict.NoRecovery, message: EMPTY };
    const answer = await this.query(query, Date.now() + DEADLINE_MS);
    if (answer === undefined) return { verdict: Verdict.TryAgain, message: EMPTY };
    return { verdict: Verdict.Found, message: answer };
  }

  /** A question of any type along the search list (res_search). */
  async search(name: string, type: number, qclass: number): Promise<RawAnswer> {
    const until = Date.now() + DEADLINE_MS;
    return this.along(
      name,
      async (candidate) => {
        const answer = await this.query(encodeQuery(0, candidate, type, qclass), until);
        if (answer === undefined) return { verdict: Verdict.TryAgain, message: EMPTY };
        return { verdict: verdictOf(answer), message: answer };
      },
      { verdict: Verdict.NoRecovery, message: EMPTY },
    );
  }

  /** Tries a name with and without the domains of the search list, in the order of res_nsearch of glibc. */
  private async along<T extends { verdict: VerdictCode }>(
    name: string,
    look: (candidate: string) => Promise<T>,
    unaskable: T,
  ): Promise<T> {
    const conf = this.settingsNow();
    const dots = name.replace(/\.$/, '').split('.').length - 1;
    const domains = name.endsWith('.') ? [] : conf.search.map((domain) => `${name}.${domain}`);
    const asItStands = dots >= conf.ndots || domains.length === 0;
    const candidates = asItStands ? [name, ...domains] : [...domains, name];
    // What the name itself gave outweighs what the domains gave, if it came first.
    let asIs: T | undefined;
    let noData: T | undefined;
    let last: T | undefined;
    for (const candidate of candidates.filter(isQueryable)) {
      last = await look(candidate);
      if (last.verdict === Verdict.Found) return last;
      if (asItStands && candidate === name) asIs = last;
      if (last.verdict === Verdict.NoData) noData ??= last;
      // No server answers: it would be the same with the next domain.
      if (last.verdict === Verdict.TryAgain || last.verdict === Verdict.NoRecovery) break;
    }
    return asIs ?? noData ?? last ?? unaskable;
  }

  private async find(name: string, type: Type, until: number): Promise<Finding> {
    const key = `${type} ${name.replace(/\.$/, '').toLowerCase()}`;
    const kept = this.cache.get(key);
    if (kept !== undefined) {
      this.counters.name_cache_hits++;
      return { ...kept.value, ttl: kept.ttl };
    }
    const ask = async () => {
      const answer = await this.query(encodeQuery(0, name, TYPES[type], CLASS_IN), until);
      return answer === undefined ? NOTHING : readAnswer(answer, name, type);
    };
    return this.cache.ask(key, ask, ({ ttl }) => ttl);
  }

  private async query(message: Buffer, until: number): Promise<Buffer | undefined> {
    const conf = this.settingsNow();
    const answer = await this.exchange.ask(message, serversOf(conf, this.settings.servers), conf, until);
    if (answer === undefined || ![0, 3].includes(rcodeOf(answer))) this.counters.name_failures++;
    return answer;
  }

  private settingsNow(): ResolvConf {
    const { text, changed } = this.file.read();
    if (changed || this.conf === undefined) {
      this.conf = parseResolvConf(text);
      this.cache.clear();
    }
    return this.conf;
  }
}

/** One answer of two: any address will do; what may pass later outweighs what is certain. */
function combine(findings: Finding[]): Finding {
  const good = findings.filter(({ verdict }) => verdict === Verdict.Found);
  if (good.length > 0) {
    const names = [...new Set(good.flatMap((finding) => finding.names))];
    const addresses = good.flatMap((finding) => finding.addresses);
    return { verdict: Verdict.Found, ttl: Math.min(...good.map(({ ttl }) => ttl)), names, addresses };
  }
  const rank = [Verdict.TryAgain, Verdict.NoRecovery, Verdict.NoData, Verdict.NotFound] as VerdictCode[];
  const sorted = [...findings].sort((a, b) => rank.indexOf(a.verdict) - rank.indexOf(b.verdict));
  return sorted[0] ?? NOTHING;
}

/** RFC 1035 3.5, RFC 3596 2.5. */
export function reverseName(ip: string): string {
  const octets = parseIp(ip) ?? new Uint8Array(4);
  if (octets.length === 4) return `${[...octets].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...octets].flatMap((octet) => [octet >> 4, octet & 15]).reverse();
  return `${nibbles.map((nibble) => nibble.toString(16)).join('.')}.ip6.arpa`;
}
