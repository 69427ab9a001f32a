/** What a connection is made from; the composition root resolves it from section `nats`. */
export interface NatsSettings {
  /** `tls://host:port`, `nats://host:port`. */
  readonly servers: readonly string[];
  /** null: none, on loopback. */
  readonly tls: { readonly caFile: string | null; readonly certFile: string | null; readonly keyFile: string | null } | null;
  /** The nkey's seed, or a credentials file's text; read again for each new connection. */
  readonly credentials: () => Promise<string>;
  readonly streams: { readonly audit: string; readonly approvals: string };
  readonly replicas: 1 | 3;
  readonly duplicateWindowMs: number;
}
