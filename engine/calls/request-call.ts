/** A request of HTTP, through the gateway's own door for that API. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { InterlockError } from '#schemas/errors';
import { type Answer, type Ask, type CallOptions, type Door, isApproval, tlsOptions } from './parts.ts';

type HttpAsk = Extract<Ask, { kind: 'http' }>;

const PROBLEM = 'application/problem+json';

export async function requestCall(door: Door, ask: HttpAsk, options: CallOptions): Promise<Answer> {
  const response = await send(door, ask, options);
  const media = (response.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const { text, truncated } = await read(response, options.bytesMax);
  const status = response.statusCode ?? 0;
  if (media === PROBLEM && !truncated) {
    const said = refusedBy(text, options);
    if (said !== null) return said;
  }
  return { outcome: 'response', status, media, text, truncated };
}

function send({ target, host, port, tls }: Door, { method, path, headers, body }: HttpAsk, options: CallOptions): Promise<IncomingMessage> {
  const { token, application, held, asksOnly, signal } = options;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const all = {
    ...headers,
    authorization: `Bearer ${token}`,
    'user-agent': application,
    ...(held === 'leave' ? { prefer: 'wait=0' } : {}),
    ...(asksOnly === true ? { 'interlock-ask-only': 'true' } : {}),
    ...(body === null ? {} : { 'content-length': Buffer.byteLength(body) }),
  };
  const secure = tls === null ? {} : tlsOptions(tls);
  const request = prepared(() => (tls === null ? httpRequest : httpsRequest)({ host, port, method, path, headers: all, signal, ...secure }, resolve));
  const unreachable = (why: string, cause?: Error): InterlockError =>
    new InterlockError('NOT_REACHABLE', `target ${target} cannot be reached: ${why}`, { cause });
  request.once('error', (error) => reject(signal.aborted ? error : unreachable(error.message, error)));
  // also where it never answers as one does (a switch of protocols that nobody takes up)
  request.once('close', () => reject(unreachable('the connection ended')));
  request.end(body ?? undefined);
  return promise;
}

/** What cannot be written as a request is the asker's mistake, and no fault of ours. */
function prepared(make: () => ClientRequest): ClientRequest {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new InterlockError('USAGE', `this cannot be sent as a request: ${error.message}`, { cause: error });
  }
}

async function read(response: IncomingMessage, bytesMax: number): Promise<{ readonly text: string; readonly truncated: boolean }> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes > bytesMax) {
      response.destroy();
      break;
    }
  }
  return { text: Buffer.concat(chunks).subarray(0, bytesMax).toString('utf8'), truncated: bytes > bytesMax };
}

/** null: a problem that the API itself told. */
function refusedBy(text: string, { genuine }: CallOptions): Answer | null {
  const problem = parsed(text);
  const of = (key: string): string => (typeof problem[key] === 'string' ? problem[key] : '');
  if (!of('type').startsWith('urn:interlock:')) return null;
  const [code, message, approvalId] = [of('code'), of('detail') || of('title'), of('approval')];
  if (code === 'APPROVAL_PENDING') return isApproval(approvalId, genuine) ? { outcome: 'pending', approvalId, message, hint: of('hint') } : null;
  const detail = ['decision', 'policy', 'code', 'approval'].flatMap((key) => (of(key) === '' ? [] : [`${key}=${of(key)}`])).join(' ');
  return { outcome: 'refused', code, sqlstate: null, message, detail, hint: of('hint') };
}

function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
