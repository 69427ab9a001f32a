import type { SqlFacts } from '#schemas/sql-facts';

const OBJECTS_SHOWN = 5;

/** One plain sentence of what a statement does, from its facts: `UPDATE: update public.payments, read public.payments`. */
export function summaryOf(facts: SqlFacts): string {
  const kinds = facts.statements.filter((one) => one.parent === null).map((one) => one.kind.replaceAll('_', ' ').toUpperCase());
  const effects = [...new Set(facts.effects.map((effect) => `${effect.verb} ${effect.object.qualified}`))];
  const shown = effects.slice(0, OBJECTS_SHOWN).join(', ');
  const more = effects.length > OBJECTS_SHOWN ? ` and ${effects.length - OBJECTS_SHOWN} more` : '';
  const opaque = facts.opaque.length > 0 ? `; cannot be seen: ${[...new Set(facts.opaque.map((one) => one.code))].join(', ')}` : '';
  return `${kinds.join('; ') || 'nothing'}${shown && `: ${shown}${more}`}${opaque}`;
}
