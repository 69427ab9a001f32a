/** Bytes to a server and its answers as bytes: HTTP/1.1 as it may be sent, and not only as clients do. */
import { createConnection } from 'node:net';
import type { Address } from './subject.ts';

export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** It ended as its head said. */
  readonly whole: boolean;
}

export interface Exchanged {
  readonly answers: readonly Answer[];
  readonly received: Buffer;
  /** The server ended the connection. */
  readonly closed: boolean;
  /** It said nothing, or not to the end, for too long. */
  readonly hung: boolean;
}

const HUNG_MS = 5_000;
/** What more may come after an answer: only where more than one request was sent. */
const MORE_MS = 250;

export interface SendOptions {
  /** How the bytes are cut into segments. */
  readonly chunk?: number;
  /** More than one answer may come. */
  readonly several: boolean;
  /** Of HEAD: no body follows, whatever the head says. */
  readonly bodiless: boolean;
}

export function send({ host, port }: Address, bytes: Buffer, { chunk = bytes.length, several, bodiless }: SendOptions): Promise<Exchanged> {
  const { promise, resolve } = Promise.withResolvers<Exchanged>();
  const socket = createConnection({ host, port, noDelay: true });
  const chunks: Buffer[] = [];
  let timer = setTimeout(() => end(false, true), HUNG_MS);
  const end = (closed: boolean, hung: boolean): void => {
    clearTimeout(timer);
    socket.destroy();
    const received = Buffer.concat(chunks);
    resolve({ answers: answersIn(received, closed, bodiless), received, closed, hung });
  };
  socket.on('error', () => end(true, false));
  socket.on('close', () => end(true, false));
  socket.on('data', (data) => {
    chunks.push(data);
    const last = answersIn(Buffer.concat(chunks), false, bodiless).at(-1);
    if (last?.whole !== true || last.status < 200) return;
    clearTimeout(timer);
    if (!several) return end(false, false);
    timer = setTimeout(() => end(false, false), MORE_MS);
  });
  socket.on('connect', () => {
    for (let at = 0; at < bytes.length; at += chunk) socket.write(bytes.subarray(at, at + chunk));
  });
  return promise;
}

/** Each answer in what was received; the last one may not be whole. */
export function answersIn(received: Buffer, closed: boolean, bodiless: boolean): Answer[] {
  const answers: Answer[] = [];
  let rest = received;
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) return answers;
    const [start = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n');
    const headers = lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()] as const);
    const status = Number(start.split(' ')[1]);
    const { body, taken, whole } = bodiless ? NO_BODY : bodyOf(status, headers, rest.subarray(end + 4), closed);
    answers.push({ status, headers, body, whole });
    if (!whole) return answers;
    rest = rest.subarray(end + 4 + taken);
  }
  return answers;
}

export function headerOf(answer: Answer, name: string): string | undefined {
  return answer.headers.find(([one]) => one === name)?.[1];
}

interface Body {
  readonly body: Buffer;
  readonly taken: number;
  readonly whole: boolean;
}

const NO_BODY: Body = { body: Buffer.alloc(0), taken: 0, whole: true };

function bodyOf(status: number, headers: Answer['headers'], rest: Buffer, closed: boolean): Body {
  const value = (name: string): string | undefined => headers.find(([one]) => one === name)?.[1];
  if (status < 200 || status === 204 || status === 304) return { body: Buffer.alloc(0), taken: 0, whole: true };
  if (value('transfer-encoding') === 'chunked') return chunked(rest);
  const length = value('content-length');
  if (length === undefined) return { body: rest, taken: rest.length, whole: closed };
  const bytes = Number(length);
  return { body: rest.subarray(0, bytes), taken: Math.min(bytes, rest.length), whole: rest.length >= bytes };
}

function chunked(rest: Buffer): Body {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const line = rest.indexOf('\r\n', at);
    if (line < 0) return { body: Buffer.concat(pieces), taken: at, whole: false };
    const bytes = Number.parseInt(rest.toString('latin1', at, line), 16);
    const start = line + 2;
    if (!(bytes >= 0) || rest.length < start + bytes + 2) return { body: Buffer.concat([...pieces, rest.subarray(start)]), taken: at, whole: false };
    if (bytes === 0) return { body: Buffer.concat(pieces), taken: start + 2, whole: true };
    pieces.push(rest.subarray(start, start + bytes));
    at = start + bytes + 2;
  }
}
