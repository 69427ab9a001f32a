/** A server over streamable HTTP: own connections, own session there, one message a request, no redirect followed. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Headers } from '#enforcers/common/service/headers';
import type { Place } from '#enforcers/common/service/place';
import { InterlockError } from '#schemas/errors';
import type { Signer } from '../credential.ts';
import { MCP_LIMITS } from '../limits.ts';
import { readMessage, type RpcMessage, type RpcOutcome } from '../message.ts';
import { headerValue, MODERN, nameOf, type Era, type RpcId } from '../protocol.ts';
import { begin } from './dialogue.ts';
import { PlacedAgent } from './placed-agent.ts';
import { answerOf, notificationOf, requestOf, SILENT, stopped } from './wire.ts';
import type { Introduction, Link, Outgoing, ServerSelf, Sink, Written } from './link.ts';
import { SseReader, type ServerEvent } from './sse.ts';

export interface HttpServerPlace {
  readonly url: string;
  readonly place: Place;
  readonly signer: Signer;
}

/** @throws InterlockError TARGET_UNREACHABLE, ANSWER_REFUSED */
export async function openHttpLink(place: HttpServerPlace, who: Introduction): Promise<Link> {
  const link = new HttpLink(place);
  try {
    await link.begin(who);
    return link;
  } catch (error) {
    link.close();
    throw error;
  }
}

class HttpLink implements Link {
  readonly #url: URL;
  readonly #place: HttpServerPlace;
  readonly #agent: PlacedAgent;
  #self: ServerSelf | null = null;
  #session: string | null = null;
  #next = 0;
  #closed = false;
  /** The server forgot our session. */
  #lost = false;
  /** Ids whose answer may come on another stream than their own. */
  readonly #elsewhere = new Map<RpcId, (outcome: RpcOutcome) => void>();

  constructor(place: HttpServerPlace) {
    this.#url = new URL(place.url);
    this.#place = place;
    const options = { keepAlive: true, maxSockets: MCP_LIMITS.callsPerSession + MCP_LIMITS.streamsPerSession, timeout: MCP_LIMITS.answerMs };
    this.#agent = new PlacedAgent(place.place, options);
  }

