/** The head of a target's answer, with what it says of the message itself. */
import { type Framing, framingOf, readStatusHead, type StatusHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';

export class AnswerBlock {
  /** As it came. */
  readonly #bytes: Buffer;
  readonly said: StatusHead;
  /** How long the connection is good for if nothing else comes. */
  readonly keepMs: number;
  #framing: Framing | null = null;

  /** The first `end` bytes, without the empty line. @throws Malformed */
  constructor(buffer: Buffer, end: number) {
    this.#bytes = Buffer.from(buffer.subarray(0, end));
    this.said = readStatusHead(this.#bytes.toString('latin1'), HTTP_LIMITS.answerHeaders);
    this.keepMs = keepMs(this.said.headers);
  }

  /** These bytes are the same once more: answers of one server mostly differ in their date, once a second. */
  is(buffer: Buffer, end: number): boolean {
    return this.#bytes.length === end && this.#bytes.compare(buffer, 0, end) === 0;
  }

  /** Of an answer with a body. @throws Malformed */
  get framing(): Framing {
    return (this.#framing ??= framingOf(this.said.headers, 'close'));
  }
}

/** `Keep-Alive: timeout=5`: a second before the target closes it. */
function keepMs(headers: StatusHead['headers']): number {
  const said = headers.find(([name]) => name === 'keep-alive')?.[1] ?? '';
  const seconds = Number(/timeout=(\d{1,6})/i.exec(said)?.[1] ?? Number.NaN);
  return Number.isNaN(seconds) ? HTTP_LIMITS.idleConnectionMs : Math.max(0, Math.min(HTTP_LIMITS.idleConnectionMs, seconds * 1000 - 1000));
}
