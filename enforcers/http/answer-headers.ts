/** Which headers of the target's answer go to the client, and none that lead elsewhere or carry a credential (SECURITY H1, H9; invariant 7). */
import type { Refusal } from '#enforcers/common/refusal';
import { refusal } from '#enforcers/common/refusal';
import type { HeaderList } from './answer.ts';
import type { House } from './house.ts';

/** Of one connection; of the gateway's own signing in; and what would send the client past the gateway. */
const OWN: ReadonlySet<string> = new Set([
  'alt-svc',
  'authentication-info',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-connection',
  'refresh',
  'strict-transport-security',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'www-authenticate',
]);
const COOKIES: ReadonlySet<string> = new Set(['set-cookie', 'set-cookie2']);
/** Of the gateway's own answers: a target does not speak for it. */
const OURS = 'interlock-';
const PLACES: ReadonlySet<string> = new Set(['location', 'content-location']);

/** A redirect to another authority is no answer of this target. */
export function passedHeaders(headers: HeaderList, house: Pick<House, 'place' | 'target'>): HeaderList | Refusal {
  const passed: (readonly [string, string])[] = [];
  for (const header of headers) {
    const [name, value] = header;
    if (OWN.has(name) || name.startsWith(OURS) || (COOKIES.has(name) && house.target.headers?.cookies !== true)) continue;
    if (!PLACES.has(name)) {
      passed.push(header);
      continue;
    }
    const place = placeFor(value, house.place);
    if (place !== null) passed.push([name, place]);
    else if (name === 'location')
      return refusal('UNSUPPORTED', 'the target redirects to another authority', {
        hint: 'Ask for the target that it leads to, if it is governed.',
        by: 'support',
      });
  }
  return passed;
}

/** As the client must ask for it here; null: it is somewhere else. */
function placeFor(value: string, { authority, secure, prefix }: House['place']): string | null {
  const base = `${secure ? 'https' : 'http'}://${authority}`;
  if (!/^[!-~]+$/.test(value) || value.includes('\\')) return null;
  // a path relative to the one that was asked for stays what it is
  if (!/^([A-Za-z][A-Za-z0-9+.-]*:|\/)/.test(value)) return value;
  const url = URL.canParse(value, base) ? new URL(value, base) : null;
  if (url === null || url.origin !== new URL(base).origin || url.username + url.password !== '') return null;
  const path = value.startsWith('/') ? value : `${url.pathname}${url.search}${url.hash}`;
  if (prefix === '') return path;
  return path === prefix ? '/' : path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : null;
}
