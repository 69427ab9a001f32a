/** What the log of several engines needs of the stream under it. `engine/nats/ordered-stream.ts` is one, on JetStream. */

export interface StreamInfo {
  /** Name and birth: another one is another log. */
  readonly log: string;
  /** Sequence numbers of what it holds; `last` 0: it never held anything. */
  readonly first: number;
  readonly last: number;
  /**
   * Who has kept it, and since when without a break: told twice the same, everything that was acknowledged in between is there. null: nobody can say so.
   */
  readonly keeper: string | null;
}

export interface StreamMessage {
  readonly seq: number;
  readonly subject: string;
  readonly body: Uint8Array;
}

export interface Expected {
  /** The same message again is the same: it is stored once, and answered as before. */
  readonly id: string;
  /** Sequence of the last message of the subject; 0: none. Absent: whatever it is. */
  readonly lastOfSubject?: number;
  /** The same of the whole stream, where that is asked for too. */
  readonly last?: number;
}

export type Published =
  | { readonly kind: 'stored'; readonly seq: number }
  /** Another message came first, up to this one as far as the stream says. */
  | { readonly kind: 'refused'; readonly last: number }
  /** No answer, or an answer that is none: it may be there, or come yet. */
  | { readonly kind: 'unknown'; readonly reason: string };

/** Messages of one subject stand in the order in which they were stored; so do all of them. Nothing of it proves that a disk has them. */
export interface OrderedStream {
  readonly connected: boolean;
  /** Told of every connection and every loss of one. */
  onConnection(listener: (connected: boolean) => void): void;
  /** Of one message. */
  readonly bytesMax: number;
  /** @throws Error without a connection, or without an answer */
  info(): Promise<StreamInfo>;
  /** One message, if it is there. @throws Error as `info` */
  message(seq: number): Promise<StreamMessage | null>;
  /** Never rejects. */
  publish(subject: string, body: Uint8Array, expected: Expected): Promise<Published>;
  /** Every message from `from` on, in order, without gaps, until something interrupts it or the signal ends it; then it resolves. It waits for `each`. */
  run(from: number, each: (message: StreamMessage) => void | Promise<void>, signal: AbortSignal): Promise<void>;
  /** To whoever listens now; may be lost. */
  say(body: Uint8Array): void;
  hear(listener: (body: Uint8Array) => void): void;
}
