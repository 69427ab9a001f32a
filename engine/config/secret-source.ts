/** Where a secret is read from, with paths absolute. */
import type { SecretRef } from '#schemas/config';
import type { SecretSource } from './secret-kinds.ts';

export type Absolute = (path: string) => string;

export function secretSource(ref: SecretRef, absolute: Absolute): SecretSource {
  if (ref.file !== undefined) return { kind: 'file', path: absolute(ref.file) };
  if (ref.exec !== undefined) return { kind: 'exec', argv: ref.exec };
  if (ref.vault !== undefined) {
    const { mount = 'secret', path, field, kv_version: version } = ref.vault;
    return { kind: 'vault', mount, path, field, kv: version === 1 ? 1 : 2 };
  }
  return { kind: 'env', name: ref.env ?? '' };
}
