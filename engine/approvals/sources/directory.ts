/** `directory:manager`, `directory:owner`, `directory:role/NAME`: what `data.directory` of the policies in force says. */
import type { Directory } from '#schemas/directory';
import { Effect } from '#schemas/sql-facts';
import { People } from '../people.ts';
import type { Named } from '../world.ts';
import type { ApproverSource, SourceContext } from './source.ts';

/** The document in force; null: there is no revision that may be gone by. Checked when the policies were built. */
export type DirectoryInForce = () => Directory | null;

export class DirectorySource implements ApproverSource {
  readonly scheme = 'directory';
  readonly #inForce: DirectoryInForce;
  #known: { readonly directory: Directory | null; readonly people: People } = { directory: null, people: new People() };

  constructor(inForce: DirectoryInForce) {
    this.#inForce = inForce;
  }

  /** Of the last directory that was in force: links only take away, so the last ones known are better than none. */
  get people(): People {
    const directory = this.#inForce();
    if (directory !== null && directory !== this.#known.directory) this.#known = { directory, people: new People(directory.people) };
    return this.#known.people;
  }

  resolve(name: string, context: SourceContext): readonly Named[] | null {
    const directory = this.#inForce();
    if (directory === null) return null;
    if (name === 'manager') return managers(directory, context, this.people);
    if (name === 'owner') return owners(directory, context);
    const role = name.startsWith('role/') ? name.slice('role/'.length) : '';
    return own(directory.roles, role) ?? null;
  }
}

/** Of who asks; of the human behind an agent. */
function managers({ managers: known }: Directory, { subject }: SourceContext, people: People): readonly Named[] {
  const human = subject.properties.on_behalf_of ?? { id: subject.id, login: subject.properties.login };
  const names = people.namesOf(human).flatMap((name) => own(known, name) ?? []);
  return [...new Set(names.flatMap((name) => people.accountsOf(name)))].map((user) => ({ user }));
}

/** Who owns everything that is changed; where nothing is, everything that is read. */
function owners({ owners: rules = [] }: Directory, context: SourceContext): readonly Named[] {
  const touched = context.objects.map(touchedBy).filter((one) => one !== null);
  const changed = touched.filter(({ verb }) => !HARMLESS.has(verb));
  const objects = changed.length > 0 ? changed : touched.filter(({ verb }) => verb === 'read');
  const bound = objects.length > 0 ? objects : [{ verb: '', table: null }];
  const [first = new Map<string, Named>(), ...others] = bound.map(({ table }) => ownersOf(table, rules, context));
  return [...first].filter(([key]) => others.every((one) => one.has(key))).map(([, named]) => named);
}

const VERBS: ReadonlySet<string> = new Set(Effect.properties.verb.enum);
/** Verbs that change nothing that somebody owns. */
const HARMLESS: ReadonlySet<string> = new Set(['read', 'lock', 'execute', 'transaction']);

interface Touched {
  readonly verb: string;
  /** null: not a name that a rule could hold. */
  readonly table: string | null;
}

/** `update public.payments`: an effect. `2 before it: …` did something that no rule names. Other lines say what the names mean, nothing more. */
function touchedBy(line: string): Touched | null {
  if (/^\d+ before it: /.test(line)) return { verb: 'before', table: null };
  const space = line.indexOf(' ');
  const verb = line.slice(0, Math.max(0, space));
  return VERBS.has(verb) ? { verb, table: line.slice(space + 1) } : null;
}

function ownersOf(table: string | null, rules: NonNullable<Directory['owners']>, context: SourceContext): ReadonlyMap<string, Named> {
  const holding = rules.filter(
    (rule) =>
      (rule.target === undefined || rule.target === context.target) &&
      Object.entries(rule.labels ?? {}).every(([key, value]) => own(context.labels, key) === value) &&
      (rule.table === undefined || holds(rule.table, table)),
  );
  return new Map(holding.flatMap(({ approvers }) => approvers.map((named): [string, Named] => [JSON.stringify(named), named])));
}

/** `public.payments`, or `public.*`. */
function holds(pattern: string, table: string | null): boolean {
  if (table === null) return false;
  return pattern.endsWith('.*') ? table.startsWith(pattern.slice(0, -1)) : table === pattern;
}

function own<T>(of: Readonly<Record<string, T>> | undefined, key: string): T | undefined {
  return of !== undefined && Object.hasOwn(of, key) ? of[key] : undefined;
}
