/** One request of a client on its way, with what answering it needs. */
import type { RpcRequest } from './message.ts';
import type { Era, Treatment } from './protocol.ts';
import type { Questions } from './relay.ts';
import type { Reply } from './reply.ts';

export interface Asking {
  readonly request: RpcRequest;
  readonly era: Era;
  /** Of the client, for this request. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly info: Readonly<Record<string, unknown>>;
  readonly reply: Reply;
  readonly questions: Questions;
  /** The client left, or took the request back. */
  readonly signal: AbortSignal;
}

export interface Ready {
  readonly asking: Asking;
  readonly treatment: Treatment & { kind: 'judged' };
  readonly params: Readonly<Record<string, unknown>>;
  /** Without what the client answers: what the server's state belongs to. */
  readonly rest: Readonly<Record<string, unknown>>;
  readonly state: string | null;
}
