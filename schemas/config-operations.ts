/** Section `operations` of interlock.yaml: how a process is watched. */
import type { Static } from 'typebox';
import { HttpUrl, Path, SecretRef } from './config-values.ts';

export const METRICS_READERS = ['loopback', 'token', 'anybody', 'nobody'] as const;
export type MetricsReaders = (typeof METRICS_READERS)[number];

const Traces = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  title: 'a map with `url`',
  properties: {
    url: {
      ...HttpUrl,
      description: 'Where spans go by OTLP/HTTP, whole: `https://collector.internal:4318/v1/traces`; http on loopback only.',
    },
    ca: { ...Path, description: 'Authority that the receiver’s certificate is checked with. Default: the system’s roots.' },
    headers: {
      type: 'object',
      additionalProperties: SecretRef,
      propertyNames: { pattern: '^[A-Za-z0-9-]{1,64}$', title: 'the name of an HTTP header' },
      title: 'a map from names of headers to references',
      description: 'Sent with the spans, such as `authorization`.',
    },
    one_in: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      title: 'a number from 1 to 1000000',
      description: 'One of so many statements is traced, and each whose `traceparent` asks for it. Default: 1.',
    },
  },
  description:
    "OpenTelemetry: one span tree for each statement, never its text. A statement’s comment `traceparent='…'` (sqlcommenter) makes it part of its caller’s trace. Left out: off.",
} as const;

export const Operations = {
  type: 'object',
  additionalProperties: false,
  properties: {
    listen: {
      type: 'string',
      pattern: '^(off|([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5})$',
      title: '`host:port`, such as `127.0.0.1:8401`, or `off`',
      description:
        '`/healthz`, `/readyz` and `/metrics` on an address of their own, plain HTTP. Default: 127.0.0.1:8401 for an enforcer, else off: the API answers them.',
    },
    metrics: {
      type: 'object',
      additionalProperties: false,
      properties: {
        readers: {
          enum: METRICS_READERS,
          description:
            'Who may read `/metrics`. loopback: from this machine, and not through a proxy. token: with the bearer token of `token`. Default: loopback.',
        },
        token: { ...SecretRef, description: 'The token of whoever collects them; at least 16 characters.' },
      },
    },
    traces: Traces,
  },
  description: 'How this process is watched. Nothing leaves the machine unless it is named here.',
} as const;
export type Operations = Static<typeof Operations>;
