/** Answers of a target on their way through masks, for tests: a document in pieces of some size, and what of it is sent. */
import { expect } from 'vitest';
import type { AnswerHead, HeaderList } from '#enforcers/http/answer';
import { answering } from '#enforcers/http/response/answering';
import type { Mask, Obligation } from '#schemas/decision';
import type { HttpFacts, ResponseField } from '#schemas/http-facts';

export const CANARY = '123-45-6789';
export const SSN: Record<string, Mask> = { '$..ssn': { using: 'redact' } };

export function facts(output?: readonly ResponseField[], method = 'GET'): HttpFacts {
  return {
    dialect: 'http',
    parsed: true,
    method,
    path: '/api/customers/1',
    segments: ['api', 'customers', '1'],
    operation: null,
    params: {},
    query: {},
    headers: {},
    body: { kind: 'none', media: '', bytes: 0, keys: [] },
    ...(output && { output: [...output] }),
    effects: [],
    opaque: [],
  };
}

export const obligations = (paths: Record<string, Mask>, columns: Record<string, Mask> = {}): readonly Obligation[] => [
  { id: 'm', type: 'mask', properties: { columns, paths, detectors: [] } },
];

export type Open = ReturnType<typeof answering>;
type Planned = Exclude<ReturnType<Exclude<Open, { refused: true }>['head']>, { refused: true }>;

export function mask(paths: Record<string, Mask>, columns: Record<string, Mask> = {}, output?: readonly ResponseField[], method = 'GET'): Open {
  return answering({ facts: facts(output, method), obligations: obligations(paths, columns) });
}

export function opened(open: Open): Exclude<Open, { refused: true }> {
  if ('refused' in open) throw new Error(open.message);
  return open;
}

export const answer = (status: number, headers: HeaderList): AnswerHead => ({ status, headers, bodiless: false });
export const json = (): AnswerHead => answer(200, [['content-type', 'application/json']]);

export function planned(open: Open, head: AnswerHead): Planned {
  const plan = opened(open).head(head);
  if ('refused' in plan) throw new Error(plan.message);
  return plan;
}

export function run(open: Open, document: string | Buffer, size: number, head: AnswerHead = json()): { text: string; refused: unknown } {
  const { body } = planned(open, head);
  const bytes = Buffer.from(document);
  const out: Uint8Array[] = [];
  const text = (): string => Buffer.concat(out).toString('utf8');
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, at + size));
    const passed = body === null ? [Buffer.from(piece)] : body.push(piece);
    piece.fill(0); // it is not the body's to keep
    if ('refused' in passed) return { text: text(), refused: passed };
    out.push(...passed);
  }
  const last = body?.end() ?? [];
  if ('refused' in last) return { text: text(), refused: last };
  out.push(...last);
  return { text: text(), refused: null };
}

export function sent(open: Open, document: string | Buffer, size: number = 1 << 20, head: AnswerHead = json()): string {
  const { text, refused } = run(open, document, size, head);
  expect(refused).toBeNull();
  return text;
}

export function bytesOf(out: unknown): string {
  return Buffer.concat((out ?? []) as readonly Uint8Array[]).toString('utf8');
}
