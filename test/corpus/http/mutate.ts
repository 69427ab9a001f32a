/** Mutants of a run: the same meaning in another spelling, other segments, other framing. Seeded. */
import { isUtf8 } from 'node:buffer';
import { Random, seedOf } from '#test/support/random';
import type { OriginResponse } from './case.ts';
import { respelled } from './json-spelling.ts';
import type { HttpRun } from './run.ts';

/** null: it does not apply. */
type Mutation = (run: HttpRun, random: Random) => HttpRun | null;

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  segments: (run, random) => (run.bytes.length === 0 ? null : { ...run, chunk: 1 + random.below(9) }),
  order: (run, random) => withHead(run, (head) => ({ ...head, headers: shuffled(head.headers, random) })),
  case: (run, random) => withHead(run, (head) => ({ ...head, headers: head.headers.map(([name, value]) => [flipped(name, random), value]) })),
  blanks: (run, random) =>
    withHead(run, (head) => ({ ...head, headers: head.headers.map(([name, value]) => [name, EXACT.test(name) ? value : blanks(value, random)]) })),
  path: (run, random) =>
    run.case.expected === 'must-allow' ? null : withHead(run, (head) => ({ ...head, target: pathEncoded(head.target, random) })),
  query: (run, random) => withHead(run, (head) => ({ ...head, target: queryEncoded(head.target, random) })),
  chunked: (run, random) =>
    withBody(run, (head, body) => (body.length === 0 ? null : [{ ...head, headers: asChunked(head.headers) }, inChunks(body, random)])),
  json: (run, random) => withBody(run, (head, body) => reworded(head, body, random)),
  graphql: (run, random) => withBody(run, (head, body) => (run.case.payload.kind === 'graphql' ? regraphed(head, body, random) : null)),
  answer: (run, random) => (run.answer === null ? null : { ...run, answer: answered(run.answer, random) }),
};

/** Where blanks around a value would be another case. */
const EXACT = /^(?:host|content-length|transfer-encoding|authorization)$/i;

/** `count` different mutants, fewer where fewer apply. */
export function mutants(run: HttpRun, count: number, seed: number): HttpRun[] {
  const found: HttpRun[] = [];
  const seen = new Set([printed(run)]);
  for (let attempt = 0; found.length < count && attempt < count * 6; attempt++) {
    const random = new Random(seedOf(seed, run.case.id, attempt));
    const names = [...new Set(Array.from({ length: 1 + random.below(3) }, () => random.pick(Object.keys(MUTATIONS))))].toSorted(order);
    const used: string[] = [];
    const mutant = names.reduce((current, name) => {
      const next = (MUTATIONS[name] as Mutation)(current, random);
      if (next === null || printed(next) === printed(current)) return current;
      used.push(name);
      return next;
    }, run);
    if (used.length === 0 || seen.has(printed(mutant))) continue;
    seen.add(printed(mutant));
    found.push({ ...mutant, mutation: `${used.join('+')}:${attempt}` });
  }
  return found;
}

const printed = ({ bytes, chunk, answer }: HttpRun): string => JSON.stringify([bytes.toString('latin1'), chunk, answer]);

/** What changes a body before what frames it. */
const order = (a: string, b: string): number => rank(a) - rank(b);
const rank = (name: string): number => ['graphql', 'json', 'answer', 'chunked'].indexOf(name) + 1 || 9;

