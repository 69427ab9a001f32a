/** A URL-typed argument as the request that it stands for, and the addresses of resources. */
import { isIPv4, isIPv6 } from 'node:net';
import type { HttpFacts } from '#schemas/http-facts';
import { foldsToSyntax } from './folding.ts';
import { LIMITS } from './limits.ts';

export type UrlRead = { readonly ok: true; readonly url: HttpFacts; readonly host: string } | { readonly ok: false; readonly detail: string };

/** A GET of it. Only addresses that every reader takes for the same one, and none inside (H9): names that resolve there are policy's to name. */
export function readUrl(given: string): UrlRead {
  // in the query an encoded slash is what stands in a value
  const odd = oddity(given, given.split('?', 1)[0]);
  if (odd !== null) return { ok: false, detail: `an address ${odd}` };
  if (!URL.canParse(given)) return { ok: false, detail: 'no absolute address' };
  const url = new URL(given);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return { ok: false, detail: 'an address that is neither http nor https' };
  if (url.username !== '' || url.password !== '') return { ok: false, detail: 'an address with a login in it' };
  if (url.hash !== '') return { ok: false, detail: 'an address with a fragment' };
  const hostname = url.hostname.replace(/\.$/, '');
  if (!given.toLowerCase().startsWith(`${url.protocol}//${url.host}`))
    return { ok: false, detail: 'an address whose host is not written in its usual form' };
  if (isInside(hostname)) return { ok: false, detail: 'an address inside' };
  const path = url.pathname;
  if (!given.slice(`${url.protocol}//${url.host}`.length).startsWith(path) && path !== '/')
    return { ok: false, detail: 'an address whose path is not in its canonical form' };
  const query: Record<string, string[]> = {};
  for (const [name, value] of url.searchParams) (query[name] ??= []).push(value);
  return { ok: true, url: facts(url, path, query), host: url.host };
}

function facts(url: URL, path: string, query: Record<string, string[]>): HttpFacts {
  return {
    dialect: 'http',
    parsed: true,
    method: 'GET',
    path,
    segments: path.split('/').slice(1).map(decoded),
    operation: null,
    params: {},
    query,
    headers: { host: [url.host] },
    body: { kind: 'none', media: '', bytes: 0, keys: [] },
    output: [],
    effects: [],
    opaque: [],
  };
}

/** Why an address of a resource is not one that every reader takes for the same; null: it is. */
export function uriProblem(uri: string): string | null {
  const odd = oddity(uri);
  if (odd !== null) return odd;
  if (!/^[a-z][a-z0-9+.-]*:/.test(uri)) return 'that does not begin with its scheme in lower case';
  return /(^|[/:])\.\.?(?=[/?#]|$)/.test(uri) ? 'with dot segments' : null;
}

/** Characters that no address holds: a template's, or those that some readers cut off or encode. Only completions are asked about templates. */
export function isTemplate(uri: string): boolean {
  return /[<>"{}|^`]/.test(uri);
}

function oddity(text: string, path = text): string | null {
  if (text.length > LIMITS.uriChars) return 'that is too long';
  if (!text.isWellFormed()) return 'that is no text';
  if (/[\p{Cc}\p{Cf}\p{Z}\\]/u.test(text)) return 'with blanks, backslashes or characters that cannot be seen';
  if (foldsToSyntax(text)) return 'with characters that some readers take for others';
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) return 'with broken percent-encoding';
  if (text.includes('%00') || /%(?:2[ef]|5c|25)/i.test(path)) return 'with an encoded dot, slash, backslash, percent sign or NUL';
  return null;
}

/** Loopback, private, link-local and the like; names that always mean this machine. */
function isInside(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, '');
  if (bare === 'localhost' || bare.endsWith('.localhost') || bare.endsWith('.internal') || bare.endsWith('.local')) return true;
  if (isIPv4(bare)) return PRIVATE_V4.test(bare);
  return isIPv6(bare) && !/^(2(?!002:)|3)[0-9a-f]{3}:/i.test(bare);
}

const PRIVATE_V4 =
  /^(0|10|127)\.|^169\.254\.|^172\.(1[6-9]|2[0-9]|3[01])\.|^192\.168\.|^192\.0\.0\.|^198\.1[89]\.|^100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7])\.|^(22[4-9]|23[0-9]|24[0-9]|25[0-5])\./;

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
