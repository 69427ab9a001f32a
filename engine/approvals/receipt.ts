/** The proof of one use: a digest over what was used, by whom and for which statement. The enforcer writes it into `statement.cleared`. */
import { createHash } from 'node:crypto';
import type { ApprovalRecord } from './record.ts';

export function receiptOf(record: ApprovalRecord, use: { readonly statementId: string; readonly enforcer: string; readonly nonce: string }): string {
  const { approvalId, binding, requirement, used } = record;
  const settings = Object.entries(binding.settings).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const fields = [
    'interlock approval receipt 1',
    [approvalId, used + 1, requirement.digest],
    [use.statementId, use.enforcer, use.nonce],
    [binding.principal, binding.on_behalf_of, binding.target, binding.database, binding.role],
    [binding.payload, binding.params, settings, binding.transaction, binding.objects, binding.session ?? null],
  ];
  return `sha256:${createHash('sha256').update(JSON.stringify(fields)).digest('hex')}`;
}
