/** What judging needs of its neighbours; the composition root plugs them in. */
import type { Catalog } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';
import type { Facts } from '#schemas/facts';
import type { HttpCatalog, McpCatalog } from '#schemas/knowledge';
import type { Resource } from '#schemas/decision-request';
import type { Rewrite } from '#client/decision-service';

/** Everything beside the text that decides how it is read. */
export interface ReadContext {
  /** What the target speaks. */
  readonly dialect: Resource['type'];
  /** Its name. */
  readonly target: string;
  /** The target's server major: one grammar a version (M2). */
  readonly major: number;
  readonly database: string;
  /** search_path, role …; the same object for the same set. */
  readonly settings: Readonly<Record<string, string>>;
  /** null: not read; confidence is `named` and nothing is added by closure. */
  readonly catalog: Catalog | null;
  /** What is known of an API or an MCP server; null: not read, or the target is neither. */
  readonly knowledge: HttpCatalog | McpCatalog | null;
}

export interface FactsReader {
  /** Total: never throws for what the text is. A value when short, a promise when a worker parses. Caches by exact bytes and context. */
  read(text: Uint8Array, context: ReadContext): Facts | Promise<Facts>;
  /** Indexes of the bind parameters whose value is code or names what is done (P10): `Param.flows_to_code`. */
  paramsThatFlowToCode?(facts: Facts): ReadonlySet<number>;
}

export type RewriteAnswer =
  | { readonly ok: true; readonly rewrite: Rewrite }
  | { readonly ok: false; readonly code: 'MASK_IMPOSSIBLE' | 'MASK_RELATION_UNKNOWN'; readonly reason: string; readonly hint: string };

export interface MaskRewriter {
  /** Substitutes masked columns at the leaf (DESIGN §7.1) and compares the result with the original, node by node. Never throws for what the text is. */
  rewrite(text: Uint8Array, masks: ReadonlyMap<string, Mask>, context: ReadContext): RewriteAnswer | Promise<RewriteAnswer>;
}
