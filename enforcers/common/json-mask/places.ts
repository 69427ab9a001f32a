/**
 * Where in a document one is, as far as masks care: the paths that are still being followed. Places are made as documents lead to them, once
 * each; a place without paths is left alone with all that is below it.
 */
import type { Mask } from '#schemas/decision';
import { FieldNames } from './field-names.ts';
import { ANSWER_LIMITS } from './limits.ts';
import { MaskFault } from './mask-fault.ts';
import type { MaskPath } from './mask-path.ts';
import { stricter } from './method.ts';

export interface NamedMask {
  /** As the policy named it: what the record counts. */
  readonly name: string;
  readonly path: MaskPath;
  readonly mask: Mask;
}

export interface Masking {
  readonly mask: Mask;
  readonly names: readonly string[];
}

export class Place {
  /** What stands here is masked, whole. */
  readonly masking: Masking | null;
  /** Something below may be. */
  readonly live: boolean;
  /** Folded names that lead to a place of their own, with their number (duplicates are told by it). */
  readonly #spelled: readonly string[];
  readonly #named: ReadonlyMap<string, number>;
  /** Bit n: some name has n bytes at its shortest spelling; bit 31: 31 or more. */
  readonly nameLengths: number;
  readonly #positions: readonly number[];
  readonly #places: Places;
  readonly #byName: (Place | undefined)[] = [];
  #other: Place | undefined;
  #element: Place | undefined;
  readonly #indexed: boolean;

  constructor(places: Places, positions: readonly number[], masking: Masking | null) {
    this.#places = places;
    this.#positions = positions;
    this.masking = masking;
    const steps = positions.flatMap((position) => places.stepAt(position) ?? []);
    this.live = steps.length > 0;
    const names = new Set(steps.flatMap(({ select }) => (select.by === 'name' ? [select.name] : [])));
    this.#spelled = [...names];
    this.#named = new Map(this.#spelled.map((name, number) => [name, number]));
    let lengths = 0;
    for (const name of names) lengths |= 1 << Math.min(31, Buffer.byteLength(name));
    this.nameLengths = lengths;
    this.#indexed = steps.some(({ select }) => select.by === 'index');
  }

  /** What masked fields are called, for texts that speak of them; null: nothing is masked by its name. */
  get fieldNames(): FieldNames | null {
    return this.#places.fieldNames;
  }

  /** Of what is masked for what stands beside it. */
  get withheld(): Place {
    return this.#places.withheld;
  }

  /** The same for a name in plain ASCII, where it stands. */
  numberAt(chunk: Uint8Array, start: number, end: number): number {
    const length = end - start;
    for (let number = 0; number < this.#spelled.length; number++) {
      const name = this.#spelled[number] as string;
      if (name.length !== length) continue;
      let at = 0;
      while (at < length && lower(chunk[start + at] as number) === name.charCodeAt(at)) at++;
      if (at === length) return number;
    }
    return -1;
  }

  /** -1: no path names it. */
  numberOf(folded: string): number {
    return this.#named.get(folded) ?? -1;
  }

  member(number: number): Place {
    const known = this.#byName[number];
    if (known) return known;
    const name = this.#spelled[number] as string;
    const positions = this.#positions.flatMap((position) =>
      this.#places.follow(position, (select) => select.by === 'any' || (select.by === 'name' && select.name === name), false),
    );
    return (this.#byName[number] = this.#places.at(positions));
  }

  /** A member that no path names. */
  get other(): Place {
    return (this.#other ??= this.#places.at(
      this.#positions.flatMap((position) => this.#places.follow(position, (select) => select.by === 'any', false)),
    ));
  }

  /** A path goes through a list whether it says `[*]` or not: it may only mask more. */
  element(index: number): Place {
    if (!this.#indexed) return (this.#element ??= this.#listed(-1));
    return this.#listed(index);
  }

  #listed(index: number): Place {
    return this.#places.at(
      this.#positions.flatMap((position) =>
        this.#places.follow(position, (select) => select.by === 'any' || (select.by === 'index' && select.index === index), true),
      ),
    );
  }
}

export class Places {
  readonly #masks: readonly NamedMask[];
  readonly #known = new Map<string, Place>();
  readonly root: Place;
  readonly fieldNames: FieldNames | null;
  readonly withheld: Place = new Place(this, [], WITHHELD);

  constructor(masks: readonly NamedMask[]) {
    this.#masks = masks;
    const names = masks.flatMap(({ path }) => lastName(path) ?? []);
    this.fieldNames = names.length === 0 ? null : new FieldNames([...new Set(names)]);
    this.root = this.at(masks.map((_, path) => positionOf(path, 0)));
  }

  /** Where each document of a stream stands: by itself, and as one of a list. */
  get line(): Place {
    return this.at(
      this.#masks.flatMap((_, path) => [positionOf(path, 0), ...this.follow(positionOf(path, 0), (select) => select.by === 'any', true)]),
    );
  }

  /** @throws MaskFault when a document leads to more places than is bearable */
  at(positions: readonly number[]): Place {
    const distinct = [...new Set(positions)].toSorted((a, b) => a - b);
    const key = distinct.join();
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#known.size === ANSWER_LIMITS.places) throw new MaskFault('it leads to too many places');
    const made = new Place(this, distinct, this.maskingOf(distinct));
    this.#known.set(key, made);
    return made;
  }

  stepAt(position: number): MaskPath[number] | undefined {
    return this.#masks[pathOf(position)]?.path[stepOf(position)];
  }

  maskingOf(positions: readonly number[]): Masking | null {
    const here = positions.flatMap((position) => {
      const named = this.#masks[pathOf(position)] as NamedMask;
      return stepOf(position) === named.path.length ? [named] : [];
    });
    if (here.length === 0) return null;
    return { mask: here.map(({ mask }) => mask).reduce(stricter), names: [...new Set(here.map(({ name }) => name))] };
  }

  /** The positions that one of them leads to by a member or an element. */
  follow(position: number, fits: (select: MaskPath[number]['select']) => boolean, element: boolean): number[] {
    const step = this.stepAt(position);
    if (!step) return [];
    const stays = step.deep || (element && step.select.by === 'name');
    return [...(stays ? [position] : []), ...(fits(step.select) ? [position + 1] : [])];
  }
}

/** What may hold masked values, and cannot be looked into. */
export const WITHHELD: Masking = { mask: { using: 'redact' }, names: [] };

/** What the masked field itself is called: `$.items[*].ssn[0]` is about an `ssn`. */
function lastName(path: MaskPath): string | undefined {
  return path.flatMap(({ select }) => (select.by === 'name' && select.name !== '' ? [select.name] : [])).at(-1);
}

const lower = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte);

/** A position is a path and how many of its steps were taken, in one number. */
const STRIDE = 256;
const positionOf = (path: number, step: number): number => path * STRIDE + step;
const pathOf = (position: number): number => Math.floor(position / STRIDE);
const stepOf = (position: number): number => position % STRIDE;
