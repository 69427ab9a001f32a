/** Questions of ours that wait for their answers. */
import { InterlockError } from '#schemas/errors';
import { TYPE } from './frames.ts';
import type { Link, Method } from './link.ts';
import type { CallOptions } from './parts.ts';
import { questionDigest, SEAL_BYTES } from './seal.ts';
import { decodeTrouble, unavailable } from './trouble.ts';

interface Pending {
  readonly resolve: (answer: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
  readonly method: Method;
  readonly question: string;
  readonly deadlineUs: number;
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
  readonly aborted: (() => void) | undefined;
}

/** Of a call: deadline and length of the method. */
const HEAD_BYTES = 5;
const DEADLINE_MS_MAX = 0xffff_ffff;

export class Calls {
  readonly #link: Link;
  readonly #pending: Map<number, Pending> = new Map();
  #timer: NodeJS.Timeout | null = null;
  /** When the timer looks for calls that are late. */
  #nextUs = Number.POSITIVE_INFINITY;

  constructor(link: Link) {
    this.#link = link;
  }

  get open(): number {
    return this.#pending.size;
  }

  call(method: Method, payload: Uint8Array, { deadlineMs, signal }: CallOptions): Promise<Uint8Array> {
    const objection = this.#objection(payload, signal);
    if (objection) return Promise.reject(objection);
    const link = this.#link;
    const { wire } = link;
    const id = link.nextId();
    const ms = Math.min(Math.max(0, Math.ceil(deadlineMs)), DEADLINE_MS_MAX);
    const head = HEAD_BYTES + method.bytes.length;
    const at = wire.beginPayload(TYPE.call, id, head, payload);
    wire.buffer.writeUInt32BE(ms, at);
    wire.buffer[at + 4] = method.bytes.length;
    for (let index = 0; index < method.bytes.length; index++) wire.buffer[at + HEAD_BYTES + index] = method.bytes[index] as number;
    const deadlineUs = link.nowUs() + ms * 1000;
    const question = questionDigest(payload);
    return new Promise((resolve, reject) => {
      const aborted = signal && ((): void => this.#giveUp(id, signal.reason));
      signal?.addEventListener('abort', aborted as () => void, { once: true });
      this.#pending.set(id, { resolve, reject, method, question, deadlineUs, deadlineMs: ms, signal, aborted });
      if (deadlineUs < this.#nextUs) this.#watch(deadlineUs);
    });
  }

  /** @param type ANSWER or ERROR */
  answered(type: number, id: number, buffer: Buffer, start: number, end: number): void {
    const pending = this.#take(id);
    if (pending === null) return; // late: nobody waits for it any more
    const answer = buffer.subarray(start + SEAL_BYTES, end);
    if (end - start < SEAL_BYTES || !this.#link.sealer.fits(buffer, start, type, id, pending.method.bytes, pending.question, answer)) {
      pending.reject(new InterlockError('ANSWER_REFUSED', `the answer to ${pending.method.name} does not carry the seal of its question`));
      this.#link.fail('CHANNEL_PROTOCOL', 'an answer without the seal of its question');
      return;
    }
    if (type === TYPE.answer) pending.resolve(answer);
    else pending.reject(decodeTrouble(answer));
  }

  /** All at once: the connection is over. */
  fail(error: InterlockError): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    for (const id of this.#pending.keys()) this.#take(id)?.reject(error);
  }

  #objection(payload: Uint8Array, signal: AbortSignal | undefined): unknown {
    const { limits, theirs, wire } = this.#link;
    if (signal?.aborted) return signal.reason;
    if (this.#pending.size >= limits.calls) return new InterlockError('CHANNEL_BUSY', `${limits.calls} calls wait for their answers`);
    if (payload.length > theirs.payloadBytes) {
      return new InterlockError('CHANNEL_BUSY', `a question of ${payload.length} bytes; the other end takes ${theirs.payloadBytes}`);
    }
    if (wire.backlog + payload.length > limits.bytesInFlight) return new InterlockError('CHANNEL_BUSY', `${wire.backlog} bytes wait to be sent`);
    return null;
  }

  #take(id: number): Pending | null {
    const pending = this.#pending.get(id);
    if (pending === undefined) return null;
    this.#pending.delete(id);
    if (pending.aborted) pending.signal?.removeEventListener('abort', pending.aborted);
    return pending;
  }

  #giveUp(id: number, error: unknown): void {
    const pending = this.#take(id);
    if (pending === null) return;
    this.#link.wire.drop(id);
    this.#link.wire.begin(TYPE.cancel, 0, id, 0);
    pending.reject(error);
  }

  #watch(untilUs: number): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#nextUs = untilUs;
    // a timer's longest delay; looking too early only looks again
    const delayMs = Math.min(Math.ceil((untilUs - this.#link.nowUs()) / 1000), 0x7fff_ffff);
    this.#timer = setTimeout(() => this.#expire(), Math.max(0, delayMs));
  }

  #expire(): void {
    const nowUs = this.#link.nowUs();
    let nextUs = Number.POSITIVE_INFINITY;
    for (const [id, { deadlineUs, deadlineMs, method }] of this.#pending) {
      if (deadlineUs <= nowUs) this.#giveUp(id, unavailable(this.#link.peerKind, `no answer to ${method.name} within ${deadlineMs} ms`));
      else if (deadlineUs < nextUs) nextUs = deadlineUs;
    }
    this.#timer = null;
    this.#nextUs = nextUs;
    if (nextUs !== Number.POSITIVE_INFINITY) this.#watch(nextUs);
  }
}
