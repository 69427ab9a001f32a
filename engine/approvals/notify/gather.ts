/**
 * A burst is told in one message: the first of a kind by a principal at once, what follows it within a while together. Nothing is lost: what
 * is held here and not told yet is found again at the next start.
 */
export class Gatherer<T> {
  readonly #gatherMs: number;
  readonly #tell: (items: readonly T[]) => void;
  readonly #held = new Map<string, { readonly items: T[]; readonly timer: NodeJS.Timeout }>();

  /** @param tell one item, or the several of a burst */
  constructor(gatherMs: number, tell: (items: readonly T[]) => void) {
    this.#gatherMs = gatherMs;
    this.#tell = tell;
  }

  get size(): number {
    let size = 0;
    for (const { items } of this.#held.values()) size += items.length;
    return size;
  }

  add(key: string, item: T): void {
    const burst = this.#held.get(key);
    if (burst) return void burst.items.push(item);
    this.#open(key);
    this.#tell([item]);
  }

  close(): void {
    for (const { timer } of this.#held.values()) clearTimeout(timer);
    this.#held.clear();
  }

  #open(key: string): void {
    const timer = setTimeout(() => this.#end(key), this.#gatherMs).unref();
    this.#held.set(key, { items: [], timer });
  }

  /** What was gathered is a message of its own, after which the next ones are gathered again. */
  #end(key: string): void {
    const items = this.#held.get(key)?.items ?? [];
    this.#held.delete(key);
    if (items.length === 0) return;
    this.#open(key);
    this.#tell(items);
  }
}
