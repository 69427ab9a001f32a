/** Section `http` of a target whose protocol is `http`. */
import type { Static } from 'typebox';
import { ServiceCredential } from './config-service.ts';
import { HttpUrl, Path } from './config-values.ts';

export const HttpSection = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  title: 'a map with `url`',
  description: 'An HTTP API: where it is, what is known of it, and how the gateway signs in.',
  properties: {
    url: { ...HttpUrl, description: 'Where it is; https, or http on loopback. A path stands in front of every request’s.' },
    ca: { ...Path, description: 'Authority that its certificate is checked with. Default: the system’s roots.' },
    openapi: { ...Path, description: 'Its OpenAPI document (3.0 or 3.1; YAML or JSON): operations, and the named fields of answers.' },
    routes: { ...Path, description: 'A table of routes, where there is no OpenAPI document.' },
    graphql: { ...Path, description: 'The schema of its GraphQL endpoint, in GraphQL’s own language.' },
    credential: ServiceCredential,
  },
} as const;
export type HttpSection = Static<typeof HttpSection>;