interface Head {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** Of a well-formed request alone: malformed ones are what their case is about. */
function parse({ bytes }: HttpRun): { head: Head; body: Buffer } | null {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const [start = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n');
  const [, method, target] = /^([A-Z]+) (\S+) HTTP\/1\.1$/.exec(start) ?? [];
  const headers = lines.map((line) => /^([A-Za-z0-9_-]+): ([ -~]*)$/.exec(line));
  if (method === undefined || target === undefined || headers.includes(null)) return null;
  const pairs = headers.map((match) => [match?.[1] ?? '', match?.[2] ?? ''] as const);
  const lengths = pairs.filter(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
  const body = bytes.subarray(end + 4);
  if (lengths.length > 1 || (body.length > 0 && lengths[0]?.[1] !== String(body.length))) return null;
  return { head: { method, target, headers: pairs }, body };
}

function withHead(run: HttpRun, change: (head: Head) => Head): HttpRun | null {
  return withBody(run, (head, body) => [change(head), body]);
}

function withBody(run: HttpRun, change: (head: Head, body: Buffer) => readonly [Head, Buffer] | null): HttpRun | null {
  const parsed = parse(run);
  const changed = parsed && change(parsed.head, parsed.body);
  if (!changed) return null;
  const [{ method, target, headers }, body] = changed;
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return { ...run, bytes: Buffer.concat([Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n`, 'latin1'), body]) };
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((one) => [random.next(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one);
}

function flipped(name: string, random: Random): string {
  return Array.from(name)
    .map((letter) => (random.chance(0.5) ? letter.toUpperCase() : letter.toLowerCase()))
    .join('');
}

function blanks(value: string, random: Random): string {
  return `${random.pick(['', ' ', '\t'])}${value}${random.pick(['', ' ', '\t '])}`;
}

const percent = (letter: string, random: Random): string => {
  const hex = letter.charCodeAt(0).toString(16).padStart(2, '0');
  return `%${random.chance(0.5) ? hex : hex.toUpperCase()}`;
};

function pathEncoded(target: string, random: Random): string {
  const [path = '', ...query] = target.split('?');
  const letters = [...path.matchAll(/[A-Za-z]/g)].map(({ index }) => index);
  if (letters.length === 0) return target;
  const at = random.pick(letters);
  return [`${path.slice(0, at)}${percent(path[at] as string, random)}${path.slice(at + 1)}`, ...query].join('?');
}

function queryEncoded(target: string, random: Random): string {
  const [path = '', ...rest] = target.split('?');
  if (rest.length === 0) return target;
  const query = rest
    .join('?')
    .replaceAll(/%[0-9A-Fa-f]{2}|[A-Za-z/(){}:,]/g, (letter) => (letter.length === 1 && random.chance(0.3) ? percent(letter, random) : letter));
  return `${path}?${query}`;
}

function asChunked(headers: Head['headers']): Head['headers'] {
  return [...headers.filter(([name]) => !/^content-length$/i.test(name)), ['Transfer-Encoding', 'chunked']];
}

function inChunks(body: Buffer, random: Random): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const bytes = Math.min(1 + random.below(12), body.length - at);
    pieces.push(Buffer.from(`${bytes.toString(16)}\r\n`), body.subarray(at, at + bytes), Buffer.from('\r\n'));
    at += bytes;
  }
  return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
}

function reworded(head: Head, body: Buffer, random: Random): readonly [Head, Buffer] | null {
  if (!head.headers.some(([name, value]) => /^content-type$/i.test(name) && /^application\/json$/i.test(value))) return null;
  if (!isUtf8(body)) return null; // it would be another text afterwards
  const text = respelled(body.toString('utf8'), random);
  return text === null ? null : sized(head, Buffer.from(text));
}

function sized(head: Head, body: Buffer): readonly [Head, Buffer] {
  return [{ ...head, headers: head.headers.map(([name, value]) => [name, /^content-length$/i.test(name) ? String(body.length) : value]) }, body];
}

/** Blanks, commas and comments between the tokens of an operation, as its grammar lets them stand anywhere. */
function regraphed(head: Head, body: Buffer, random: Random): readonly [Head, Buffer] | null {
  if (body.length === 0) return null;
  const call = JSON.parse(body.toString('utf8')) as { query?: string };
  if (typeof call.query !== 'string') return null;
  const gap = (): string => random.pick(['', ' ', '\n', ',', ' # a comment { }\n', '\t']);
  const query = call.query.replaceAll(/"(?:[^"\\]|\\.)*"|#[^\n]*|[{}():]/g, (token) => (token.length > 1 ? token : `${gap()}${token}${gap()}`));
  return sized(head, Buffer.from(JSON.stringify({ ...call, query })));
}

function answered(answer: OriginResponse, random: Random): OriginResponse {
  const { body, headers = {} } = answer;
  if (body === undefined || headers['content-type'] !== 'application/json') return answer;
  const spelled = respelled(body, random) ?? body;
  const wrapped = answer.status === undefined && random.chance(0.5) && headers['content-length'] === undefined ? `{"data":[${spelled}]}` : spelled;
  if (headers['content-length'] !== undefined)
    return { ...answer, headers: { ...headers, 'content-length': String(Buffer.byteLength(wrapped)) }, body: wrapped };
  const cut = 1 + random.below(Math.max(1, wrapped.length - 1));
  const { body: _, ...rest } = answer;
  return { ...rest, chunks: [wrapped.slice(0, cut), wrapped.slice(cut)] };
}
