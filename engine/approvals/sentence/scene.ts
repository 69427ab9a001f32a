/** What a sentence is made from beside the words: the facts of the statement. Every name that is told as changed must be an effect there. */
import type { Effect, SqlFacts, SqlStatement } from '#schemas/sql-facts';
import { grouped } from '#client/shown';
import { NotFollowed } from './cursor.ts';
import { name } from './names.ts';
import type { Word } from './words.ts';

export class Scene {
  readonly statement: SqlStatement;
  /** What the target's planner expects, in words: `about 1,200`; null: not known. */
  readonly about: string | null;
  /** Written in the text. */
  readonly effects: readonly Effect[];
  readonly #told = new Set<Effect>();
  /** Told by the name that the facts have. */
  readonly #named = new Set<Effect>();
  /** How the rows of each part that changes some are chosen. */
  readonly parts: ('all' | 'some')[] = [];

  constructor(facts: SqlFacts, statement: SqlStatement, rows: number | null) {
    this.statement = statement;
    this.about = rows === null ? null : about(rows);
    this.effects = facts.effects.filter((effect) => effect.statement === statement.index && effect.via.length === 0);
  }

  /** A thing that the statement changes, as the facts know it: not followed unless they do. */
  changes(verb: Effect['verb'], path: readonly string[]): string {
    const found = this.effects.filter((effect) => effect.verb === verb && isNamed(effect, path));
    const [first] = found;
    if (first === undefined) throw new NotFollowed(`no ${verb} of ${path.join('.')} in the facts`);
    for (const effect of found) {
      this.#told.add(effect);
      this.#named.add(effect);
    }
    return said(first);
  }

  /** What is said tells also what else is done to the same thing. */
  alsoChanges(path: readonly string[], ...verbs: readonly Effect['verb'][]): void {
    for (const effect of this.effects) if (verbs.includes(effect.verb) && isNamed(effect, path)) this.#told.add(effect);
  }

  /** What is said quotes all that these effects come from. */
  quotes(...verbs: readonly Effect['verb'][]): void {
    for (const effect of this.effects) if (verbs.includes(effect.verb)) this.#told.add(effect);
  }

  /** Those that no words were found for. */
  get untold(): readonly Effect[] {
    return this.effects.filter((effect) => !this.#told.has(effect) && effect.verb !== 'read');
  }

  /** Names without a schema in the text, of another schema than `public`. */
  elsewhere(words: readonly Word[]): readonly string[] {
    const written = new Set(words.map(({ text }) => text.replace(/^"|"$/g, '')));
    const names = this.effects
      .filter((effect) => !this.#named.has(effect) && isElsewhere(effect) && !written.has(effect.object.schema ?? ''))
      .map(({ object }) => `${name(object.name)} is ${name(object.qualified)}`);
    return [...new Set(names)];
  }

  /** A thing that is told by its written name: not followed unless the facts have an effect on one of that name. */
  knows(path: readonly string[]): void {
    if (!this.effects.some((effect) => isNamed(effect, path))) throw new NotFollowed(`no ${path.join('.')} in the facts`);
  }
}

const USUAL_SCHEMAS: ReadonlySet<string | undefined> = new Set([undefined, 'public', 'pg_catalog']);

/** Columns and triggers have their table's name as a schema. */
function isElsewhere({ object: { schema } }: Effect): boolean {
  return !USUAL_SCHEMAS.has(schema) && schema?.startsWith('public.') !== true;
}

/** `public.` goes without saying. */
export function said({ object, confidence }: Effect): string {
  const plain = object.schema === 'public' && object.qualified === `public.${object.name}` ? object.name : object.qualified;
  return `${name(plain)}${confidence === 'ambiguous' || confidence === 'unknown' ? ' (which one cannot be told)' : ''}`;
}

/** Two digits are enough. */
export function about(rows: number): string {
  const scale = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, rows))) - 1);
  return `about ${grouped(Math.round(rows / scale) * scale)}`;
}

function isNamed({ object }: Effect, path: readonly string[]): boolean {
  const schema = path.at(-2);
  return object.name === path.at(-1) && (schema === undefined || object.schema === schema || object.schema === undefined);
}
