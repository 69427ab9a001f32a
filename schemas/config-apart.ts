/** Sections `engine` and `enforcer` of interlock.yaml: the two halves in processes of their own. A file has one of them, or neither (`interlock up`). */
import type { Static } from 'typebox';
import { HostPort, Path } from './config-values.ts';

export const Engine = {
  type: 'object',
  additionalProperties: false,
  required: ['listen'],
  title: 'a map with `listen`',
  properties: {
    listen: {
      ...HostPort,
      description: 'Where enforcers connect: mutual TLS, with certificates of this installation only (`interlock enforcer add`).',
    },
  },
  description: 'This file is for `interlock engine`. Left out: `interlock up`, everything in one process.',
} as const;
export type Engine = Static<typeof Engine>;

export const Enforcer = {
  type: 'object',
  additionalProperties: false,
  required: ['engines'],
  title: 'a map with `engines`',
  properties: {
    engines: {
      type: 'array',
      minItems: 1,
      maxItems: 32,
      items: { ...HostPort, title: '`host:port`, such as `engine-1.internal:8443`' },
      title: 'a list of addresses',
      description: '`engine.listen` of the engines: tried in turn, from a random one on.',
    },
    identity: {
      ...Path,
      description: 'Folder of this enforcer’s key and certificate, made by `interlock enforcer join`. Default: `identity` in `state.dir`.',
    },
    trusted: {
      type: 'array',
      minItems: 1,
      maxItems: 8,
      items: Path,
      title: 'a list of paths',
      description:
        'Public keys (PEM) by whose signature policies count, and no other: then an engine can send policies, and not make them. Default: what the engine says when the enforcer joins, and with each renewal of its certificate.',
    },
  },
  description:
    'This file is for `interlock enforce TARGET`. Policies, identity, approvals, credentials, `env` and `labels` are the engine’s, and do not stand in it.',
} as const;
export type Enforcer = Static<typeof Enforcer>;

/** Of a target. */
export const Judging = {
  enum: ['local', 'remote'],
  description:
    'Where an enforcer of its own has this target judged. local: here, by the policies that the engine sends; open sessions go on without the engine until they are too old. remote: the engine is asked each time. Default: local.',
} as const;
export type Judging = Static<typeof Judging>;
