/** What an agent did lately, as a case says it: what is not said is nothing yet. */
import type { Usage } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';

export const NO_USAGE: Usage = { statements_last_minute: 0, rows_last_hour: 0, objects_last_hour: 0, denials_last_5_minutes: 0 };

/** @throws InterlockError USAGE @param where as the message begins */
export function usageOf(value: unknown, where: string): Usage {
  const said = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : null;
  const wrong = said?.find(([key, count]) => !Object.hasOwn(NO_USAGE, key) || !Number.isSafeInteger(count) || (count as number) < 0);
  if (said === null || wrong !== undefined)
    throw new InterlockError('USAGE', `${where}: \`usage\` holds whole numbers of ${Object.keys(NO_USAGE).join(', ')}`);
  return { ...NO_USAGE, ...(Object.fromEntries(said) as Partial<Usage>) };
}
