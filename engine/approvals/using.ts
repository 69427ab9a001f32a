/** One use of an approval: everything is judged again, and compare-and-append decides who was first. */
import type { Receipt } from '#client/approvals';
import { InterlockError } from '#schemas/errors';
import { boundOf, differing } from './binding.ts';
import { type Core, voided } from './core.ts';
import { isPast } from './deadline.ts';
import { consumedEvent, type Use } from './drafts.ts';
import { began } from './executions.ts';
import { otherRequirement } from './opening.ts';
import { receiptOf } from './receipt.ts';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';
import { whyVoid } from './view.ts';
import { refsOf } from './world.ts';

export async function consume(core: Core, approvalId: string, use: Use): Promise<Receipt> {
  core.checkUsable();
  const entry = await core.knownSoon(approvalId);
  return core.guarded(async () => {
    await core.expireIfPast(entry);
    await core.prepare(entry);
    return core.store.serial.run(approvalId, () => consumeHere(core, entry, use));
  });
}

async function consumeHere(core: Core, entry: Entry, use: Use): Promise<Receipt> {
  const { approvalId, requirement } = entry.record;
  const bound = boundOf(use.draft, requirement, core.options.codeParams);
  const differs = entry.bound ? differing(entry.bound, bound) : 'payload';
  if (differs === 'requirement') await core.settleHere(entry, 'superseded', { detail: otherRequirement(entry.record, use.draft) });
  if (differs !== null) throw voided(approvalId, `its ${differs} is another`);
  await closeWithoutQuorum(core, entry);
  let receipt = '';
  await core.store.change(entry, (record) => {
    const earlier = record.uses.find(({ nonce }) => nonce === use.nonce);
    receipt = earlier?.receipt ?? receiptOf(record, use);
    if (earlier) return repeated(record, earlier, use);
    checkGrant(core, entry, record);
    return [consumedEvent(record, use, receipt)];
  });
  began(core, entry, use.statementId);
  return { approvalId, receipt };
}

const NO_QUORUM = 'its quorum is not met: somebody who approved it is not asked any more';

/** Who approved it lost their part in it: nobody should ask with it again. While a source does not answer, that is not known, and it stays. */
async function closeWithoutQuorum(core: Core, entry: Entry): Promise<void> {
  const { record } = entry;
  if (record.state !== 'approved' || record.glass || core.chain(record).complete) return;
  const world = core.world(record);
  if (refsOf(record.requirement).some((ref) => world.resolve(ref) === null)) return;
  await core.settleHere(entry, 'superseded', { detail: NO_QUORUM });
  throw voided(record.approvalId, NO_QUORUM);
}

/** Judged again at use: the state, both clocks, the quorum of distinct humans who are asked now (or the glass), freezes and windows. */
function checkGrant(core: Core, { deadline }: Entry, record: ApprovalRecord): void {
  if (record.state !== 'approved') throw voided(record.approvalId, whyVoid(record));
  if (isPast(core.clock, deadline)) throw voided(record.approvalId, 'it is expired');
  if (!record.glass && !core.chain(record).complete) throw voided(record.approvalId, 'its quorum is not met');
  core.rules.checkUse(record);
  const missing = core.ordered.whyIncomplete(record.last);
  if (missing !== null) throw new InterlockError('APPROVAL_UNAVAILABLE', `the approval cannot be used now: ${missing}`);
}

/** The same nonce for the same statement: the answer was lost, and is given again. */
function repeated(record: ApprovalRecord, earlier: { readonly statementId: string; readonly enforcer: string }, use: Use): [] {
  if (earlier.statementId === use.statementId && earlier.enforcer === use.enforcer) return [];
  throw voided(record.approvalId, 'this nonce was used for another statement');
}
