/** What the enforcer is told of one MCP target; PEMs are texts, durations milliseconds. */
import type { ArgumentKind } from '#schemas/knowledge';

export interface McpTarget {
  readonly name: string;
  /** Port 0: any free one. null: mounted on the API alone. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  /** Without it tokens are taken over loopback only. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly upstream: McpUpstream;
  readonly env: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: { readonly connections: number; readonly statementBytes: number; readonly idleMs: number };
  readonly approvals: { readonly waitMs: number };
  /** What refusals and notices point to; clients reach the endpoint at `<publicUrl>/mcp/<name>` where it is mounted there. */
  readonly publicUrl: string;
  /** File of the pinned definitions. */
  readonly pinsFile: string;
  /** Folder with the key that seals what clients hand back. */
  readonly stateDir: string;
  /** By tool. */
  readonly arguments: Readonly<Record<string, readonly ArgumentKind[]>>;
  readonly origins: readonly string[];
  readonly hosts: readonly string[];
  readonly fromServer: FromServer;
  /** How long one request waits for a verdict at most. */
  readonly pollMs: number;
}

export interface FromServer {
  readonly sampling: boolean;
  readonly elicitation: boolean;
  readonly roots: boolean;
  readonly logging: boolean;
}

export type McpUpstream =
  | { readonly kind: 'http'; readonly url: string; readonly ca?: string }
  | {
      readonly kind: 'stdio';
      readonly command: readonly string[];
      readonly cwd: string;
      readonly env: Readonly<Record<string, string>>;
    };
