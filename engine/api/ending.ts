/** When a call ends, whatever ends it first. Lets go of everything at the end of the call: a server that lives for months has millions of them. */
import type { ServerResponse } from 'node:http';

const TIMER_MS_MAX = 2 ** 31 - 1;

export class Ending implements Disposable {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #response: ServerResponse;
  readonly #timer: NodeJS.Timeout | null;
  readonly #end = (): void => this.#controller.abort();

  /** `leftMs`: what the caller's token or session has left; null: nobody has logged in. */
  constructor(response: ServerResponse, leftMs: number | null, sources: readonly AbortSignal[]) {
    this.#response = response;
    this.#sources = sources;
    response.once('close', this.#end);
    for (const source of sources) source.addEventListener('abort', this.#end, { once: true });
    this.#timer = leftMs === null ? null : setTimeout(this.#end, Math.min(Math.max(0, leftMs), TIMER_MS_MAX)).unref();
    if (sources.some(({ aborted }) => aborted)) this.#end();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#response.off('close', this.#end);
    for (const source of this.#sources) source.removeEventListener('abort', this.#end);
  }
}
