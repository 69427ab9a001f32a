/** What is asked, where, and what comes back. */
import { isIP } from 'node:net';

export type Ask =
  | { readonly kind: 'sql'; readonly statement: string; readonly params: readonly (string | null)[]; readonly database: string | null }
  | {
      readonly kind: 'http';
      readonly method: string;
      /** With its query. */
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: string | null;
    }
  /** Only asked for, never called: `arguments` as JSON, null: none. */
  | { readonly kind: 'mcp'; readonly tool: string; readonly arguments: string | null };

/** Where clients reach a target. */
export interface Door {
  readonly target: string;
  readonly host: string;
  readonly port: number;
  /** null: none, on loopback. `ca` null: the roots of this system. */
  readonly tls: { readonly ca: string | null; readonly name: string } | null;
}

export interface CallOptions {
  readonly login: string;
  readonly token: string;
  /** As the record calls the client. */
  readonly application: string;
  /** stay: while it is held, as long as the gateway holds it; leave: at once, the request stays open. */
  readonly held: 'stay' | 'leave';
  /** Nothing is run: the approval that it needs is asked for, and what comes back is `pending` or `refused`. */
  readonly asksOnly?: boolean;
  readonly rowsMax: number;
  /** Of the answer, as text. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
  /** Whether a request of this id is there and theirs: the target's own words pass through the gateway too, and may look like its. Absent: cannot be told. */
  readonly genuine?: (approvalId: string) => boolean;
  /** What the gateway says while it waits. */
  readonly notice: (line: string) => void;
}

export type Answer =
  | {
      readonly outcome: 'rows';
      readonly columns: readonly string[];
      readonly rows: readonly (readonly (string | null)[])[];
      /** There are more, which were not fetched. */
      readonly truncated: boolean;
      /** `UPDATE 1` */
      readonly tag: string;
    }
  | { readonly outcome: 'response'; readonly status: number; readonly media: string; readonly text: string; readonly truncated: boolean }
  | { readonly outcome: 'pending'; readonly approvalId: string; readonly message: string; readonly hint: string }
  | Refused;

/** By the gateway, or by the target. */
export interface Refused {
  readonly outcome: 'refused';
  /** `MISSING_WHERE`; empty where the target said no. */
  readonly code: string;
  readonly sqlstate: string | null;
  readonly message: string;
  readonly detail: string;
  readonly hint: string;
}

/** What the other end's certificate is checked with; an address is no name to ask for. */
export function tlsOptions({ ca, name }: NonNullable<Door['tls']>): { readonly ca?: string; readonly servername?: string } {
  return { ...(isIP(name) === 0 ? { servername: name } : {}), ...(ca === null ? {} : { ca }) };
}

const APPROVAL = /^apr_[0-9A-Z]{26}$/;

export function isApproval(id: string | null, genuine: CallOptions['genuine']): id is string {
  return id !== null && APPROVAL.test(id) && (genuine?.(id) ?? true);
}

/** `… code=MISSING_WHERE approval=apr_…` */
export function detailField(detail: string, field: string): string | null {
  return (
    detail
      .split(' ')
      .find((part) => part.startsWith(`${field}=`))
      ?.slice(field.length + 1) ?? null
  );
}
