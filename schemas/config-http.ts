/** Section `http` of a target whose protocol is `http`. */
import type { Static } from 'typebox';
import { ServiceCredential } from './config-service.ts';
import { Duration, HttpUrl, Path, Text } from './config-values.ts';

const HeaderName = { type: 'string', pattern: '^[A-Za-z0-9-]{1,64}$', title: 'the name of a header' } as const;

const Headers = {
  type: 'object',
  additionalProperties: false,
  title: 'a map with `cookies`, `drop` or `set`',
  description:
    'What of the headers is other than usual. Usually those pass that say what is asked for; never those of the connection, of signing in, or that say who somebody is (`X-Forwarded-*`, `X-*-User` …).',
  properties: {
    cookies: {
      type: 'boolean',
      title: 'true or false',
      description: 'Cookies pass, both ways: a session at the target then is the client’s. Default: false.',
    },
    drop: { type: 'array', items: HeaderName, title: 'a list of names', description: 'Of the client, not passed on either.' },
    set: {
      type: 'object',
      additionalProperties: Text,
      propertyNames: { pattern: '^[A-Za-z0-9-]{1,64}$', title: 'the name of a header' },
      title: 'a map from names to values',
      description: 'Set on every request, in place of the client’s. No secret: that is what `credential` is for.',
    },
  },
} as const;

export const HttpSection = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  title: 'a map with `url`',
  description: 'An HTTP API: where it is, what is known of it, and how the gateway signs in.',
  properties: {
    url: { ...HttpUrl, description: 'Where it is; https, or http on loopback. A path stands in front of every request’s.' },
    ca: { ...Path, description: 'Authority that its certificate is checked with. Default: the system’s roots.' },
    addresses: {
      type: 'array',
      minItems: 1,
      items: { type: 'string', pattern: '^[0-9A-Fa-f:.]{2,45}$', title: 'an address' },
      title: 'a list of addresses',
      description: 'The only ones that its name may have. Default: whatever it resolves to, but never link-local and metadata addresses.',
    },
    answer_within: { ...Duration, description: 'It must begin its answer within this. Default: 60s.' },
    headers: Headers,
    openapi: { ...Path, description: 'Its OpenAPI document (3.0 or 3.1; YAML or JSON): operations, and the named fields of answers.' },
    routes: { ...Path, description: 'A table of routes, where there is no OpenAPI document.' },
    graphql: { ...Path, description: 'The schema of its GraphQL endpoint, in GraphQL’s own language.' },
    credential: ServiceCredential,
  },
} as const;
export type HttpSection = Static<typeof HttpSection>;
