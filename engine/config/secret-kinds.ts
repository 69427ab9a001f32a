/** Where secrets are read from, as everything else receives it. */

/** Where a secret is read from when it is needed (readSecret). */
export type SecretSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'env'; readonly name: string }
  | { readonly kind: 'exec'; readonly argv: readonly string[] }
  /** Of targets alone: read by whoever asks Vault. */
  | ({ readonly kind: 'vault' } & VaultSecretRef);

/** One field of a key-value secret in Vault. */
export interface VaultSecretRef {
  readonly mount: string;
  readonly path: string;
  readonly field: string;
  /** Version of the key-value engine. */
  readonly kv: 1 | 2;
}
