/**
 * The groups of the latest verified token of each principal that this engine has seen: who lost a group since their verdict no longer counts.
 *
 * Its limit: the identity provider is not asked. A loss shows once the person presents a newer token here, at the API or at a target; until then, and
 * after a restart (this is memory), what counts is the token of the verdict itself. With short-lived tokens and a grant of minutes that is little;
 * where it is not, name people by `directory:role/…`, which is looked up in the policies in force.
 */
import type { Principal } from '#client/identity';
import type { Subject } from '#schemas/decision-request';

const PRINCIPALS_MAX = 100_000;
const PROGRAMS_MAX = 20_000;
/** Of all names of groups together. */
const CHARS_MAX = 16 * 1024 * 1024;

interface Seen {
  readonly groups: ReadonlySet<string>;
  readonly issuedAtMs: number;
  readonly chars: number;
}

export class SeenGroups {
  readonly #seen = new Map<string, Seen>();
  readonly #principalsMax: number;
  readonly #programs = new Set<string>();
  #chars = 0;

  constructor(principalsMax: number = PRINCIPALS_MAX) {
    this.#principalsMax = principalsMax;
  }

  /** Of a token that was verified. An older one than the last says nothing new. */
  see({ subject, issuedAtMs }: Principal): void {
    this.#note(subject);
    const before = this.#seen.get(subject.id);
    if (before && before.issuedAtMs > issuedAtMs) return;
    // of two tokens of one second nobody can say which is newer: what both have
    const groups =
      before?.issuedAtMs === issuedAtMs ? subject.properties.groups.filter((group) => before.groups.has(group)) : subject.properties.groups;
    const chars = groups.reduce((sum, group) => sum + group.length, subject.id.length);
    this.#seen.delete(subject.id);
    this.#seen.set(subject.id, { groups: new Set(groups), issuedAtMs, chars });
    this.#chars += chars - (before?.chars ?? 0);
    for (const [id, oldest] of this.#seen) {
      if (this.#seen.size <= this.#principalsMax && this.#chars <= CHARS_MAX) break;
      this.#seen.delete(id);
      this.#chars -= oldest.chars;
    }
  }

  /** A service account or agent that was seen under this login or id. */
  isProgram(name: string): boolean {
    return this.#programs.has(name);
  }

  /** Those of the human's own that the last token still had. */
  of({ id, properties: { groups } }: Subject): readonly string[] {
    const last = this.#seen.get(id);
    return last ? groups.filter((group) => last.groups.has(group)) : groups;
  }

  /** A human of the same login is a human. */
  #note({ type, id, properties: { login } }: Subject): void {
    for (const name of [id, login]) {
      if (type === 'user') this.#programs.delete(name);
      else if (this.#programs.size < PROGRAMS_MAX) this.#programs.add(name);
    }
  }
}
