/** The texts that go into a policy and come out of it. */
import { canonical } from './canonical.ts';
import { type PackageAnswer, readAnswers, type Slot } from './policy-result.ts';

const RESULT_LENGTH_MAX = 1024 * 1024;

/** What opa_eval wrote: exactly one result, which is one array. `[]` is undefined, and a refusal (M4). */
export function answersOf(text: string, slots: readonly Slot[], shadow: boolean): readonly PackageAnswer[] | string {
  if (text.length > RESULT_LENGTH_MAX) return `the answer is longer than ${RESULT_LENGTH_MAX}`;
  let results: unknown;
  try {
    results = JSON.parse(text);
  } catch {
    return 'the answer is not JSON';
  }
  if (!Array.isArray(results) || results.length !== 1) return 'the answer is not exactly one document';
  return readAnswers((results[0] as { result?: unknown }).result, slots, shadow);
}

/** JSON.stringify escapes lone surrogates; most texts have no escape at all. */
export function mayBeIllFormed(json: string): boolean {
  return json.includes('\\ud');
}

export function wellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (value === null || typeof value !== 'object') return true;
  return Object.entries(value).every(([key, item]) => key.isWellFormed() && wellFormed(item));
}

/** Sets come out in hash order. */
export function orderless(json: string): string {
  const sort = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(sort).sort((a, b) => (canonical(a) < canonical(b) ? -1 : 1))
      : value !== null && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sort(item)]))
        : value;
  return canonical(sort(JSON.parse(json)));
}
