/** The headers of a request as it asks with them, and as they leave with it. Worked out once for as long as a client says the same. */
import { headerLines } from '#client/http-message';
import type { Answering, HeaderList } from './answer.ts';
import { ASK_ONLY, preferredWaitMs, screenHeaders, type Screening } from './request-headers.ts';

export interface LeavingHeaders {
  readonly headers: HeaderList;
  readonly lines: string;
}

export class AskedHeaders {
  /** What is judged, in order, and the same as lines. */
  readonly judged: HeaderList;
  readonly lines: string;
  /** The body is said to be encoded. */
  readonly encoded: boolean;
  /** Of `Prefer: wait=N`; null: nothing. */
  readonly waitMs: number | null;
  /** `Interlock-Ask-Only` stands there, whatever it says. */
  readonly asksOnly: boolean;
  readonly #incidental: HeaderList;
  #left: { readonly answering: Pick<Answering, 'withheld' | 'set'>; readonly leaving: LeavingHeaders } | null = null;

  constructor(headers: HeaderList, screening: Screening) {
    const { judged, incidental } = screenHeaders(headers, screening);
    this.judged = judged.filter(isUnderstood);
    this.lines = headerLines(this.judged);
    this.encoded = judged.some(([name, value]) => name === 'content-encoding' && value.toLowerCase() !== 'identity');
    this.waitMs = preferredWaitMs(headers);
    this.asksOnly = headers.some(([name]) => name === ASK_ONLY);
    this.#incidental = incidental;
  }

  /** @param own what the gateway says instead of the client, the same for each request of a session */
  leaving({ withheld, set }: Pick<Answering, 'withheld' | 'set'>, own: () => HeaderList): LeavingHeaders {
    const left = this.#left;
    if (left !== null && left.answering.withheld === withheld && left.answering.set === set) return left.leaving;
    const added = new Map([...own(), ...set]);
    const kept = [...this.judged, ...this.#incidental].filter(([name]) => !withheld.has(name) && !added.has(name));
    const headers = [...kept, ...added];
    this.#left = { answering: { withheld, set }, leaving: { headers, lines: headerLines(headers) } };
    return this.#left.leaving;
  }
}

/** What means nothing is not judged: no encoding, and the upgrade to HTTP/2 that clients offer of themselves. */
function isUnderstood([name, value]: HeaderList[number]): boolean {
  return !(name === 'content-encoding' && value.toLowerCase() === 'identity') && !(name === 'upgrade' && value.toLowerCase() === 'h2c');
}
