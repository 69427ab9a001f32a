/** One form to an authority, over a connection of its own to where it really is. */
import { request } from 'node:http';
import { SERVICE_LIMITS } from './limits.ts';
import type { Place } from './place.ts';

/** Rejects with words that hold nothing of what was sent. */
export async function postForm(
  place: Place,
  form: URLSearchParams,
  authorization: string,
): Promise<{ readonly status: number; readonly body: Buffer }> {
  const body = Buffer.from(form.toString(), 'utf8');
  const socket = await place.connect();
  const late = AbortSignal.timeout(SERVICE_LIMITS.tokenMs);
  const { promise, resolve, reject } = Promise.withResolvers<{ readonly status: number; readonly body: Buffer }>();
  const headers = {
    host: place.authority,
    authorization,
    accept: 'application/json',
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(body.length),
    connection: 'close',
  };
  const path = place.prefix === '' ? '/' : place.prefix;
  // the connection stands, with TLS where it has to be: what goes over it is plain HTTP
  const asked = request({
    createConnection: () => socket,
    method: 'POST',
    path,
    headers,
    setHost: false,
    maxHeaderSize: SERVICE_LIMITS.tokenHeadBytes,
  });
  const failed = (why: string): void => {
    reject(new Error(why));
    socket.destroy();
  };
  late.addEventListener('abort', () => failed(`it did not answer within ${SERVICE_LIMITS.tokenMs} ms`), { once: true });
  asked.once('error', () => failed('it broke the connection'));
  asked.once('response', (answer) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    answer.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > SERVICE_LIMITS.tokenAnswerBytes) return failed('its answer is too long');
      parts.push(part);
    });
    answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts) }));
    answer.once('close', () => failed('it broke the connection'));
  });
  asked.end(body);
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
