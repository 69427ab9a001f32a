/** What sections `http` and `mcp` of a target share: how the gateway signs in at a service. */
import type { Static } from 'typebox';
import { HttpUrl, SecretRef, Text } from './config-values.ts';

const HeaderName = { type: 'string', pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$", title: 'the name of a header' } as const;
const VariableName = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]*$', title: 'the name of an environment variable' } as const;

export const ServiceCredential = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  title: 'a map with one of `bearer`, `basic`, `header`, `oauth_client`, `sigv4`, `env`',
  description: 'Added on the way to the target; clients never see it. Left out: none.',
  properties: {
    bearer: { ...SecretRef, description: 'Sent as `Authorization: Bearer …`.' },
    basic: {
      type: 'object',
      additionalProperties: false,
      required: ['user', 'password'],
      properties: { user: Text, password: SecretRef },
      description: 'Sent as `Authorization: Basic …`.',
    },
    header: {
      type: 'object',
      additionalProperties: false,
      required: ['name', 'value'],
      properties: { name: HeaderName, value: SecretRef },
      description: 'Sent as this header.',
    },
    oauth_client: {
      type: 'object',
      additionalProperties: false,
      required: ['token_url', 'client_id', 'client_secret'],
      properties: {
        token_url: { ...HttpUrl, description: 'Where tokens are had: https, or http on loopback.' },
        client_id: Text,
        client_secret: SecretRef,
        scope: Text,
        audience: Text,
      },
      description: 'A token of OAuth 2.0 client credentials, renewed before it ends.',
    },
    sigv4: {
      type: 'object',
      additionalProperties: false,
      required: ['access_key_id', 'secret_access_key', 'region', 'service'],
      properties: { access_key_id: Text, secret_access_key: SecretRef, region: Text, service: Text },
      description: 'Requests are signed as AWS does (Signature Version 4).',
    },
    env: {
      type: 'object',
      additionalProperties: false,
      required: ['name', 'value'],
      properties: { name: VariableName, value: SecretRef },
      description: 'In the environment of `command`: of MCP over stdio, and nothing else is.',
    },
  },
} as const;
export type ServiceCredential = Static<typeof ServiceCredential>;