  get self(): ServerSelf {
    if (this.#self === null) throw new InterlockError('INTERNAL', 'a link that has not begun');
    return this.#self;
  }

  get alive(): boolean {
    return !this.#closed && !this.#lost;
  }

  async begin(who: Introduction): Promise<void> {
    const ask = async (outgoing: Outgoing, era: Era): Promise<RpcOutcome> => {
      const written = this.write(outgoing);
      return this.#exchange(written, written.bytes, SILENT, AbortSignal.timeout(MCP_LIMITS.ownMs), era);
    };
    this.#self = await begin(ask, who);
    if (this.#self.era === 'legacy') await this.notify('notifications/initialized', {});
  }

  write(outgoing: Outgoing): Written {
    return requestOf((this.#next += 1), outgoing);
  }

  send(written: Written, bytes: Uint8Array, sink: Sink, signal: AbortSignal): Promise<RpcOutcome> {
    return this.#exchange(written, bytes, sink, signal, this.self.era);
  }

  async #exchange(written: Written, bytes: Uint8Array, sink: Sink, signal: AbortSignal, era: Era): Promise<RpcOutcome> {
    const { outgoing } = written;
    const headers = { ...this.#headers(era), ...(era === 'modern' ? modernHeaders(outgoing) : {}) };
    const response = await this.#request('POST', headers, bytes, signal);
    const session = response.headers['mcp-session-id'];
    if (outgoing.method === 'initialize' && typeof session === 'string') this.#session = session;
    const outcome = await this.#answerOf(written.id, response, sink, signal);
    if (outcome !== null) return outcome;
    if (era === 'modern') throw new InterlockError('TARGET_UNREACHABLE', 'the server ended its stream before it answered');
    // it may answer on another stream, which the client opens (resumption)
    sink.left?.();
    return this.#later(written.id, signal);
  }

  #later(id: number, signal: AbortSignal): Promise<RpcOutcome> {
    const { promise, resolve, reject } = Promise.withResolvers<RpcOutcome>();
    this.#elsewhere.set(id, resolve);
    const ended = (): void => reject(new InterlockError('CANCELLED', 'the client left'));
    signal.addEventListener('abort', ended, { once: true });
    return promise.finally(() => {
      this.#elsewhere.delete(id);
      signal.removeEventListener('abort', ended);
    });
  }

  async notify(method: string, params: Readonly<Record<string, unknown>>): Promise<void> {
    const response = await this.#request('POST', this.#headers(this.self.era), notificationOf(method, params), AbortSignal.timeout(MCP_LIMITS.ownMs));
    response.resume();
  }

  async answer(id: RpcId, outcome: RpcOutcome): Promise<void> {
    const response = await this.#request('POST', this.#headers(this.self.era), answerOf(id, outcome), AbortSignal.timeout(MCP_LIMITS.ownMs));
    response.resume();
  }

  async listen(sink: Sink, signal: AbortSignal, lastEventId: string | null): Promise<void> {
    const headers = { ...this.#headers('legacy'), accept: 'text/event-stream', ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }) };
    const response = await this.#request('GET', headers, null, signal);
    if (response.statusCode !== 200 || !isEventStream(response)) {
      response.resume();
      return;
    }
    await this.#stream(response, null, sink, signal);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#session !== null) {
      // the server may forget the session; whether it does is its business
      const bye = this.#request('DELETE', this.#headers('legacy'), null, AbortSignal.timeout(MCP_LIMITS.connectMs));
      void bye
        .then((response) => response.resume())
        .catch(() => {})
        .finally(() => this.#agent.destroy());
    } else this.#agent.destroy();
  }

  #headers(era: Era): Record<string, string> {
    const version = era === 'modern' ? MODERN : this.#self?.version;
    return {
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
      ...(version === undefined ? {} : { 'mcp-protocol-version': version }),
      ...(this.#session === null || era === 'modern' ? {} : { 'mcp-session-id': this.#session }),
    };
  }

  ready(): Promise<void> | null {
    return this.#place.signer.ready();
  }

  /** What the server did not take the credential of is sent once more with another: by its 401 it carried out nothing (RFC 9110 §15.5.2). */
  async #request(method: string, headers: Record<string, string>, body: Uint8Array | null, signal: AbortSignal): Promise<IncomingMessage> {
    const { place, signer } = this.#place;
    const framed = body === null ? headers : { ...headers, 'content-type': 'application/json', 'content-length': String(body.length) };
    const target = `${this.#url.pathname}${this.#url.search}`;
    const request = { method, target, authority: place.authority, headers: Object.entries(framed), body: body ?? NOTHING };
    for (let again = false; ; again = true) {
      const signed = signer.sign(request);
      const credential = signed instanceof Promise ? await signed : signed;
      const response = await this.#sent(method, { ...framed, ...headersOf(credential) }, body, signal);
      if (response.statusCode !== 401 || !signer.refused(credential) || again) return response;
      response.destroy();
    }
  }

  #sent(method: string, headers: Record<string, string>, body: Uint8Array | null, signal: AbortSignal): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = httpRequest({
      method,
      path: `${this.#url.pathname}${this.#url.search}`,
      headers: { host: this.#place.place.authority, ...headers },
      setHost: false,
      agent: this.#agent,
      signal,
      maxHeaderSize: MCP_LIMITS.headerBytes,
    });
    request.once('error', (error) => reject(signal.aborted ? stopped(signal) : unreachable(error)));
    request.once('response', resolve);
    request.end(body ?? undefined);
    return promise;
  }

  /** null: the stream ended without it. */
  async #answerOf(id: number, response: IncomingMessage, sink: Sink, signal: AbortSignal): Promise<RpcOutcome | null> {
    const status = response.statusCode ?? 0;
    if (status >= 300 && status < 400) {
      response.resume();
      throw new InterlockError('ANSWER_REFUSED', 'the server redirects, which is not followed');
    }
    if (status === 404 && this.#session !== null) this.#lost = true;
    if (isEventStream(response) && status === 200) return this.#stream(response, id, sink, signal);
    const bytes = await whole(response, signal);
    const message = /^application\/json\b/i.test(response.headers['content-type'] ?? '') ? readMessage(bytes) : null;
    if (message?.kind === 'answer' && (message.id === id || (message.id === null && !message.outcome.ok))) return message.outcome;
    if (message?.kind === 'malformed' || status === 200) throw new InterlockError('ANSWER_REFUSED', 'the server’s answer is not one of MCP');
    if (status === 401 || status === 403)
      throw new InterlockError('CREDENTIAL_UNAVAILABLE', `the server refuses the gateway’s credential (HTTP ${status})`);
    return { ok: false, error: { code: -32603, message: `the server answered with HTTP ${status}` } };
  }

  async #stream(response: IncomingMessage, id: number | null, sink: Sink, signal: AbortSignal): Promise<RpcOutcome | null> {
    const reader = new SseReader();
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        const events = id !== null && bytes > MCP_LIMITS.streamBytes ? null : reader.push(chunk);
        if (events === null) throw new InterlockError('ANSWER_REFUSED', 'the server’s answer is too long');
        for (const event of events) {
          const outcome = this.#event(event, id, sink);
          if (outcome !== null) return outcome;
        }
      }
    } catch (error) {
      if (signal.aborted) throw stopped(signal);
      throw error instanceof InterlockError ? error : unreachable(error);
    } finally {
      response.destroy();
    }
    return null;
  }

  #event({ id: eventId, retryMs, data }: ServerEvent, id: number | null, sink: Sink): RpcOutcome | null {
    if (eventId !== null || retryMs !== null) sink.event?.(eventId, retryMs);
    if (data === '') return null;
    const message = readMessage(Buffer.from(data, 'utf8'));
    if (message.kind === 'malformed') throw new InterlockError('ANSWER_REFUSED', 'the server’s message is not one of MCP');
    return this.#message(message, id, sink);
  }

  #message(message: RpcMessage, id: number | null, sink: Sink): RpcOutcome | null {
    switch (message.kind) {
      case 'notification':
        sink.notified(message);
        return null;
      case 'request':
        sink.asked(message);
        return null;
      case 'answer':
        if (id !== null && message.id === id) return message.outcome;
        // an answer to what nobody asked is dropped
        if (message.id !== null) this.#elsewhere.get(message.id)?.(message.outcome);
        return null;
    }
  }
}

