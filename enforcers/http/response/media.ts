/** What kind of body an answer has, by what the target says: only these kinds can be masked. */
export type AnswerKind = 'json' | 'lines' | 'events';

export type Encoding = 'identity' | 'gzip' | 'deflate' | 'br';

const LINES: ReadonlySet<string> = new Set([
  'application/x-ndjson',
  'application/ndjson',
  'application/jsonl',
  'application/jsonlines',
  'application/x-jsonlines',
  'application/json-lines',
]);

/** null: it cannot be masked. */
export function kindOf(contentType: readonly string[]): AnswerKind | null {
  return contentType.length === 1 ? (USUAL.get(contentType[0] as string) ?? kindOfOne(contentType[0] as string)) : null;
}

/** As nearly every answer says it: found without being taken apart. */
const USUAL: ReadonlyMap<string, AnswerKind> = new Map([
  ['application/json', 'json'],
  ['application/json; charset=utf-8', 'json'],
]);

function kindOfOne(contentType: string): AnswerKind | null {
  const [media = '', ...parameters] = contentType.split(';').map((part) => part.trim().toLowerCase());
  if (!parameters.every(readable)) return null;
  if (media === 'text/event-stream') return 'events';
  if (LINES.has(media)) return 'lines';
  return media === 'application/json' || media === 'text/json' || /^(?:application|text)\/[a-z0-9!#$&^_.-]+\+json$/.test(media) ? 'json' : null;
}

/** null: not one encoding that is known, or several. */
export function encodingOf(values: readonly string[]): Encoding | null {
  if (values.length === 0) return 'identity';
  const named = values.join(',').trim().toLowerCase();
  if (named === 'x-gzip') return 'gzip';
  return named === 'identity' || named === 'gzip' || named === 'deflate' || named === 'br' ? named : null;
}

/** JSON is UTF-8 (RFC 8259 §8.1); another charset would be another text to its reader. */
function readable(parameter: string): boolean {
  const [name, value = ''] = parameter.split('=').map((part) => part.trim());
  return name !== 'charset' || value.replaceAll('"', '') === 'utf-8' || value.replaceAll('"', '') === 'utf8';
}
