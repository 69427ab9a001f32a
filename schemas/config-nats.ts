/** CONTRACT §5, section `nats`: where the archive of the journals is, and how far this process may be ahead of it. */
import type { Static } from 'typebox';
import { Duration, Path, SecretRef, Size } from './config-values.ts';

const StreamName = {
  type: 'string',
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  title: 'a name of letters, digits, `-` and `_`',
} as const;

export const Nats = {
  type: 'object',
  additionalProperties: false,
  required: ['servers'],
  title: 'a map with `servers`',
  properties: {
    servers: {
      type: 'array',
      minItems: 1,
      maxItems: 32,
      items: {
        type: 'string',
        pattern: '^(nats|tls)://([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
        title: '`tls://host:port` (`nats://` on loopback only)',
      },
      title: 'a list of addresses',
      description: 'The nodes of one cluster: `tls://host:port`; `nats://`, without TLS, on loopback only.',
    },
    tls: {
      type: 'object',
      additionalProperties: false,
      properties: {
        ca: { ...Path, description: 'Authority that the servers’ certificates are checked with. Default: the system’s roots.' },
        cert: { ...Path, description: 'Certificate shown to the servers, PEM; with `key`.' },
        key: { ...Path, description: 'Its private key, PEM; readable by this process only.' },
      },
      description: 'TLS towards the servers: 1.2 or newer, certificate and name checked.',
    },
    credentials: {
      ...SecretRef,
      description:
        'Where this process’ nkey seed (`SU…`) or its credentials file (JWT and seed) is read from. Default: keys/nats in `state.dir`, which `interlock nats identity` makes.',
    },
    streams: {
      type: 'object',
      additionalProperties: false,
      properties: {
        audit: { ...StreamName, description: 'The archive. Default: INTERLOCK_AUDIT.' },
        approvals: { ...StreamName, description: 'Approvals of several engines, in one order. Default: INTERLOCK_APPROVALS.' },
      },
      description: 'What the streams are called. `interlock nats setup` makes and checks them.',
    },
    replicas: {
      enum: [1, 3],
      title: '1 or 3',
      description: 'Copies that the streams keep: 1, or 3 in a cluster of three nodes or more. Default: 1.',
    },
    duplicate_window: {
      ...Duration,
      description: 'How long the archive knows a message again by its hash; longer than the longest outage that is caught up with. Default: 24h.',
    },
    looked_into: {
      type: 'integer',
      minimum: 0,
      title: 'the number of a message',
      description:
        'What stands in the approvals’ stream up to this message, and was written by no engine, was looked into: no alarm any more, and left out as before. Default: 0.',
    },
    backlog: {
      type: 'object',
      additionalProperties: false,
      properties: {
        bytes: { ...Size, description: 'Most that the local journal may be ahead of the archive; past it new work is refused. Default: 1GiB.' },
        age: { ...Duration, description: 'The same in time: age of the oldest record that the archive has not acknowledged. Default: 15m.' },
      },
      description: 'How far this process’ journal may be ahead of the archive before new sessions and statements are refused.',
    },
  },
  description:
    'NATS JetStream, nats-server 2.12 or newer: the archive of every process’ journal; and where engines share it, the one order of their approvals and enforcers. Left out: the local journal alone.',
} as const;
export type Nats = Static<typeof Nats>;
