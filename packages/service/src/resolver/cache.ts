/** Values kept for a time; the oldest goes when there are too many. Questions asked twice at once are asked once. */
export class Cache<T> {
  private readonly entries = new Map<string, { value: T; until: number }>();
  private readonly pending = new Map<string, Promise<T>>();
  private readonly limit: number;
  private readonly now: () => number;
  private generation = 0;

  constructor(limit: number, now: () => number = () => performance.now()) {
    this.limit = limit;
    this.now = now;
  }

  get size(): number {
    return this.entries.size;
  }

  /** The value kept and the seconds it has left. */
  get(key: string): { value: T; ttl: number } | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    const left = entry.until - this.now();
    if (left > 0) return { value: entry.value, ttl: Math.ceil(left / 1000) };
    this.entries.delete(key);
    return undefined;
  }

  /** Asks, unless the same is being asked; keeps the answer for as many seconds as `ttlOf` says. */
  ask(key: string, question: () => Promise<T>, ttlOf: (value: T) => number): Promise<T> {
    const pending = this.pending.get(key);
    if (pending !== undefined) return pending;
    const generation = this.generation;
    const asked = question()
      .then((value) => {
        if (generation === this.generation) this.put(key, value, ttlOf(value));
        return value;
      })
      .finally(() => {
        if (this.pending.get(key) === asked) this.pending.delete(key);
      });
    this.pending.set(key, asked);
    return asked;
  }

  /** Forgets everything, also what is being asked. */
  clear(): void {
    this.generation++;
    this.entries.clear();
    this.pending.clear();
  }

  private put(key: string, value: T, ttl: number): void {
    if (ttl <= 0) return;
    this.entries.delete(key);
    this.entries.set(key, { value, until: this.now() + ttl * 1000 });
    const [oldest] = this.entries.keys();
    if (this.entries.size > this.limit && oldest !== undefined) this.entries.delete(oldest);
  }
}
