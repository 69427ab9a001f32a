/** What this enforcer refuses by name (invariant 10). The code asks this table; SUPPORT.md is written from it. */
import { refusal, type Refusal } from '#enforcers/common/refusal';

interface Entry {
  /** As the refusal names it. */
  readonly feature: string;
  readonly instead: string;
}

export const UNSUPPORTED = {
  upgrade: {
    feature: 'switching to another protocol (WebSocket, h2c)',
    instead: 'Use requests, or a stream of events (text/event-stream); HTTP/2 over TLS by ALPN.',
  },
  method: { feature: 'this method', instead: 'Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.' },
  connect: { feature: 'CONNECT', instead: 'Connect to the target that governs what is behind it: a gateway is no tunnel.' },
  trace: { feature: 'TRACE', instead: 'Nothing: its answer would repeat the credential that the gateway adds.' },
  encoding: { feature: 'an encoded request body', instead: 'Send the body as it is, without Content-Encoding.' },
  absolute: { feature: 'a request target other than a path', instead: 'Send the path alone: the gateway is no forward proxy.' },
} as const satisfies Record<string, Entry>;

/** Not refused, and not passed on. */
const DROPPED: readonly string[] = [
  'cookies, both ways, unless `headers.cookies` lets them pass: a session at the target is a credential',
  'headers that say who somebody is or where they come from (`X-Forwarded-*`, `Forwarded`, `X-*-User`, `Impersonate-*`, `Proxy-*` …), and every name with `_`',
  'headers that ask for another method (`X-HTTP-Method-Override` …)',
  'headers that a proxy or framework says to itself (`X-Middleware-*`, `X-Matched-Path`, `X-Consumer-*`, `X-Accel-*`, `*-Override` …)',
  'secrets of the target’s own (`X-Vault-Token`, `PRIVATE-TOKEN`, `X-Hasura-*` …): its credential is the gateway’s, and theirs would stand in the record',
  '`Accept-Encoding`: answers come unencoded',
  'trailers of answers, interim answers (103), `Alt-Svc`, `Strict-Transport-Security` of the target',
];

export function unsupported({ feature, instead }: Entry): Refusal {
  return refusal('UNSUPPORTED', `not supported by the gateway: ${feature}`, { hint: instead });
}

export function renderSupport(): string {
  const rows = Object.values(UNSUPPORTED).map(({ feature, instead }) => `| ${feature} | ${instead} |`);
  return `<!-- Written by \`npm run generate\` from support.ts. -->
# What the HTTP enforcer does not support

Refused by name with 501 \`UNSUPPORTED\`, never passed through.

| Refused | Instead |
| --- | --- |
${rows.join('\n')}

Refused as malformed (400, and the connection ends): HTTP/1.0, a header twice that says where a message ends or for whom it is, \`Transfer-Encoding\` other than
\`chunked\`, \`Content-Length\` beside it, chunk extensions, trailers of requests, folded headers, bare CR or LF, a body on GET, HEAD or OPTIONS.

Not passed on:

${DROPPED.map((line) => `- ${line}`).join('\n')}
`;
}
