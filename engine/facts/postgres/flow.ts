/** P10: bind parameters that end up as SQL text, a name of a setting, a file or a host. They stand in the `opaque` entries that tell of them. */
import { type Facts, isSql } from '#schemas/facts';
import type { SqlFacts } from '#schemas/sql-facts';

/** `pg_catalog.set_config: argument 1 is not constant, from $1, $2` */
export function notConstant(name: string, argument: string, params: ReadonlySet<number>): string {
  const from = [...params].sort((a, b) => a - b).map((number) => `$${number}`);
  return `${name}: ${argument} is not constant${from.length === 0 ? '' : `, from ${from.join(', ')}`}`;
}

/** The parameters whose value is code, or names what is done: `flows_to_code` of CONTRACT §1 `Param`. */
export function paramsThatFlowToCode(facts: Facts): ReadonlySet<number> {
  return isSql(facts) ? flowing(facts) : NONE;
}

const NONE: ReadonlySet<number> = new Set();

function flowing(facts: SqlFacts): ReadonlySet<number> {
  const found = new Set<number>();
  for (const { code, detail } of facts.opaque) {
    if (code !== 'dynamic_code') continue;
    const from = /, from (\$\d+(?:, \$\d+)*)$/.exec(detail)?.[1];
    for (const number of from?.split(', ') ?? []) found.add(Number(number.slice(1)));
  }
  return found;
}
