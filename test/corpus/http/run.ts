/** One run of a case: what is sent, and what the upstream and the client saw of it. */
import type { HttpCase, OriginResponse } from './case.ts';
import type { HttpSubject } from './subject.ts';
import type { Upstream } from './upstream.ts';
import { send, type Answer, type Exchanged } from './wire.ts';
import { sendHttp2 } from './wire-h2.ts';

export interface HttpRun {
  readonly case: HttpCase;
  readonly mutation: string | null;
  /** HTTP/1.1 as it goes out, without the token. */
  readonly bytes: Buffer;
  readonly chunk?: number;
  /** What the upstream answers; null: what its API answers. */
  readonly answer: OriginResponse | null;
}

export interface HttpSeen {
  readonly answer: Answer | null;
  readonly received: Buffer;
  /** Every byte that reached the upstream. */
  readonly reached: Buffer;
  readonly closed: boolean;
  readonly hung: boolean;
  readonly ms: number;
}

/** null: this kind is not run over HTTP. */
export function plainRun(record: HttpCase): HttpRun | null {
  const { payload } = record;
  const run = (bytes: string | Buffer, answer: OriginResponse | null = null): HttpRun => ({
    case: record,
    mutation: null,
    bytes: Buffer.from(bytes),
    answer,
  });
  switch (payload.kind) {
    case 'raw':
      return run(payload.bytes);
    case 'exchange': {
      const upgrades = payload.answer.websocket_fragments !== undefined;
      const headers = upgrades ? WEBSOCKET : {};
      const [method = 'GET', path = '/'] = payload.request.split(' ');
      return run(request(method, path, headers, null), payload.answer);
    }
    case 'url':
      return run(request('GET', payload.url, {}, null));
    case 'graphql': {
      const [method = 'GET', path = '/graphql'] = payload.request?.split(' ') ?? [];
      if (payload.request !== null) return run(request(method, path, {}, null));
      return run(request('POST', '/graphql', { 'Content-Type': 'application/json' }, Buffer.from(JSON.stringify(payload.json))));
    }
    case 'request': {
      const { body } = payload;
      const bytes = body === undefined ? null : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
      const typed =
        bytes === null || 'Content-Type' in payload.headers ? payload.headers : { ...payload.headers, 'Content-Type': 'application/json' };
      return run(request(payload.method, payload.path, typed, bytes));
    }
    case 'h2':
      return run('');
    case 'mcp':
      return null;
  }
}

const WEBSOCKET = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
} as const;

function request(method: string, target: string, headers: Readonly<Record<string, string>>, body: Buffer | null): Buffer {
  const lines = Object.entries({ Host: 'api.internal', ...headers, ...(body !== null && { 'Content-Length': String(body.length) }) });
  const head = `${method} ${target} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]);
}

export async function perform(run: HttpRun, subject: HttpSubject, upstream: Upstream): Promise<HttpSeen> {
  const started = performance.now();
  upstream.answer = run.answer;
  upstream.forget();
  const { payload } = run.case;
  const exchanged = payload.kind === 'h2' ? await sendHttp2(payload.headers, subject) : await overHttp1(run, subject);
  return {
    answer: exchanged.answers.findLast(({ status }) => status >= 200) ?? null,
    received: exchanged.received,
    reached: upstream.reached(),
    closed: exchanged.closed,
    hung: exchanged.hung,
    ms: performance.now() - started,
  };
}

function overHttp1({ bytes, chunk, case: { payload } }: HttpRun, subject: HttpSubject): Promise<Exchanged> {
  const several = bytes.indexOf(' HTTP/1.1', bytes.indexOf(' HTTP/1.1') + 1) >= 0;
  return send(payload.kind === 'request' ? subject.unknown : subject.plain, withToken(bytes, subject.token), {
    several,
    bodiless: bytes.toString('latin1', 0, 5) === 'HEAD ',
    ...(chunk !== undefined && { chunk }),
  });
}

/** Behind the first line, so that nothing of what the case is about is another; a case that signs in itself does so alone. */
function withToken(bytes: Buffer, token: string | null): Buffer {
  const line = bytes.indexOf('\n');
  if (token === null || line < 0 || /^authorization:/im.test(bytes.toString('latin1'))) return bytes;
  const end = bytes[line - 1] === 0x0d ? '\r\n' : '\n';
  return Buffer.concat([bytes.subarray(0, line + 1), Buffer.from(`Authorization: Bearer ${token}${end}`), bytes.subarray(line + 1)]);
}
