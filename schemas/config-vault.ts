/** Section `vault` of interlock.yaml, and how secrets refer to it. */
import type { Static } from 'typebox';
import { Duration, HttpUrl, Path, SecretRef, Text } from './config-values.ts';

const Mount = {
  type: 'string',
  pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$',
  title: 'a path of letters, digits, `.`, `_` and `-`, without a `/` at its ends',
} as const;

export const VaultAuth = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  title: 'a map with one of `token`, `approle`, `kubernetes`',
  properties: {
    token: {
      ...SecretRef,
      description: 'A token that somebody else renews, such as the agent of Vault in a file; read again every half minute.',
    },
    approle: {
      type: 'object',
      additionalProperties: false,
      required: ['role_id'],
      properties: {
        role_id: { ...SecretRef, description: 'No secret to Vault, but read like one.' },
        secret_id: { ...SecretRef, description: 'Left out where the role needs none.' },
        mount: { ...Mount, description: 'Default: approle.' },
      },
      description: 'Logs in as an AppRole, and renews its token.',
    },
    kubernetes: {
      type: 'object',
      additionalProperties: false,
      required: ['role'],
      properties: {
        role: Text,
        jwt: { ...Path, description: 'Default: /var/run/secrets/kubernetes.io/serviceaccount/token.' },
        mount: { ...Mount, description: 'Default: kubernetes.' },
      },
      description: 'Logs in with the service account of the pod, and renews its token.',
    },
  },
} as const;
export type VaultAuth = Static<typeof VaultAuth>;

export const Vault = {
  type: 'object',
  additionalProperties: false,
  required: ['address', 'auth'],
  properties: {
    address: { ...HttpUrl, description: 'https; http on loopback only.' },
    namespace: { ...Mount, description: 'Default: none.' },
    ca: { ...Path, description: 'Authority that its certificate is checked with. Default: the system’s roots.' },
    timeout: { ...Duration, description: 'For one answer. Default: 5s.' },
    auth: VaultAuth,
  },
  description: 'HashiCorp Vault, or OpenBao: what `{ vault: … }` of targets refers to.',
} as const;
export type Vault = Static<typeof Vault>;

/** `credential.vault` of a target. */
export const VaultDatabase = {
  type: 'object',
  additionalProperties: false,
  required: ['role'],
  title: 'a map with `role`',
  properties: {
    role: { type: 'string', pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]*$', title: 'the name of a role' },
    mount: { ...Mount, description: 'Default: database.' },
    kind: {
      enum: ['dynamic', 'static'],
      description:
        'dynamic: a user is made for each session, and revoked with it. static: a user that is there, whose password Vault changes. Default: dynamic.',
    },
  },
  description: 'User and password by a role of Vault’s database engine, instead of `user` and `password`.',
} as const;
export type VaultDatabase = Static<typeof VaultDatabase>;
