/** What statements of different protocols have, and how they are called. */
import type { StatementItem } from '#schemas/review';

/** Rows and SQLSTATE are a database's; an API and an MCP server have neither. */
export function isSql({ action }: Pick<StatementItem, 'action'>): boolean {
  return action.startsWith('sql.');
}

/** `UPDATE public.payments`; of a request its method says what the verb would: `POST /refunds`. */
export function touchedWords({ action, touched }: Pick<StatementItem, 'action' | 'touched'>): string {
  return (action === 'http.request' ? touched.map((one) => one.replace(VERB, '')) : touched).join(', ');
}

const VERB = /^[A-Z_]+ (?=[A-Z]+ \/)/;

/** A request without a body ends with empty lines: in a list they say nothing. */
export function trimmed(text: string): string {
  return text.replace(/\s+$/, '');
}
