/**
 * An HTTP request as it is judged, recorded and sent: start line, headers in lower case, blank line, body. It is what leaves for the target,
 * without the credential that is added on the way, the framing, and the incidental headers (ADR 25).
 */
export interface HttpMessage {
  readonly method: string;
  /** Origin form: path and query, byte for byte as they leave. */
  readonly target: string;
  /** Names in lower case, in the order in which they leave. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** Headers that say nothing of what is asked for, and differ from one try to the next: they pass beside what is judged. */
export const HTTP_INCIDENTAL: ReadonlySet<string> = new Set([
  'accept-encoding',
  'accept-language',
  'cache-control',
  'dnt',
  'pragma',
  'priority',
  'sec-ch-ua',
  'sec-ch-ua-mobile',
  'sec-ch-ua-platform',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'sec-fetch-user',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-correlation-id',
  'x-request-id',
]);

export function writeHttpMessage({ method, target, headers, body }: HttpMessage): Uint8Array {
  const start = Buffer.from(httpMessageHead(method, target, headerLines(headers)), 'latin1');
  return body.length === 0 ? start : Buffer.concat([start, body]);
}

/** All in front of the body, one character a byte. @param lines of `headerLines` */
export function httpMessageHead(method: string, target: string, lines: string): string {
  return `${method} ${target}\r\n${lines}\r\n`;
}

/** `name: value` and a line end, for each. */
export function headerLines(headers: HttpMessage['headers']): string {
  let lines = '';
  for (const [name, value] of headers) lines += `${name}: ${value}\r\n`;
  return lines;
}

/** null: not one that `writeHttpMessage` makes. The body is not copied. */
export function readHttpMessage(bytes: Uint8Array): HttpMessage | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf('\r\n\r\n', 0, 'latin1');
  const lone = buffer.indexOf('\r\n', 0, 'latin1');
  if (end < 0) return null;
  const [start = '', ...lines] = buffer.toString('latin1', 0, end).split('\r\n');
  const space = start.indexOf(' ');
  if (space < 1 || lone < 0) return null;
  const headers: [string, string][] = [];
  for (const line of lines) {
    const colon = line.indexOf(': ');
    if (colon < 1) return null;
    headers.push([line.slice(0, colon), line.slice(colon + 2)]);
  }
  return { method: start.slice(0, space), target: start.slice(space + 1), headers, body: bytes.subarray(end + 4) };
}
