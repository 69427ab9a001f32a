/** What values in `interlock.yaml` look like; the sections share them. `title` is the phrase that errors use. */
import type { Static } from 'typebox';

export const Duration = {
  type: 'string',
  pattern: '^[0-9]{1,9}(ms|s|m|h|d)$',
  title: 'a duration with its unit, such as `500ms`, `30s`, `5m`, `1h` or `7d`',
} as const;
export const Size = {
  type: 'string',
  pattern: '^[0-9]{1,9}(KiB|MiB|GiB)$',
  title: 'a size with its unit, such as `64KiB`, `1MiB` or `2GiB`',
} as const;
export const Path = { type: 'string', minLength: 1, title: 'a path (relative ones are relative to this file)' } as const;
export const Text = { type: 'string', minLength: 1, title: 'a text' } as const;
export const HttpUrl = { type: 'string', pattern: '^https?://[^\\s]+$', title: 'an https:// address' } as const;
export const HostPort = {
  type: 'string',
  pattern: '^([A-Za-z0-9._-]+|\\[[0-9A-Fa-f:.]+\\]):[0-9]{1,5}$',
  title: '`host:port`, such as `127.0.0.1:6432` or `[::1]:6432`; port 0 takes a free one',
} as const;

/** A secret is never written here: the value is read from where the reference points, when it is needed. */
export const SecretRef = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  title: 'a reference: `{ file: PATH }`, `{ env: NAME }` or `{ exec: [PROGRAM, ARGUMENT …] }`',
  description: 'Where a secret is read from. Secrets never stand in this file.',
  properties: {
    file: { ...Path, description: 'Read from this file; one newline at its end is dropped.' },
    env: {
      type: 'string',
      pattern: '^[A-Za-z_][A-Za-z0-9_]*$',
      title: 'the name of an environment variable',
      description: 'Read from this environment variable of the gateway.',
    },
    exec: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      title: 'a list: the program and its arguments',
      description: 'What this program prints; started without a shell.',
    },
    vault: {
      type: 'object',
      additionalProperties: false,
      required: ['path', 'field'],
      title: 'a map with `path` and `field`',
      properties: {
        path: {
          type: 'string',
          pattern: '^[A-Za-z0-9_][A-Za-z0-9_.@-]*(/[A-Za-z0-9_][A-Za-z0-9_.@-]*)*$',
          title: 'a path without a `/` at its ends',
          description: 'Of the secret, below its mount, as `vault kv get` names it.',
        },
        field: { ...Text, description: 'Which of its fields.' },
        mount: {
          type: 'string',
          pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$',
          title: 'a path of letters, digits, `.`, `_` and `-`',
          description: 'Of the key-value engine. Default: secret.',
        },
        kv_version: { type: 'integer', minimum: 1, maximum: 2, title: '1 or 2', description: 'Version of that engine. Default: 2.' },
      },
      description: 'A field of a key-value secret in the Vault of section `vault`; for targets only.',
    },
  },
} as const;
export type SecretRef = Static<typeof SecretRef>;
