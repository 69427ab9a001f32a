/** How a request ends by somebody's will: the requester takes it back, an approval is withdrawn, the policies moved on. */
import type { Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import { placeIn, sharesIdentity } from './chain.ts';
import { closed, type Core } from './core.ts';
import { settledEvent } from './drafts.ts';
import { isLive } from './fold.ts';
import type { Act } from './parts.ts';
import type { ApprovalRecord } from './record.ts';
import { checkToken } from './verdict.ts';
import type { World } from './world.ts';

export async function cancel(core: Core, approvalId: string, by: string | Act): Promise<void> {
  if (typeof by !== 'string') return cancelByToken(core, approvalId, by);
  const entry = await core.knownSoon(approvalId);
  const { id, properties } = entry.record.subject;
  const owner = properties.on_behalf_of;
  if (![id, properties.login, owner?.id, owner?.login].includes(by)) throw notRequester();
  await core.guarded(() => core.settle(entry, 'cancelled', { by: properties.login, detail: `cancelled by ${by}` }));
}

/** By whoever asked, or the human behind an agent that asked; never by a login alone, which two issuers may give to two people. */
async function cancelByToken(core: Core, approvalId: string, { by, comment }: Act): Promise<void> {
  core.checkUsable();
  const entry = await core.foundSoon(approvalId);
  core.checkWords(comment);
  await core.guarded(() =>
    core.store.serial.run(approvalId, () =>
      core.store.change(entry, (record) => {
        checkRequester(record, by);
        if (!isLive(record)) throw closed(record);
        return [settledEvent(record, 'cancelled', { by: by.subject.properties.login, ...said(comment) })];
      }),
    ),
  );
}

/** @throws InterlockError VERDICT_NOT_ELIGIBLE */
export function checkRequester({ subject }: ApprovalRecord, { subject: by }: Principal): void {
  if (by.id !== subject.id && by.id !== subject.properties.on_behalf_of?.id) throw notRequester();
}

/** Before it is used (up): whatever happens at the same time, compare-and-append lets one be first. */
export async function withdraw(core: Core, approvalId: string, { by, comment }: Act): Promise<ApprovalView> {
  core.checkUsable();
  const entry = await core.foundSoon(approvalId);
  core.checkWords(comment);
  return core.guarded(async () => {
    await core.expireIfPast(entry);
    await core.prepare(entry);
    await core.store.serial.run(approvalId, () =>
      core.store.change(entry, (record) => {
        checkWithdrawal(core, record, by);
        return [settledEvent(record, 'withdrawn', { by: by.subject.properties.login, ...said(comment) })];
      }),
    );
    return core.view(entry);
  });
}

/** By anybody who approved it, also if nobody asks them any more, and anybody whom one of its stages asks. */
export function checkWithdrawal(core: Core, record: ApprovalRecord, by: Principal): void {
  checkToken(by, core.clock);
  const world = core.world(record);
  if (!mayWithdraw(core, record, by, world))
    throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you have not approved it, and none of its stages asks you');
  if (record.state !== 'approved') throw closed(record);
}

function mayWithdraw(core: Core, record: ApprovalRecord, { subject }: Principal, world: World): boolean {
  if (record.verdicts.some(({ outcome, reviewer }) => outcome === 'approve' && sharesIdentity(reviewer, subject, world))) return true;
  return core.chain(record).stages.some(({ stage }) => placeIn(stage, subject, record.subject, world) !== null);
}

export async function supersede(core: Core, approvalId: string, detail: string): Promise<void> {
  const entry = await core.knownSoon(approvalId);
  await core.guarded(() => core.settle(entry, 'superseded', { detail: cut(detail, core.options.limits.summaryCharsMax) }));
}

function notRequester(): InterlockError {
  return new InterlockError('VERDICT_NOT_ELIGIBLE', 'only the requester cancels a request');
}

function said(comment: string | undefined): { readonly detail?: string } {
  return comment === undefined || comment === '' ? {} : { detail: comment };
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
}
