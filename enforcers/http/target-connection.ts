/** One connection to the target: a request, its answer, and then the next; read as strictly as a client is (SECURITY H1). The target may be hostile. */
import type { Socket } from 'node:net';
import type { AnswerHead } from './answer.ts';
import { AnswerBlock } from './answer-block.ts';
import { ChunkReader } from './chunks.ts';
import { Deadline } from './deadline.ts';
import { type Framing, Malformed } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';

/** What becomes of one request. After `end` or `failed` nothing more comes. */
export interface AnswerSink {
  /** null: the answer is not wanted. */
  head(head: AnswerHead): void;
  /** false: wait for `resume`. */
  data(bytes: Buffer): boolean;
  end(): void;
  /** `answered`: bytes of an answer had come. */
  failed(why: Malformed, answered: boolean): void;
}

const EMPTY = Buffer.alloc(0);
const HEAD_END = Buffer.from('\r\n\r\n');
const NO_BODY: Framing = { kind: 'none' };

export class TargetConnection {
  readonly #socket: Socket;
  readonly #closed: (connection: TargetConnection) => void;
  #sink: AnswerSink | null = null;
  #bodiless = false;
  #buffer: Buffer = EMPTY;
  #state: 'idle' | 'head' | 'body' | 'closed' = 'idle';
  #framing: Framing = NO_BODY;
  /** The head of the answer that came last. */
  #block: AnswerBlock | null = null;
  #left = 0;
  #chunks: ChunkReader | null = null;
  #keeps = true;
  #interim = 0;
  #answered = false;
  readonly #deadline = new Deadline(() => this.#late());
  #answerMs = 0;
  #keepMs: number = HTTP_LIMITS.idleConnectionMs;
  /** Requests that it carried. */
  carried = 0;

  constructor(socket: Socket, closed: (connection: TargetConnection) => void) {
    this.#socket = socket;
    this.#closed = closed;
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.#ended());
    socket.on('close', () => this.#ended());
    socket.on('error', () => socket.destroy());
    this.#deadline.within(this.#keepMs);
  }

  get usable(): boolean {
    return this.#state === 'idle' && this.#socket.writable && this.#socket.readable;
  }

  /** Its answer goes to `sink`. `write` puts the request on the wire. */
  send(method: string, answerMs: number, sink: AnswerSink, write: (socket: Socket) => void): void {
    this.#sink = sink;
    this.#state = 'head';
    this.#bodiless = method === 'HEAD';
    this.#interim = 0;
    this.#answered = false;
    this.carried++;
    this.#answerMs = answerMs;
    this.#deadline.within(answerMs);
    write(this.#socket);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Nobody wants what it still says. */
  destroy(): void {
    this.#sink = null;
    this.#shut();
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    // what nobody asked for is a trick, or an answer to a question that was never put
    if (this.#state === 'idle' || this.#state === 'closed') return this.destroy();
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    this.#answered = true;
    try {
      while (this.#state === 'head' && this.#head());
      if (this.#state === 'body') this.#body();
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.#fail(new Malformed(502, `the target’s answer is malformed: ${error.message}`));
    }
  }

  /** True: an interim answer was passed over, and another head follows. */
  #head(): boolean {
    const end = this.#buffer.indexOf(HEAD_END);
    if (end < 0 || end > HTTP_LIMITS.answerHeadBytes) {
      if (this.#buffer.length > HTTP_LIMITS.answerHeadBytes) throw new Malformed(502, `its head is longer than ${HTTP_LIMITS.answerHeadBytes} bytes`);
      return false;
    }
    const block = this.#block?.is(this.#buffer, end) === true ? this.#block : new AnswerBlock(this.#buffer, end);
    const { status, keepsAlive, headers } = block.said;
    this.#buffer = this.#buffer.subarray(end + 4);
    if (status === 101) throw new Malformed(502, 'it switches to a protocol that nobody asked for');
    if (status < 200) {
      if (++this.#interim > HTTP_LIMITS.interimAnswers) throw new Malformed(502, 'it says too much before its answer');
      return true;
    }
    this.#deadline.met();
    const bodiless = this.#bodiless || status === 204 || status === 304;
    this.#block = block;
    this.#framing = bodiless ? NO_BODY : block.framing;
    this.#keeps = keepsAlive && this.#framing.kind !== 'close';
    this.#keepMs = block.keepMs;
    this.#left = this.#framing.kind === 'length' ? this.#framing.bytes : 0;
    this.#chunks = this.#framing.kind === 'chunked' ? new ChunkReader('dropped') : null;
    this.#state = 'body';
    this.#sink?.head({ status, headers, bodiless });
    return false;
  }

  #body(): void {
    const bytes = this.#buffer;
    this.#buffer = EMPTY;
    switch (this.#framing.kind) {
      case 'none':
        return this.#complete(bytes);
      case 'length': {
        const used = Math.min(this.#left, bytes.length);
        this.#left -= used;
        if (used > 0) this.#data(bytes.subarray(0, used));
        if (this.#left === 0) this.#complete(bytes.subarray(used));
        return;
      }
      case 'chunked': {
        const chunks = this.#chunks as ChunkReader;
        const used = chunks.read(bytes, 0, (data) => this.#data(data));
        if (chunks.done) this.#complete(bytes.subarray(used));
        return;
      }
      case 'close':
        if (bytes.length > 0) this.#data(bytes);
    }
  }

  #data(bytes: Buffer): void {
    if (this.#sink !== null && !this.#sink.data(bytes)) this.#socket.pause();
  }

  /** Whatever stands behind an answer is of nobody's: the connection is not used again. */
  #complete(rest: Buffer): void {
    if (this.#state !== 'body') return;
    const sink = this.#sink;
    this.#sink = null;
    if (!this.#keeps || rest.length > 0 || !this.#socket.writable) {
      this.#shut();
      this.#socket.destroy();
    } else {
      this.#state = 'idle';
      this.#socket.resume();
      this.#deadline.within(this.#keepMs);
    }
    sink?.end();
  }

  #ended(): void {
    if (this.#state === 'body' && this.#framing.kind === 'close') return this.#complete(EMPTY);
    if (this.#state === 'head' || this.#state === 'body')
      return this.#fail(new Malformed(502, 'the target closed the connection before its answer was complete'));
    this.#shut();
    this.#socket.destroy();
  }

  #fail(why: Malformed): void {
    const sink = this.#sink;
    this.#sink = null;
    this.#shut();
    this.#socket.destroy();
    sink?.failed(why, this.#answered);
  }

  #shut(): void {
    this.#deadline.end();
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#closed(this);
  }

  #late(): void {
    if (this.#state === 'head') this.#fail(new Malformed(504, `the target did not answer within ${this.#answerMs} ms`));
    else if (this.#state === 'idle') this.destroy();
  }
}
