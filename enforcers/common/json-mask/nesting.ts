/** The lists and objects that are open, the outermost first. */
import { Beside } from './beside.ts';
import { MaskFault } from './mask-fault.ts';
import type { Place } from './places.ts';

export class Nesting {
  depth = 0;
  /** 1: a list. */
  readonly #lists: number[] = [];
  readonly #places: Place[] = [];
  readonly #seen: number[] = [];
  readonly #indexes: number[] = [];
  /** Where in the chunk; -1: before it. */
  readonly #opened: number[] = [];
  #longestRow = 0;
  /** null: no text was the name of a masked field so far. */
  #beside: Beside | null = null;

  /** The innermost is a list. */
  get inList(): boolean {
    return this.#lists[this.depth - 1] === 1;
  }

  /** Of the innermost. */
  get place(): Place {
    return this.#places[this.depth - 1] as Place;
  }

  /** A chunk follows. */
  forget(): void {
    if (this.depth > 0) this.#opened.fill(-1);
  }

  /** @returns the place of its first element */
  open(list: boolean, place: Place, at: number): Place {
    const depth = this.depth;
    this.#lists[depth] = list ? 1 : 0;
    this.#places[depth] = place;
    this.#seen[depth] = 0;
    this.#indexes[depth] = 0;
    this.#opened[depth] = at;
    this.#beside?.opened(depth);
    this.depth = depth + 1;
    return list && place.live ? this.#element(place, 0) : place;
  }

  /** @throws MaskFault when the innermost is something else */
  close(list: boolean, empty: boolean): void {
    const depth = this.depth - 1;
    if ((this.#lists[depth] === 1) !== list) throw new MaskFault('it is not JSON');
    if (list && depth > 0 && this.#lists[depth - 1] === 1 && !empty)
      this.#longestRow = Math.max(this.#longestRow, (this.#indexes[depth] as number) + 1);
    this.depth = depth;
  }

  /** Of the next element of the list. */
  next(): Place {
    const top = this.depth - 1;
    const place = this.#places[top] as Place;
    const index = (this.#indexes[top] as number) + 1;
    this.#indexes[top] = index;
    return place.live ? this.#element(place, index) : place;
  }

  /** Elements of a list in a list are columns, some of which may have been named. */
  #element(place: Place, index: number): Place {
    const row = this.#beside !== null && this.depth > 1 && this.#lists[this.depth - 2] === 1;
    return row && this.#beside?.inRow(index) === true ? place.withheld : place.element(index);
  }

  /** A member that a mask goes by stands once in its object. @throws MaskFault */
  once(number: number): void {
    if (number >= NUMBERS_TOLD) return;
    const top = this.depth - 1;
    const seen = this.#seen[top] as number;
    // the first ones, which are nearly all, stay whole numbers of 32 bits
    const told = number < INTEGER_BITS ? (seen & (1 << number)) !== 0 : Math.floor(seen / 2 ** number) % 2 === 1;
    if (told) throw new MaskFault('a member stands in it twice');
    this.#seen[top] = seen + (number < INTEGER_BITS ? 1 << number : 2 ** number);
  }

  /** A value of the innermost is the name of a masked field. @throws MaskFault */
  named(chunk: Buffer, at: number): void {
    if (this.depth === 0) return;
    this.#beside ??= new Beside();
    this.#beside.named({
      depth: this.depth - 1,
      lists: this.#lists,
      indexes: this.#indexes,
      opened: this.#opened,
      longestRow: this.#longestRow,
      before: chunk.toString('latin1', 0, at),
    });
  }

  /** The member that is called so stands beside the name of a masked field, as its value. */
  isValue(chunk: Buffer, start: number, end: number): boolean {
    return this.#beside?.isValue(this.depth - 1, chunk.toString('latin1', start, end)) === true;
  }
}

/** More names than this in one place are not told apart when they repeat; each is masked all the same. */
const NUMBERS_TOLD = 52;
const INTEGER_BITS = 30;
