/** Section `policies` of interlock.yaml: where they come from, and who signs them. */
import type { Static } from 'typebox';
import { Duration, Path, Text } from './config-values.ts';

export const Policies = {
  type: 'object',
  additionalProperties: false,
  required: ['source'],
  properties: {
    source: {
      type: 'object',
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
      title: '`{ dir: PATH }` or `{ bundle: PATH }`',
      properties: {
        dir: { ...Path, description: 'A folder of Rego files, compiled here.' },
        bundle: {
          ...Path,
          description: 'A signed bundle (`interlock policy build DIR -o PATH --sign KEY`), taken over when it is replaced. Needs `signing.trusted`.',
        },
        git: { ...Text, description: 'Not supported yet.' },
        https: { ...Text, description: 'Not supported yet.' },
      },
    },
    data: {
      type: 'array',
      items: Path,
      title: 'a list of paths',
      description: 'YAML or JSON documents that policies read as `data`. Those of a bundle stand in it.',
    },
    watch: { type: 'boolean', description: 'Take up changes while running. Default: true.' },
    max_age: {
      ...Duration,
      description: 'With policies older than this (since they were last checked against their source) everything is refused. Default: 24h.',
    },
    signing: {
      type: 'object',
      additionalProperties: false,
      properties: {
        key_file: {
          ...Path,
          description:
            'Ed25519 key that `interlock engine` signs policies with for its enforcers; made at the first start. Engines of one installation share it. Default: keys/bundles in `state.dir`.',
        },
        valid: {
          ...Duration,
          description: 'What is signed counts so long, and is signed again at half of it. Default: `max_age`, and no less than 24h.',
        },
        trusted: {
          type: 'array',
          minItems: 1,
          maxItems: 8,
          items: Path,
          title: 'a list of paths',
          description: 'Public keys (PEM), of which one must have signed `source.bundle`.',
        },
      },
      description: 'Who signs policies, and whose signature counts.',
    },
  },
} as const;
export type Policies = Static<typeof Policies>;
