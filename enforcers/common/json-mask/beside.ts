/**
 * Masked fields that are named by a value, with their own values beside: `{"name":"ssn","value":…}`, `[["ssn",…]]`, `{"columns":["id","ssn"],"rows":…}`.
 * Remembers for the lists and objects that are open which of their members and elements are masked for that. What a name follows must still be
 * here when the name is seen: the answer is refused then. Once it has left in an earlier chunk, nobody sees it.
 */
import { MaskFault } from './mask-fault.ts';

/** Where something was named, among what is open. */
export interface Standing {
  /** Of the list or object that the name stands in. */
  readonly depth: number;
  /** By depth: 1: a list. */
  readonly lists: readonly number[];
  readonly indexes: readonly number[];
  /** By depth: where it was opened in the chunk; -1: before. */
  readonly opened: readonly number[];
  /** Elements of the longest list in a list so far. */
  readonly longestRow: number;
  /** The chunk up to the name. */
  readonly before: string;
}

export class Beside {
  /** Bit n: element n of lists in lists; the last one: all from there on. */
  #columns = 0;
  /** By depth: which members are values of a masked field. */
  readonly #members: (Members | null)[] = [];

  opened(depth: number): void {
    this.#members[depth] = null;
  }

  /** Element `index` of a list in a list. */
  inRow(index: number): boolean {
    return ((this.#columns >>> Math.min(index, LAST)) & 1) === 1;
  }

  isValue(depth: number, name: string): boolean {
    return this.#members[depth]?.has(name.toLowerCase()) ?? false;
  }

  /** A text is the name of a masked field. @throws MaskFault */
  named(standing: Standing): void {
    const { depth, lists, indexes } = standing;
    const around = depth === 0 ? null : lists[depth - 1];
    if (lists[depth] === 0) {
      this.#told(depth, OF_OBJECTS, standing);
      if (around === 1) this.#column(indexes[depth - 1] as number, standing);
      return;
    }
    const index = indexes[depth] as number;
    this.#column(index, standing);
    // `["ssn", …]`, one of several; it may be the head of a table as well, so that both are taken
    if (around === 1 && index === 0) this.#column(1, standing);
    if (around === 0) this.#told(depth - 1, OF_LISTS, standing);
  }

  #told(depth: number, members: Members, { opened, before }: Standing): void {
    this.#members[depth] = members;
    const from = opened[depth] ?? -1;
    if (from < 0) return;
    for (const [, name = ''] of before.slice(from).matchAll(MEMBER))
      if (members.has(name.toLowerCase())) throw new MaskFault('a masked field is named behind its value');
  }

  #column(index: number, { longestRow }: Standing): void {
    if (index < longestRow) throw new MaskFault('a masked field is named behind its values');
    this.#columns |= 1 << Math.min(index, LAST);
  }
}

type Members = ReadonlySet<string>;
const LAST = 31;
const MEMBER = /"([A-Za-z_]{1,16})"\s*:/g;

/** How the value is called beside the name of its field, in lower case. */
const OF_LISTS: Members = new Set(['actual', 'input', 'received', 'rejected_value', 'rejectedvalue', 'value']);
const OF_OBJECTS: Members = new Set(
  [...OF_LISTS].concat(
    ['after', 'before', 'content', 'current', 'current_value', 'currentvalue', 'data', 'from', 'instance', 'new', 'new_value', 'newvalue'],
    ['old', 'old_value', 'oldvalue', 'previous', 'text', 'to', 'v', 'val', 'values'],
  ),
);
