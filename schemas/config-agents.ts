/** Section `agents` of interlock.yaml: identity and bounds of programs that act for people. */
import type { Static } from 'typebox';
import { Duration, HttpUrl, Path, Text } from './config-values.ts';

const Workload = {
  type: 'object',
  additionalProperties: false,
  required: ['url', 'audience', 'bind'],
  title: 'a map with `url`, `audience` and `bind`',
  properties: {
    url: {
      ...HttpUrl,
      description: 'The issuer, exactly as it stands in `iss`: a Kubernetes cluster’s, or https://token.actions.githubusercontent.com.',
    },
    audience: { ...Text, description: 'What `aud` must name: workloads ask for a token with this audience.' },
    jwks_url: { ...HttpUrl, description: 'Where its keys are. Default: what its discovery document says.' },
    ca: { ...Path, description: 'Authority that the issuer’s certificate is checked with. Default: the system’s roots.' },
    algorithms: {
      type: 'array',
      minItems: 1,
      items: { enum: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] },
      title: 'a list of signature algorithms',
      description: 'Default: [RS256, ES256].',
    },
    max_age: { ...Duration, description: 'Tokens older than this are refused. Default: 1h.' },
    bind: {
      type: 'array',
      minItems: 1,
      maxItems: 1000,
      title: 'a list of `subject` and `agent`',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['subject', 'agent'],
        title: 'a map with `subject` and `agent`',
        properties: {
          subject: {
            ...Text,
            description: 'Exactly what `sub` says: `system:serviceaccount:shop:refunds`, `repo:acme/shop:ref:refs/heads/main`. No patterns.',
          },
          agent: { ...Text, description: 'The agent whose tokens this workload gets: `interlock skill add` made it.' },
        },
      },
      description: 'Who counts as which agent. What is not named here gets nothing.',
    },
  },
} as const;

export const Agents = {
  type: 'object',
  additionalProperties: false,
  title: 'a map',
  properties: {
    token_ttl: { ...Duration, description: 'How long an agent’s token lasts, 1m to 1h. Default: 15m.' },
    human_max_age: {
      ...Duration,
      description:
        'An agent gets tokens as long as its human was seen here (at a target, at the API, in the console) within this time: their groups count as they were then. Default: 7d.',
    },
    self_service: {
      type: 'boolean',
      description: 'Humans may add agents of their own, which can do no more than they can. false: only members of `api.admins`. Default: true.',
    },
    cool_down: {
      anyOf: [
        { const: 'off', title: '`off`' },
        {
          type: 'object',
          additionalProperties: false,
          title: 'a map with `denials`, `within` and `for`',
          properties: {
            denials: { type: 'integer', minimum: 1, maximum: 10000, title: 'a number from 1 to 10000', description: 'Default: 10.' },
            within: { ...Duration, description: 'Default: 1m.' },
            for: { ...Duration, description: 'Default: 2m.' },
          },
        },
      ],
      description: 'An agent that is denied `denials` times `within` a time is refused everything `for` a while, and told until when.',
    },
    workloads: {
      type: 'array',
      maxItems: 32,
      items: Workload,
      title: 'a list of issuers of workload tokens',
      description: 'Issuers whose tokens are exchanged for an agent’s (RFC 8693): no key needs to be kept beside the workload.',
    },
  },
  description: 'Identity and bounds of agents.',
} as const;
export type Agents = Static<typeof Agents>;
