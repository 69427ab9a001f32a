/** Where the tokens of a PostgreSQL text begin and end; enough to change what stands between and inside them. */
export type TokenKind = 'word' | 'quoted' | 'string' | 'special_string' | 'dollar' | 'number' | 'operator' | 'punctuation' | 'param';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** What stood before it: blanks and comments. */
  readonly gap: string;
}

const GAP = /(?:[ \t\n\r\f]+|--[^\n\r]*|\/\*)/y;
const TOKENS: readonly (readonly [TokenKind, RegExp])[] = [
  ['special_string', /(?:[eE]'(?:[^'\\]|\\[\s\S]|'')*'|[uU]&'(?:[^']|'')*'|[xXbBnN]'(?:[^']|'')*')/y],
  ['quoted', /(?:[uU]&)?"(?:[^"]|"")*"/y],
  ['string', /'(?:[^']|'')*'/y],
  ['param', /\$\d+/y],
  ['dollar', /\$([A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$[\s\S]*?\$\1\$/y],
  ['word', /[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*/y],
  ['number', /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y],
  ['punctuation', /[()[\],;.]|::?|:=/y],
  ['operator', /[-+*/<>=~!@#%^&|`?]+/y],
];

/** null: a text that this reading does not follow (such are not mutated). */
export function tokens(text: string): { readonly tokens: readonly Token[]; readonly tail: string } | null {
  const found: Token[] = [];
  let at = 0;
  for (;;) {
    const start = at;
    const skipped = skipGap(text, at);
    if (skipped === null) return null;
    at = skipped;
    const gap = text.slice(start, at);
    if (at === text.length) return { tokens: found, tail: gap };
    const token = next(text, at);
    if (!token) return null;
    found.push({ ...token, gap });
    at += token.text.length;
  }
}

function next(text: string, at: number): { kind: TokenKind; text: string } | null {
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (!match) continue;
    // an operator ends where a comment begins
    const end = kind === 'operator' ? match[0].search(/--|\/\*/) : -1;
    return { kind, text: end > 0 ? match[0].slice(0, end) : match[0] };
  }
  return null;
}

function skipGap(text: string, from: number): number | null {
  let at = from;
  for (;;) {
    GAP.lastIndex = at;
    const match = GAP.exec(text);
    if (!match) return at;
    if (match[0] !== '/*') {
      at += match[0].length;
      continue;
    }
    const end = commentEnd(text, at);
    if (end === null) return null;
    at = end;
  }
}

/** Block comments nest. */
function commentEnd(text: string, from: number): number | null {
  let depth = 0;
  for (let at = from; at < text.length - 1; at++) {
    const pair = text.slice(at, at + 2);
    if (pair !== '/*' && pair !== '*/') continue;
    depth += pair === '/*' ? 1 : -1;
    at++;
    if (depth === 0) return at + 1;
  }
  return null;
}
