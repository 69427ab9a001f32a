import type { Moment, Statement } from '#client/decision-service';
import type { Asked, Scene } from './asked.ts';

/** What a statement is judged by beside its facts. One literal for each shape: this is on the hot path. */
export function momentOf(asked: Asked, statement: Statement, { meter }: Pick<Scene, 'meter'>): Moment {
  const { action, statementId, transaction, settings, decoded: params, approval } = asked;
  const moment =
    approval === null ? { action, statementId, transaction, settings, params } : { action, statementId, transaction, settings, params, approval };
  return meter === null ? moment : { ...moment, usage: meter.usage(statement) };
}
