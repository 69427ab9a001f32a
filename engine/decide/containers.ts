/** The containers that a policy makes, by where it makes them, and what the analysis of reads knows to be in them. */
import { type Abstract, BOTTOM, elementsOf, isConstant, join, OTHER, readDeep, readKeys, signature, Site } from './abstract-value.ts';
import { dot } from './builtin-reads.ts';
import type { Block, Stmt } from './plan.ts';

export class Containers {
  readonly #sites = new Map<string, Site>();
  readonly #ordinals = new Map<Stmt, number>();

  /** Equal when nothing more is known. */
  get fingerprint(): string {
    return [...this.#sites.values()].map((site) => `${signature(site.element)};${signature(site.key)};${site.deep};${String(site.literal)}`).join();
  }

  /** The container that a statement makes: the same one in every activation of its function. */
  madeAt(at: Stmt, activation: { readonly name: string; readonly block: Block }, kind: Site['kind'], suffix: string = ''): Site {
    const ordinal = this.#ordinals.get(at) ?? this.#ordinals.size;
    this.#ordinals.set(at, ordinal);
    const id = `${activation.name}:${ordinal}${suffix}`;
    let site = this.#sites.get(id);
    if (!site) this.#sites.set(id, (site = new Site(this.#sites.size, kind, activation.block)));
    if (site.literal) site.literal = [];
    return site;
  }

  append(array: Abstract, value: Abstract, block: Block): void {
    for (const site of array.sites) {
      const [only] = value.constants;
      if (site.home === block && isConstant(value) && value.constants.size === 1 && only !== undefined) site.literal?.push(only);
      else site.literal = null;
    }
    this.put(array, BOTTOM, value);
  }

  put(container: Abstract, key: Abstract, value: Abstract): void {
    readDeep(key);
    for (const site of container.sites) {
      site.element = join(site.element, value);
      site.key = join(site.key, key);
      if (site.deep) readDeep(value);
    }
  }
}

/** `source[key]` */
export function lookUp(source: Abstract, key: Abstract): Abstract {
  if (isConstant(key) && key.constants.size > 0) {
    return [...key.constants].map((step) => dot(source, step)).reduce(join, members(source, key));
  }
  readDeep(key);
  readKeys(source);
  return join(elementsOf(source), members(source, key));
}

/** Looking something up in a set answers the thing itself. */
function members(source: Abstract, key: Abstract): Abstract {
  return [...source.sites].some((site) => site.kind === 'set') || source.other ? join(key, OTHER) : BOTTOM;
}
