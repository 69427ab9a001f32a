/** What the enforcer is told of one PostgreSQL target; every PEM is text, every duration milliseconds. */
export interface PostgresTarget {
  readonly name: string;
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Without it tokens are taken over loopback only. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  readonly upstream: Upstream;
  readonly env: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: { readonly connections: number; readonly statementBytes: number; readonly idleMs: number };
  readonly approvals: { readonly waitMs: number; readonly inTransaction: 'idle' | 'fresh' | 'any' };
  /** What refusals and notices point to. */
  readonly publicUrl: string;
}

export interface Upstream {
  /** A name, an address, or the folder of a unix socket (begins with `/`). */
  readonly host: string;
  readonly port: number;
  /** What clients may ask for; the first is where the gateway's own connections go. */
  readonly databases: readonly string[];
  readonly tls: { readonly mode: 'verify-full'; readonly ca?: string } | { readonly mode: 'off' };
}
