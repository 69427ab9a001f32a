/**
 * AWS Signature Version 4 over one request
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html).
 */
import { createHash, createHmac } from 'node:crypto';
import type { Headers } from './headers.ts';

export interface SigningKey {
  readonly accessKeyId: string;
  readonly secret: string;
  readonly region: string;
  readonly service: string;
}

export interface SignedParts {
  readonly method: string;
  /** Path and query, as they leave. */
  readonly target: string;
  /** Those that are signed, with `host` and `x-amz-date`; names in lower case. */
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** The value of `authorization`. */
export function signature(parts: SignedParts, key: SigningKey): string {
  const stamp = parts.headers.find(([name]) => name === 'x-amz-date')?.[1] ?? '';
  const scope = `${stamp.slice(0, 8)}/${key.region}/${key.service}/aws4_request`;
  const { text, signed } = canonicalRequest(parts, key.service);
  const toSign = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${sha256(text)}`;
  const dated = hmac(`AWS4${key.secret}`, stamp.slice(0, 8));
  const signing = hmac(hmac(hmac(dated, key.region), key.service), 'aws4_request');
  return `AWS4-HMAC-SHA256 Credential=${key.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${hmac(signing, toSign).toString('hex')}`;
}

/** `20150830T123600Z` */
export function amzDate(wallUs: number): string {
  return new Date(Math.floor(wallUs / 1000)).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function canonicalRequest({ method, target, headers, body }: SignedParts, service: string): { readonly text: string; readonly signed: string } {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const values = new Map<string, string>();
  for (const [name, value] of headers) {
    const trimmed = value.trim().replace(/ +/g, ' ');
    const before = values.get(name);
    values.set(name, before === undefined ? trimmed : `${before},${trimmed}`);
  }
  const names = [...values.keys()].toSorted(byCode);
  const signed = names.join(';');
  const lines = names.map((name) => `${name}:${values.get(name) ?? ''}\n`).join('');
  // S3 takes the path as it is; all others encode it once more
  const uri = service === 's3' ? path : path.split('/').map(encoded).join('/');
  const query = mark < 0 ? '' : canonicalQuery(target.slice(mark + 1));
  return { text: `${method}\n${uri}\n${query}\n${lines}\n${signed}\n${sha256(body)}`, signed };
}

function canonicalQuery(query: string): string {
  const pairs = query.split('&').flatMap((pair) => {
    if (pair === '') return [];
    const at = pair.indexOf('=');
    return [[once(at < 0 ? pair : pair.slice(0, at)), at < 0 ? '' : once(pair.slice(at + 1))] as const];
  });
  return pairs
    .toSorted(([a, x], [b, y]) => byCode(a, b) || byCode(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** Decoded, and encoded the one way that AWS knows. A plus is a plus to it. */
function once(text: string): string {
  return encoded(decodeURIComponent(text));
}

function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function byCode(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
