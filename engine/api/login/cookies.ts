/** The console's cookies. https://www.rfc-editor.org/rfc/rfc6265, https://www.ietf.org/archive/id/draft-ietf-httpbis-rfc6265bis-22.html §4.1.3 */

/** Names of one gateway's cookies. With TLS the browser itself holds them to this host, TLS and path; without, the port keeps two gateways apart. */
export interface CookieNames {
  readonly secure: boolean;
  readonly session: string;
  readonly pending: string;
}

export function cookieNames(publicUrl: URL): CookieNames {
  const secure = publicUrl.protocol === 'https:';
  const name = secure ? '__Host-interlock' : `interlock-${publicUrl.port || '80'}`;
  return { secure, session: name, pending: `${name}-login` };
}

/**
 * Strict: only the console's own page sends it, and the page itself needs none. The one of a login on its way is Lax: it must come along when the
 * issuer sends the browser back.
 */
export function setCookie(names: CookieNames, kind: 'session' | 'pending', word: string, maxAgeS: number): string {
  const sameSite = kind === 'session' ? 'Strict' : 'Lax';
  return `${names[kind]}=${word}; Path=/; HttpOnly; SameSite=${sameSite}; Max-Age=${Math.max(0, Math.floor(maxAgeS))}${names.secure ? '; Secure' : ''}`;
}

export function clearCookie(names: CookieNames, kind: 'session' | 'pending'): string {
  return setCookie(names, kind, '', 0);
}

/** null where it is missing, malformed, or there twice: somebody else may have set one of them. */
export function readCookie(header: string | undefined, name: string): string | null {
  const values = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 && /^[A-Za-z0-9_-]{43}$/.test(values[0] ?? '') ? (values[0] ?? null) : null;
}
