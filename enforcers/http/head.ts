/**
 * Heads of HTTP/1.1 messages, read strictly: what two readers could take for two things is none (RFC 9112 §2.2, §3, §5; SECURITY H1).
 *
 *     start-line CRLF *( field-name ":" OWS field-value OWS CRLF ) CRLF
 */
import type { HeaderList } from './answer.ts';

export class Malformed extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface RequestHead {
  readonly version: '1.1' | '2';
  readonly method: string;
  /** As the client sent it. */
  readonly target: string;
  /** Of Host, or `:authority`. */
  readonly authority: string;
  /** All of them, names in lower case, in order. */
  readonly headers: HeaderList;
}

export interface StatusHead {
  readonly status: number;
  /** The connection may be used again: HTTP/1.1, and no `connection: close`. */
  readonly keepsAlive: boolean;
  readonly headers: HeaderList;
}

const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([!-~]+) HTTP\/(\d\.\d)$/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t -~\x80-\xff]*)?$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*$/;
/** Fields that say where a message ends and for whom it is: written as everybody writes them, or not at all. */
const EXACT = /^(?:host|content-length|transfer-encoding|authorization):(?: (?=[!-~])|(?=[!-~]))[ -~]*[!-~]$/i;
const FRAMING = /^(?:host|content-length|transfer-encoding|authorization)[^!#$%&'*+.^_`|~0-9A-Za-z-]/i;

/** `text`: without the empty line at its end; one character a byte. @throws Malformed */
export function readRequestHead(text: string, headersMax: number): RequestHead {
  const { line, fields } = split(text);
  const asked = readRequestLine(line);
  const { list, authority } = readRequestFields(fields, headersMax);
  return { ...asked, authority, headers: list };
}

/** @throws Malformed */
export function readRequestLine(line: string): Pick<RequestHead, 'version' | 'method' | 'target'> {
  const [, method, target, version] = REQUEST_LINE.exec(line) ?? [];
  if (method === undefined || target === undefined) throw new Malformed(400, 'the request line is malformed');
  if (version !== '1.1') throw new Malformed(505, `HTTP/${version} is not spoken here`);
  return { version: '1.1', method, target };
}

export interface RequestFields {
  readonly list: HeaderList;
  readonly authority: string;
}

/** All that follows the request line, without the empty line at its end. @throws Malformed */
export function readRequestFields(text: string | null, headersMax: number): RequestFields {
  const list = readFields(text, headersMax, true);
  return { list, authority: onlyValue(list, 'host') ?? '' };
}

/** @throws Malformed */
export function readStatusHead(text: string, headersMax: number): StatusHead {
  const { line, fields } = split(text);
  const [, minor, status] = STATUS_LINE.exec(line) ?? [];
  if (status === undefined) throw new Malformed(502, 'the status line is malformed');
  const headers = readFields(fields, headersMax, false);
  const closes = headers.some(([name, value]) => name === 'connection' && /(^|,)[ \t]*close[ \t]*(,|$)/i.test(value));
  return { status: Number(status), keepsAlive: minor === '1' && !closes, headers };
}

/** `fields`: null: there are none. */
function split(text: string): { readonly line: string; readonly fields: string | null } {
  const end = text.indexOf('\r\n');
  return end < 0 ? { line: text, fields: null } : { line: text.slice(0, end), fields: text.slice(end + 2) };
}

function readFields(text: string | null, max: number, strict: boolean): HeaderList {
  if (text === null) return [];
  const lines = text.split('\r\n');
  if (lines.length > max) throw new Malformed(431, `more than ${max} headers`);
  return lines.map((line) => {
    const [, name, value] = FIELD.exec(line) ?? [];
    if (name === undefined || value === undefined || (strict && FRAMING.test(line) && !EXACT.test(line)))
      throw new Malformed(400, malformedField(line));
    return [name.toLowerCase(), value] as const;
  });
}

/** An agent that found no token sends `Authorization: Bearer ` with nothing behind it: it should read which header that is. */
function malformedField(line: string): string {
  const [name] = /^[a-z][a-z0-9-]{0,63}(?=:)/i.exec(line) ?? [];
  if (name === undefined) return 'a header is malformed';
  return `the header ${name.toLowerCase()} is malformed${/[ \t]$/.test(line) ? ': it ends with a blank, as if a value were missing' : ''}`;
}

/** What is said twice could be read as either. */
export const ONCE: readonly string[] = ['authorization', 'content-type', 'content-encoding', 'upgrade'];

/** undefined: not there. @throws Malformed when it stands there more than once. */
export function onlyValue(headers: HeaderList, name: string): string | undefined {
  let found: string | undefined;
  for (const [one, value] of headers) {
    if (one !== name) continue;
    if (found !== undefined) throw new Malformed(400, `${name} stands there twice`);
    found = value;
  }
  return found;
}

/** How the end of a body is found. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

const NONE: Framing = { kind: 'none' };

/** One of the two, said once, or nothing: then there is none (requests) or it ends with the connection (answers). @throws Malformed */
export function framingOf(headers: HeaderList, otherwise: 'none' | 'close'): Framing {
  const length = onlyValue(headers, 'content-length');
  const coding = onlyValue(headers, 'transfer-encoding');
  if (coding !== undefined) {
    if (length !== undefined) throw new Malformed(400, 'content-length and transfer-encoding together');
    if (coding.toLowerCase() !== 'chunked') throw new Malformed(400, 'a transfer-encoding other than chunked');
    return { kind: 'chunked' };
  }
  if (length === undefined) return otherwise === 'none' ? NONE : { kind: 'close' };
  if (!/^[0-9]{1,15}$/.test(length)) throw new Malformed(400, 'content-length is malformed');
  return length === '0' || Number(length) === 0 ? NONE : { kind: 'length', bytes: Number(length) };
}

const AUTHORITY = /^(?:[A-Za-z0-9._~-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?$/;

/** @throws Malformed: no user, and no second port. */
export function checkAuthority(authority: string): void {
  if (!AUTHORITY.test(authority)) throw new Malformed(400, 'host is malformed');
}

const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Servers do not agree on what a body of these is (CL.0). @throws Malformed */
export function checkBodiless(method: string, framing: Framing): void {
  if (framing.kind !== 'none' && BODILESS.has(method)) throw new Malformed(400, `${method} with a body`);
}