const NOTHING = new Uint8Array(0);

function headersOf(headers: Headers): Record<string, string> {
  return Object.fromEntries(headers);
}

function modernHeaders({ method, params, headers }: Outgoing): Record<string, string> {
  const name = nameOf(method, params);
  return { 'mcp-method': method, ...(name === null ? {} : { 'mcp-name': headerValue(name) }), ...Object.fromEntries(headers) };
}

function isEventStream(response: IncomingMessage): boolean {
  return /^text\/event-stream\b/i.test(response.headers['content-type'] ?? '');
}

async function whole(response: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > MCP_LIMITS.answerBytes) throw new InterlockError('ANSWER_REFUSED', 'the server’s answer is too long');
      chunks.push(chunk);
    }
  } catch (error) {
    if (signal.aborted) throw stopped(signal);
    throw error instanceof InterlockError ? error : unreachable(error);
  }
  return Buffer.concat(chunks);
}

/** Where the server is, and why it cannot be reached, is not for clients: that stands in the log, with the cause. */
function unreachable(error: unknown): InterlockError {
  if (error instanceof InterlockError) return new InterlockError(error.code, 'the server cannot be reached', { cause: error });
  const code = (error as NodeJS.ErrnoException).code ?? 'broken connection';
  return new InterlockError('TARGET_UNREACHABLE', `the server cannot be reached (${code})`, { cause: error });
}
