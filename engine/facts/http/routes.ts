/** The operations of a catalog, found by method and path. */
import type { HttpCatalog, HttpRoute } from '#schemas/knowledge';

export interface Match {
  readonly route: HttpRoute;
  readonly params: Record<string, string>;
}

const indexes = new WeakMap<HttpCatalog, RouteIndex>();

/** `segments` as the target has them, decoded. HEAD is what GET is where it has no operation of its own. */
export function findRoute(catalog: HttpCatalog, method: string, segments: readonly string[]): Match | null {
  let index = indexes.get(catalog);
  if (index === undefined) {
    index = new RouteIndex(catalog);
    indexes.set(catalog, index);
  }
  return index.find(method, segments) ?? (method === 'HEAD' ? index.find('GET', segments) : null);
}

/** One segment of a template: `orders`, `{id}`, `{name}.json`, `{from}...{to}`, `{rest+}` (that and all that follows). */
interface Piece {
  readonly literals: readonly string[];
  readonly names: readonly string[];
  readonly rest: boolean;
}

interface Compiled {
  readonly route: HttpRoute;
  readonly pieces: readonly Piece[];
}

export function templateSegments(route: string): readonly string[] {
  return route === '/' || route === '' ? [] : route.replace(/^\//, '').split('/');
}

class RouteIndex {
  /** By method and number of segments, most literal first. */
  readonly #routes = new Map<string, Compiled[]>();
  readonly #open: Compiled[] = [];

  constructor({ base, routes }: HttpCatalog) {
    for (const route of routes) {
      const pieces = templateSegments(base + route.route).map(pieceOf);
      const compiled = { route, pieces };
      if (pieces.at(-1)?.rest === true) this.#open.push(compiled);
      else this.#list(route.method, pieces.length).push(compiled);
    }
    for (const list of this.#routes.values()) list.sort(literalFirst);
    this.#open.sort((a, b) => b.pieces.length - a.pieces.length || literalFirst(a, b));
  }

  find(method: string, segments: readonly string[]): Match | null {
    for (const one of this.#routes.get(`${method} ${segments.length}`) ?? []) {
      const params = matched(one.pieces, segments);
      if (params !== null) return { route: one.route, params };
    }
    for (const one of this.#open) {
      const params = one.route.method === method ? matched(one.pieces, segments) : null;
      if (params !== null) return { route: one.route, params };
    }
    return null;
  }

  #list(method: string, count: number): Compiled[] {
    const key = `${method} ${count}`;
    const list = this.#routes.get(key) ?? [];
    this.#routes.set(key, list);
    return list;
  }
}

function pieceOf(segment: string): Piece {
  const literals: string[] = [];
  const names: string[] = [];
  let from = 0;
  for (const match of segment.matchAll(/\{([^{}]+)\}/g)) {
    literals.push(segment.slice(from, match.index));
    names.push(match[1] as string);
    from = match.index + match[0].length;
  }
  literals.push(segment.slice(from));
  const rest = names.length === 1 && segment.endsWith('+}') && literals.every((text) => text === '');
  return { literals, names: rest ? names.map((name) => name.slice(0, -1)) : names, rest };
}

/** Where paths could be of two templates, the one with the earlier literal segment is meant (OpenAPI §4.8.8). */
function literalFirst(a: Compiled, b: Compiled): number {
  for (const [index, piece] of a.pieces.entries()) {
    const other = b.pieces[index];
    if (other === undefined) return -1;
    const weight = weightOf(other) - weightOf(piece);
    if (weight !== 0) return weight;
  }
  return 0;
}

function weightOf({ literals, names }: Piece): number {
  return names.length === 0 ? Number.MAX_SAFE_INTEGER : literals.reduce((sum, text) => sum + text.length, 0);
}

function matched(pieces: readonly Piece[], segments: readonly string[]): Record<string, string> | null {
  const params: Record<string, string> = {};
  for (const [index, piece] of pieces.entries()) {
    const segment = segments[index];
    if (segment === undefined) return null;
    if (piece.rest) {
      params[piece.names[0] as string] = segments.slice(index).join('/');
      return params;
    }
    if (!fill(piece, segment, params)) return null;
  }
  return segments.length === pieces.length ? params : null;
}

/** Each parameter takes as little as it can, but something. Linear in the segment for each literal. */
function fill({ literals, names }: Piece, segment: string, params: Record<string, string>): boolean {
  const first = literals[0] as string;
  if (names.length === 0) return segment === first;
  if (!segment.startsWith(first)) return false;
  let at = first.length;
  for (const [index, name] of names.entries()) {
    const next = literals[index + 1] as string;
    const last = index === names.length - 1;
    const end = last ? segment.length - next.length : segment.indexOf(next, at + 1);
    if (end <= at || (last && !segment.endsWith(next))) return false;
    params[name] = segment.slice(at, end);
    at = end + next.length;
  }
  return true;
}
