/** Facts of everything that is judged, by what the target speaks: for gateways and for commands that judge without one. */
import type { Catalog } from '#schemas/catalog';
import type { Resource } from '#schemas/decision-request';
import type { Facts } from '#schemas/facts';
import type { HttpFacts } from '#schemas/http-facts';
import type { HttpCatalog, McpCatalog } from '#schemas/knowledge';
import { readGraphql } from './http/graphql.ts';
import { HTTP_FACTS_LIMITS } from './http/limits.ts';
import { readHttp } from './http/reader.ts';
import { McpReader } from './mcp/reader.ts';
import { ByteCache } from './postgres/cache.ts';
import type { PostgresFacts } from './postgres/reader.ts';
import { Recent } from './recent.ts';

export interface ReadingContext {
  readonly dialect: Resource['type'];
  readonly target: string;
  readonly major: number;
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly catalog: Catalog | null;
  readonly knowledge: HttpCatalog | McpCatalog | null;
}

export type ReadFacts = (text: Uint8Array, context: ReadingContext) => Facts | Promise<Facts>;

/** `catalogOf`: of another target, for a statement that is an argument of a call. */
export function readFactsOf(sql: PostgresFacts, catalogOf: (target: string) => Catalog | null): ReadFacts {
  const mcp = new McpReader({ read: (text, context) => sql.read(text, context), catalogOf });
  const http = new CachedHttp();
  return (text, context) => {
    switch (context.dialect) {
      case 'http':
        return http.read(text, context.knowledge?.kind === 'http' ? context.knowledge : null);
      case 'mcp':
        return mcp.read(text, context);
      default:
        return sql.read(text, context);
    }
  };
}

/** The same object for the same bytes and the same description, while they are short: the journal stores it once, and a judgement finds it again. */
class CachedHttp {
  readonly #known = new ByteCache<HttpFacts>(HTTP_FACTS_LIMITS.cacheBytes);
  readonly #recent = new Recent();
  /** Enforcers hand over the same bytes as one object where they repeat: then nothing of them is looked at. */
  readonly #same = new WeakMap<Uint8Array, { readonly fingerprint: string; readonly facts: HttpFacts }>();

  read(text: Uint8Array, catalog: HttpCatalog | null): HttpFacts {
    const fingerprint = catalog?.fingerprint ?? '';
    const same = this.#same.get(text);
    if (same !== undefined && same.fingerprint === fingerprint) return same.facts;
    if (text.length > HTTP_FACTS_LIMITS.cachedBytes || !this.#recent.again(text)) return readHttp(text, { catalog, graphql: readGraphql });
    const key = `${fingerprint}\n${Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('latin1')}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#same.set(text, { fingerprint, facts: known });
      return known;
    }
    const facts = readHttp(text, { catalog, graphql: readGraphql });
    // what is kept of one: its texts several times over, and the named fields of its answer
    this.#known.set(key, facts, 2_000 + 6 * key.length + 150 * (facts.output?.length ?? 0));
    return facts;
  }
}
