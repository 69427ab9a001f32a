/** The answer to one HTTP request: one JSON message, or a stream as soon as something is to be said before it. */
import type { ServerResponse } from 'node:http';
import { MCP_LIMITS } from './limits.ts';
import type { RpcOutcome } from './message.ts';
import type { RpcError, RpcId } from './protocol.ts';

export class Reply {
  readonly #response: ServerResponse;
  readonly #headers: Readonly<Record<string, string>>;
  /** null: the stream of a GET, which answers nothing. */
  readonly id: RpcId | null;
  #streaming = false;
  bytes = 0;

  constructor(response: ServerResponse, id: RpcId | null, headers: Readonly<Record<string, string>>) {
    this.#response = response;
    this.id = id;
    this.#headers = headers;
  }

  get streaming(): boolean {
    return this.#streaming;
  }

  get open(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  /** A notification, or a request of the server's, before the answer. */
  say(message: object, eventId: string | null = null): void {
    this.stream();
    this.#event(message, eventId);
  }

  /** Begins a stream now, so that the client knows that its request arrived. */
  stream(): void {
    if (this.#streaming || !this.open) return;
    this.#streaming = true;
    this.#response.writeHead(200, { ...this.#headers, 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    this.#response.flushHeaders();
  }

  /** Fields of an event without a message: where a client may take up the stream again. */
  mark(eventId: string | null, retryMs: number | null): void {
    this.stream();
    this.#write(`${eventId === null ? '' : `id: ${eventId}\n`}${retryMs === null ? '' : `retry: ${retryMs}\n`}data: \n\n`);
  }

  comment(): void {
    if (this.#streaming) this.#write(':\n\n');
  }

  end(outcome: RpcOutcome, status = 200, eventId: string | null = null): void {
    if (this.id === null) return this.close();
    this.finish(
      outcome.ok ? { jsonrpc: '2.0', id: this.id, result: outcome.result } : { jsonrpc: '2.0', id: this.id, error: outcome.error },
      status,
      eventId,
    );
  }

  finish(message: object, status: number, eventId: string | null = null): void {
    if (!this.open) return;
    if (this.#streaming) {
      this.#event(message, eventId);
      this.#response.end();
      return;
    }
    const body = Buffer.from(JSON.stringify(message), 'utf8');
    this.bytes += body.length;
    this.#response.writeHead(status, {
      ...this.#headers,
      'content-type': 'application/json',
      'content-length': String(body.length),
      'cache-control': 'no-store',
    });
    this.#response.end(body);
  }

  /** Ends a stream without an answer. */
  close(): void {
    if (this.open) this.#response.end();
  }

  #event(message: object, eventId: string | null): void {
    this.#write(`event: message\n${eventId === null ? '' : `id: ${eventId}\n`}data: ${JSON.stringify(message)}\n\n`);
  }

  #write(text: string): void {
    if (!this.open) return;
    this.bytes += text.length;
    this.#response.write(text);
    // whoever does not read what they asked for loses the stream, not our memory
    if (this.#response.writableLength > MCP_LIMITS.unreadBytes) this.#response.destroy();
  }
}

export function failed(error: RpcError): RpcOutcome {
  return { ok: false, error };
}

export function succeeded(result: Readonly<Record<string, unknown>>): RpcOutcome {
  return { ok: true, result };
}
