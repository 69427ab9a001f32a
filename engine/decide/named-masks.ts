/**
 * Masks judged by name, where no catalog is at hand: the dry run of `interlock decide` and of policy tests. Nothing is rewritten, so nothing of
 * this may answer for a gateway: there a statement whose relations are not in the catalog is refused.
 */
import { type Facts, sqlOf } from '#schemas/facts';
import type { Effect, SqlFacts } from '#schemas/sql-facts';
import type { FactsReader, MaskRewriter, ReadContext, RewriteAnswer } from './ports.ts';

/** @param masks answers where the catalog is known */
export function maskingByName(facts: FactsReader, masks: MaskRewriter): MaskRewriter {
  return {
    rewrite: (text, columns, context) => {
      if (context.catalog !== null) return masks.rewrite(text, columns, context);
      const answer = (read: Facts): RewriteAnswer => {
        const masked = [...columns.keys()].filter((column) => touched(column, sqlOf(read), context));
        return { ok: true, rewrite: { text, masked, toOriginal: (offset) => offset } };
      };
      const read = facts.read(text, context);
      return read instanceof Promise ? read.then(answer) : answer(read);
    },
  };
}

const ROW_WRITES: ReadonlySet<Effect['verb']> = new Set(['insert', 'update', 'delete']);

/** Reading a table touches all of its masked columns, as in the gateway; a write only those that it names other than to set them. */
function touched(column: string, facts: SqlFacts, context: ReadContext): boolean {
  const { schema, table, name } = parts(column);
  return facts.effects.some((effect) => {
    const { object, statement } = effect;
    if (object.name !== table || (object.kind !== 'table' && object.kind !== 'view')) return false;
    if (object.schema !== undefined && object.schema !== schema && !mayBeBare(object.schema, context)) return false;
    return !writes(facts, statement, object.qualified) || uses(facts, statement, name);
  });
}

function writes(facts: SqlFacts, statement: number, qualified: string): boolean {
  return facts.effects.some((effect) => effect.statement === statement && ROW_WRITES.has(effect.verb) && effect.object.qualified === qualified);
}

function uses(facts: SqlFacts, statement: number, column: string): boolean {
  return facts.statements.some(
    ({ index, columns }) =>
      index === statement && columns.some((use) => use.in !== 'write' && (use.column.endsWith(`.${column}`) || use.column.endsWith('.*'))),
  );
}

/** A bare name is given the first schema of search_path, and matches in any (CONTRACT §1); a schema that is not on the path was written. */
function mayBeBare(schema: string, { settings }: ReadContext): boolean {
  return (settings['search_path'] ?? '"$user", public').includes(schema);
}

/** `public.customers.email` */
function parts(column: string): { readonly schema: string; readonly table: string; readonly name: string } {
  const [schema = '', table = '', ...name] = column.split('.');
  return { schema, table, name: name.join('.') };
}
