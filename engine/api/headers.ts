/** What every answer says to a browser: run nothing, embed nothing, guess nothing, tell nobody where you came from. */
const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

/** Data and errors: never kept, never a page. */
export const DATA_HEADERS = {
  ...ALWAYS,
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

/** The console: scripts, styles and data from here alone. */
export const PAGE_HEADERS = {
  ...ALWAYS,
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'",
  'permissions-policy': 'camera=(), microphone=(), geolocation=(), payment=(), usb=()',
} as const;

/** https://www.rfc-editor.org/rfc/rfc6797: without TLS it must not be sent. */
export const TLS_HEADERS = { 'strict-transport-security': 'max-age=31536000' } as const;
