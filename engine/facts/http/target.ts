/**
 * The target of a request in origin form (RFC 9112 §3.2.1), taken only in its own canonical form (SECURITY H2): what policy matches, decoded
 * once, is what every server makes of it.
 */
import { HTTP_FACTS_LIMITS } from './limits.ts';
import { type Fields, readFields } from './fields.ts';
import { Trouble } from './trouble.ts';

export interface Target {
  /** As it was sent, without the query. */
  readonly path: string;
  /** Decoded; the last is empty where the path ends with a slash. */
  readonly segments: readonly string[];
  readonly query: Fields;
}

export function readTarget(target: string): Target | Trouble {
  if (target.length > HTTP_FACTS_LIMITS.targetBytes) return new Trouble('budget', `a target of ${target.length} bytes`);
  if (target === '*') return { path: '*', segments: [], query: {} };
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const segments = readPath(path);
  if (segments instanceof Trouble) return segments;
  const query = mark < 0 ? {} : readQuery(target.slice(mark + 1));
  return query instanceof Trouble ? query : { path, segments, query };
}

/** Decoded segments of a canonical path: `^/(segment/)*segment?$`. */
export function readPath(path: string): readonly string[] | Trouble {
  if (!path.startsWith('/')) return new Trouble('syntax', 'the target is not a path that begins with /');
  const raw = path.slice(1).split('/');
  if (raw.length > HTTP_FACTS_LIMITS.segments) return new Trouble('budget', `a path of ${raw.length} segments`);
  const segments: string[] = [];
  for (const [index, text] of raw.entries()) {
    if (text === '' && index < raw.length - 1) return new Trouble('syntax', 'the path holds an empty segment (//)');
    const segment = readSegment(text);
    if (segment instanceof Trouble) return segment;
    segments.push(segment);
  }
  return path === '/' ? [] : segments;
}

/** `pchar` of RFC 3986 without `;`, which some servers cut off with all that follows. */
const SEGMENT = /^(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})*$/;
/** Encoded without need, or so that the next decoder reads another path: unreserved characters, separators, controls, a percent sign. */
const NEVER_ENCODED = /[A-Za-z0-9._~/\\;?#%\p{Cc}-]/u;

function readSegment(text: string): string | Trouble {
  if (text === '.' || text === '..') return new Trouble('syntax', 'the path holds a dot segment');
  if (!SEGMENT.test(text)) return new Trouble('syntax', 'the path holds a character that does not stand in a canonical path');
  if (!text.includes('%')) return text;
  const decoded = decodeUtf8(text);
  if (decoded === null) return new Trouble('encoding', 'the path is not UTF-8, percent-encoded once');
  const encoded = encodedPart(text);
  if (encoded !== null && NEVER_ENCODED.test(encoded))
    return new Trouble('syntax', 'the path is not in canonical form: something is percent-encoded that must not be');
  if (/^\s|\s$/.test(decoded)) return new Trouble('syntax', 'the path holds a segment that begins or ends with a blank, which some servers cut off');
  return lookalike(decoded) ? new Trouble('syntax', 'the path holds a character that some servers turn into another') : decoded;
}

/** What stands percent-encoded in a segment, decoded, in one piece. */
function encodedPart(text: string): string | null {
  return decodeUtf8((text.match(/(?:%[0-9A-Fa-f]{2})+/g) ?? []).join(''));
}

/** Slashes that Windows takes for `/` and `\` where it writes them in an older code page. */
const SLASHES = /[\u2044\u2215\u2216\u29f5\u29f8\u29f9]/;

/** Full-width letters, dots and slashes become ASCII under compatibility normalisation: another path for a server that does that. */
function lookalike(decoded: string): boolean {
  if (SLASHES.test(decoded)) return true;
  return asciiOf(decoded.normalize('NFKC')) !== asciiOf(decoded);
}

function asciiOf(text: string): string {
  return text.replace(/\P{ASCII}/gu, '');
}

export function decodeUtf8(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Visible ASCII without what no client leaves unencoded, and without the backslash. */
const QUERY = /^(?:[!$&'()*+,./0-9:;=?@A-Z[\]^_a-z{|}~-]|%[0-9A-Fa-f]{2})*$/;

function readQuery(text: string): Fields | Trouble {
  if (!QUERY.test(text)) return new Trouble('syntax', 'the query holds a character that must be percent-encoded');
  return readFields(text, 'the query');
}
