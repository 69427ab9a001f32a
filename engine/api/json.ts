import { InterlockError } from '#schemas/errors';

/**
 * JSON without its ambiguities: one value, UTF-8, and no key twice in one object (readers disagree on which one counts).
 * @throws InterlockError USAGE
 */
export function parseStrictJson(bytes: Uint8Array): unknown {
  const text = decode(bytes);
  const value = parse(text);
  refuseDuplicates(text);
  return value;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new InterlockError('USAGE', 'the body is not well-formed UTF-8', { cause: error });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InterlockError('USAGE', 'the body is not JSON', { cause: error });
  }
}

/** The text is known to be JSON, so strings and brackets are all that has to be told apart. */
function refuseDuplicates(text: string): void {
  const open: (Set<string> | null)[] = [];
  let last = '';
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:,]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') remember(open.at(-1) ?? null, JSON.parse(last) as string);
    last = token;
  }
}

function remember(keys: Set<string> | null, key: string): void {
  if (keys?.has(key) === true) throw new InterlockError('USAGE', 'the body has a key twice');
  keys?.add(key);
}
