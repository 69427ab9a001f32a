/** What the enforcer is told of one HTTP target; every PEM is text, every duration milliseconds. */
import type { HttpCatalog } from '#schemas/knowledge';
import type { ServiceAddress } from '#enforcers/common/service/place';

export interface HttpTarget {
  readonly name: string;
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Without it tokens are taken over loopback only. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly upstream: HttpUpstream;
  /** Its operations, from its description. */
  readonly catalog: HttpCatalog;
  /** Name or absence of the credential's own header is the lease's; what else of the headers is other than usual. */
  readonly headers?: HeaderRules;
  readonly env: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly limits: { readonly connections: number; readonly statementBytes: number; readonly idleMs: number };
  readonly approvals: { readonly waitMs: number };
  /** What refusals point to. */
  readonly publicUrl: string;
}

export interface HttpUpstream extends ServiceAddress {
  /** It must answer within this. Default: 60 s. */
  readonly answerMs?: number;
}

export interface HeaderRules {
  /** Cookies pass both ways; without it none do: a session at the target is a credential. */
  readonly cookies?: boolean;
  /** Of the client, dropped as well; lower case. */
  readonly drop?: readonly string[];
  /** Set on every request, instead of the client's; lower case. */
  readonly set?: Readonly<Record<string, string>>;
}
