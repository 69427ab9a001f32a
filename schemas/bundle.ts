/** What a signed policy bundle says of itself (engine/bundles/README.md): the signature is over these very bytes. */
import type { Static } from 'typebox';
import { CONTRACT_VERSION, Digest, Timestamp } from './common.ts';

export const BUNDLE_FORMAT = 'interlock-bundle/1';

export const BundleFile = {
  type: 'object',
  additionalProperties: false,
  required: ['path', 'length', 'sha256'],
  properties: {
    path: { type: 'string', minLength: 1, maxLength: 255 },
    length: { type: 'integer', minimum: 0 },
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
  },
} as const;
export type BundleFile = Static<typeof BundleFile>;

export const BundleManifest = {
  type: 'object',
  additionalProperties: false,
  required: ['format', 'contract', 'number', 'revision', 'build', 'made_at', 'expires', 'files'],
  properties: {
    format: { const: BUNDLE_FORMAT },
    contract: { const: CONTRACT_VERSION },
    /** Greater for each new revision, whoever signs; what is remembered against an old bundle that is sent again. */
    number: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    /** Of the policies, as decisions and events name it. */
    revision: Digest,
    /** How they were built: part of the revision. */
    build: { type: 'string', minLength: 1, maxLength: 200 },
    made_at: Timestamp,
    expires: Timestamp,
    /** So long it judges without anybody saying that it is the newest (`policies.max_age`); absent: as long as who takes it thinks right. */
    max_age_ms: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    /** In the order in which they stand in the archive. */
    files: { type: 'array', minItems: 1, items: BundleFile },
  },
} as const;
export type BundleManifest = Static<typeof BundleManifest>;

export const BundleSignatures = {
  type: 'object',
  additionalProperties: false,
  required: ['signatures'],
  properties: {
    signatures: {
      type: 'array',
      maxItems: 8,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['key_id', 'ed25519'],
        properties: {
          key_id: { type: 'string', pattern: '^[0-9a-f]{16}$' },
          /** base64 of the 64 bytes. */
          ed25519: { type: 'string', pattern: '^[A-Za-z0-9+/]{86}==$' },
        },
      },
    },
  },
} as const;
export type BundleSignatures = Static<typeof BundleSignatures>;
