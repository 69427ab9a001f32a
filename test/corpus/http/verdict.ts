/** What became of a run, and whether it passed (SECURITY §2.2, SURFACE). */
import { gunzipSync } from 'node:zlib';
import type { By, Outcome, Verdict } from '../verdict.ts';
import { CREDENTIAL } from './subject.ts';
import type { HttpRun, HttpSeen } from './run.ts';
import { headerOf, type Answer } from './wire.ts';

export interface HttpVerdict extends Verdict {
  /** Of the answer; null: there was none. */
  readonly status: number | null;
  /** It ran, without what the case is about. */
  readonly neutralised: boolean;
}

export interface HttpOutcome {
  readonly outcome: Outcome;
  readonly codes: readonly string[];
  readonly by: By;
  readonly message: string | null;
}

export function outcomeOf({ answer, reached, hung }: HttpSeen): HttpOutcome {
  const got = reached.length > 0;
  if (hung) return { outcome: got ? 'error' : 'refused', codes: [], by: got ? null : 'fault', message: 'no answer in time' };
  if (answer === null) return { outcome: got ? 'error' : 'refused', codes: [], by: got ? 'target' : 'fault', message: 'the connection ended' };
  const problem = problemOf(answer);
  if (problem === null) return { outcome: 'allowed', codes: [], by: null, message: `status ${answer.status}` };
  const { code, decision, approval, detail } = problem;
  const seen = { codes: [code], message: detail ?? null };
  if (approval !== undefined) return { ...seen, outcome: 'approval', by: 'approval' };
  if (decision !== undefined) return { ...seen, outcome: 'denied', by: 'policy' };
  if (code === 'UNSUPPORTED') return { ...seen, outcome: 'unsupported', by: 'support' };
  return { ...seen, outcome: 'refused', by: 'fault' };
}

interface ProblemSaid {
  readonly code: string;
  readonly decision?: string;
  readonly approval?: string;
  readonly detail?: string;
}

/** Of the gateway's own, which always has a code. */
function problemOf(answer: Answer): ProblemSaid | null {
  if (headerOf(answer, 'content-type') !== 'application/problem+json') return null;
  try {
    const said = JSON.parse(answer.body.toString('utf8')) as Partial<ProblemSaid>;
    return said.code === undefined ? null : (said as ProblemSaid);
  } catch {
    return null;
  }
}

/** Cases about what stands beside a request that may run: passed, too, if it ran without that. */
const BESIDE: ReadonlySet<string> = new Set(['identity_spoof', 'request_smuggling']);

export type Judgement = { readonly passed: true; readonly neutralised: boolean } | { readonly passed: false };

export function judge(run: HttpRun, seen: HttpSeen, found: { readonly leaks: readonly string[]; readonly differs: string | null }): Judgement {
  const { outcome } = outcomeOf(seen);
  if (found.leaks.length > 0) return { passed: false };
  switch (run.case.expected) {
    case 'must-allow':
      return found.differs === null ? { passed: true, neutralised: false } : { passed: false };
    case 'must-mask':
      return outcome === 'error' ? { passed: false } : { passed: true, neutralised: false };
    case 'must-not-allow': {
      if (seen.reached.length === 0) return outcome === 'error' ? { passed: false } : { passed: true, neutralised: false };
      const neutralised = BESIDE.has(run.case.intent) && !carries(run, seen.reached);
      return neutralised ? { passed: true, neutralised } : { passed: false };
    }
  }
}

/** Whether what the case is about reached the upstream: the other request, its body, or a header that is not one of everybody's. */
function carries({ bytes, case: { payload } }: HttpRun, reached: Buffer): boolean {
  const text = payload.kind === 'h2' ? asText(payload.headers) : bytes.toString('latin1');
  // what the gateway says of the client itself, once
  const got = reached.toString('latin1').toLowerCase().replaceAll(OWN_WORDS, '');
  const end = text.search(/\r?\n\r?\n/);
  const body = end < 0 ? '' : text.slice(end).trim();
  const markers = headerLines(text.slice(0, end < 0 ? undefined : end)).flatMap(([name, value]) =>
    EVERYBODYS.has(name) ? [] : [`${name}: ${value}`, value],
  );
  if (got.includes('/admin') || got.includes('evil')) return true;
  // one request alone, and nothing behind what its head says
  if ((got.match(/ http\/1\.1\r\n/g) ?? []).length > 1) return true;
  return [...markers, ...(body === '' ? [] : [body])].some((marker) => marker.length > 3 && got.includes(marker.toLowerCase()));
}

const OWN_WORDS = /host: 127\.0\.0\.1:\d+\r\n|x-forwarded-for: 127\.0\.0\.1\r\nx-forwarded-proto: https?\r\n/g;

function asText(headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).flatMap(([name, value]) => (name.startsWith(':') ? [] : [`${name}: ${value}`]));
  return `GET / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

const EVERYBODYS: ReadonlySet<string> = new Set(['host', 'content-length', 'content-type', 'transfer-encoding', 'connection', 'expect', 'accept']);

function headerLines(head: string): (readonly [string, string])[] {
  return head
    .split(/\r?\n/)
    .slice(1)
    .flatMap((line) => {
      const colon = line.indexOf(':');
      return colon < 1 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const];
    });
}

/** Canaries in what the client received: as bytes, unpacked, unescaped, decoded, and as digits alone; and the gateway's own secrets. */
export function leaksIn({ case: { leaks, expected } }: HttpRun, { received, reached, answer }: HttpSeen, token: string | null): string[] {
  const texts = expected === 'must-allow' ? [] : leaks;
  const seen = [received.toString('latin1'), ...(answer === null ? [] : forms(answer.body))].join('\n');
  const digits = seen.replaceAll(/[\s-]/g, '');
  const found = texts.filter(
    (text) => text !== '' && (seen.includes(text) || (/^[\d-]{9,}$/.test(text) && digits.includes(text.replaceAll('-', '')))),
  );
  if (received.includes(CREDENTIAL)) found.push('the credential of the upstream');
  if (token !== null && reached.includes(token)) found.push('the token, at the upstream');
  return found;
}

function forms(body: Buffer): string[] {
  const text = body.toString('utf8');
  const unpacked = unpack(body);
  const unescaped = text.replaceAll(/\\u([0-9a-fA-F]{4})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  const decoded = [...text.matchAll(/[A-Za-z0-9+/_-]{12,}={0,2}/g)].map(([part]) => Buffer.from(part, 'base64').toString('latin1'));
  return [text, unescaped, unescaped.replaceAll('\\', ''), ...decoded, ...(unpacked === null ? [] : [unpacked])];
}

function unpack(body: Buffer): string | null {
  try {
    return gunzipSync(body).toString('utf8');
  } catch {
    return null; // not packed
  }
}

/** must-allow: how the answer differs from the one without the gateway; null: it does not. */
export function difference(seen: HttpSeen, direct: HttpSeen): string | null {
  const [one, other] = [seen.answer, direct.answer];
  if (one === null || other === null) return one === other ? null : 'no answer';
  if (one.status !== other.status) return `status ${one.status} instead of ${other.status}`;
  if (headerOf(one, 'content-type') !== headerOf(other, 'content-type')) return 'another content type';
  return one.body.equals(other.body) ? null : 'another body';
}
