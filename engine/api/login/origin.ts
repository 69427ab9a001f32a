/** Whether a request comes from the console's own page. */
import type { IncomingHttpHeaders } from 'node:http';
import { InterlockError } from '#schemas/errors';
import { sameWord } from './secret-word.ts';

/**
 * What changes something with a cookie's power, or begins a login: the browser names the page that sent it, and it must be ours.
 * @throws InterlockError CSRF
 */
export function checkOrigin(headers: IncomingHttpHeaders, publicUrl: URL, scheme: 'http' | 'https'): void {
  const { origin, host } = headers;
  const own = origin !== undefined && (origin === publicUrl.origin || origin === `${scheme}://${host ?? ''}`);
  if (!own || !isSameOrigin(headers)) throw new InterlockError('CSRF', 'the request does not come from the console’s own page');
}

/** A page of another site can send a browser here, but never read with its cookie. @throws InterlockError CSRF */
export function checkSite(headers: IncomingHttpHeaders): void {
  if (!isSameOrigin(headers)) throw new InterlockError('CSRF', 'the request does not come from the console’s own page');
}

/** @throws InterlockError CSRF */
export function checkCsrf(headers: IncomingHttpHeaders, csrf: string): void {
  const given = headers['x-interlock-csrf'];
  if (typeof given !== 'string' || !sameWord(given, csrf))
    throw new InterlockError('CSRF', 'the header `x-interlock-csrf` is missing or is not the one of this session');
}

/** https://www.w3.org/TR/fetch-metadata/: `none` is the address bar; browsers that do not know the header send nothing. */
function isSameOrigin(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site'];
  return site === undefined || site === 'same-origin' || site === 'none';
}
