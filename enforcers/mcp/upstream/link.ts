/** One connection to the server, of one session: never shared between principals. */
import type { Era, RpcId } from '../protocol.ts';
import type { RpcNotification, RpcOutcome, RpcRequest } from '../message.ts';

/** What the server says of itself. */
export interface ServerSelf {
  readonly era: Era;
  readonly version: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly instructions: string | null;
  readonly info: Readonly<Record<string, unknown>> | null;
}

/** Who speaks: what the server is told of the client. */
export interface Introduction {
  readonly era: Era;
  /** Of the client's choice, where the era has several. */
  readonly version: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly info: Readonly<Record<string, unknown>>;
}

/** What comes back before, and beside, the answer. All of it is data of somebody else's. */
export interface Sink {
  notified(notification: RpcNotification): void;
  /** The server asks; answered with `Link.answer`. */
  asked(request: RpcRequest): void;
  /** Fields of the event that holds the next message: a client may come back for what follows it. */
  event?(id: string | null, retryMs: number | null): void;
  /** The stream ended before the answer, which may come on another. */
  left?(): void;
}

/** A request that may leave: method, params as they were decided, and what stands in `_meta`. */
export interface Outgoing {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, unknown>>;
  /** `Mcp-Param-…` of the pinned definition. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface Link {
  readonly self: ServerSelf;
  /** false: it is gone, and the next call opens another. */
  readonly alive: boolean;
  /** What its credential needs is fetched, so that sending does not wait for it; null: there is nothing to wait for. Rejects CREDENTIAL_UNAVAILABLE. */
  ready(): Promise<void> | null;
  /**
   * The bytes of a request under an id of ours, to be sent with `send`: what is in them is what leaves.
   */
  write(outgoing: Outgoing): Written;
  /** Rejects TARGET_UNREACHABLE, ANSWER_REFUSED, CANCELLED (the signal). */
  send(written: Written, bytes: Uint8Array, sink: Sink, signal: AbortSignal): Promise<RpcOutcome>;
  notify(method: string, params: Readonly<Record<string, unknown>>): Promise<void>;
  answer(id: RpcId, outcome: RpcOutcome): Promise<void>;
  /** What the server tells without being asked, until the signal; resolves when it ends. */
  listen(sink: Sink, signal: AbortSignal, lastEventId: string | null): Promise<void>;
  close(): void;
}

export interface Written {
  readonly id: number;
  readonly outgoing: Outgoing;
  readonly bytes: Buffer;
}
