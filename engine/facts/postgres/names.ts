/** What the server ships under which name (generated: tools/postgres-names). */
import { readFileSync } from 'node:fs';
import type { FunctionClass } from '#schemas/sql-facts';
import type { ParserMajor } from './parser.ts';

export interface KnownFunction {
  readonly class: FunctionClass;
  readonly volatility: 'i' | 's' | 'v';
  /** One value; a row of these columns; or perhaps a row, of whatever. */
  readonly gives: 'value' | 'row' | readonly string[];
  /** `f(c)`, which may be written `c.f`, works on any row. */
  readonly takesRow: boolean;
}

export interface Names {
  readonly functions: ReadonlyMap<string, KnownFunction>;
  /** Of contrib: installed anywhere, so known by their bare name. */
  readonly extensionFunctions: ReadonlyMap<string, KnownFunction>;
  readonly operators: ReadonlySet<string>;
  readonly types: ReadonlySet<string>;
  readonly extensionTypes: ReadonlySet<string>;
  /** Of pg_catalog. */
  readonly relations: ReadonlySet<string>;
  readonly informationSchema: ReadonlySet<string>;
}

interface Stored {
  readonly functions: Readonly<Record<string, string>>;
  readonly extension_functions: Readonly<Record<string, string>>;
  readonly operators: readonly string[];
  readonly types: readonly string[];
  readonly extension_types: readonly string[];
  readonly relations: readonly string[];
  readonly information_schema: readonly string[];
}

const loaded = new Map<ParserMajor, Names>();

export function namesOf(major: ParserMajor): Names {
  const known = loaded.get(major);
  if (known) return known;
  const stored = JSON.parse(readFileSync(new URL(`./data/names-${major}.json`, import.meta.url), 'utf8')) as Stored;
  const names: Names = {
    functions: functionsOf(stored.functions),
    extensionFunctions: functionsOf(stored.extension_functions),
    operators: new Set(stored.operators),
    types: new Set(stored.types),
    extensionTypes: new Set(stored.extension_types),
    relations: new Set(stored.relations),
    informationSchema: new Set(stored.information_schema),
  };
  loaded.set(major, names);
  return names;
}

/** "class volatility", then `w` if it takes a row, then what it gives unless that is a value: `r` or columns */
function functionsOf(stored: Readonly<Record<string, string>>): ReadonlyMap<string, KnownFunction> {
  return new Map(
    Object.entries(stored).map(([name, use]) => {
      const [given, volatility, ...rest] = use.split(' ') as [FunctionClass, KnownFunction['volatility'], ...string[]];
      const row = rest.at(-1);
      const gives = row === undefined || row === 'w' ? 'value' : row === 'r' ? 'row' : row.split(',');
      return [name, { class: given, volatility, gives, takesRow: rest[0] === 'w' }];
    }),
  );
}
