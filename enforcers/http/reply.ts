/** The answer to one request, whatever version of HTTP the client speaks. */
import type { HeaderList } from './answer.ts';
import type { RequestHead } from './head.ts';

export interface Reply {
  /** The client is still there and nothing has gone wrong with it. */
  readonly open: boolean;
  /** A head has been written: it is too late for another answer. */
  readonly begun: boolean;
  /** Of this answer: head and body. */
  readonly bytes: number;
  /** `Expect: 100-continue`: the body may come. */
  proceed(): void;
  head(status: number, headers: HeaderList, bodiless: boolean): void;
  /** false: the client does not keep up; `drained` tells when to go on. */
  write(bytes: Uint8Array): boolean;
  drained(listener: () => void): void;
  /** The answer is complete. */
  end(): void;
  /** The answer is broken off, so that the client sees that it is. */
  abort(): void;
  /** No other request is taken on this connection. */
  last(): void;
  /** Called once: the client went away before the end of the answer. */
  left(listener: () => void): void;
}

/** A request whose head is there; its body is read when somebody wants it. */
export interface Incoming {
  readonly head: RequestHead;
  readonly reply: Reply;
  /** Bytes of the whole body; a value where it is there already. Rejects Malformed (413 over `bytesMax`, 408, 400): the connection ends behind the refusal. */
  body(bytesMax: number): Buffer | Promise<Buffer>;
}
