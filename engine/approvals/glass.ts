/** Break-glass: in an emergency the requester takes the approval themselves, by rules of its own, before everybody's eyes; somebody else looks at it afterwards. */
import { timestamp } from '#client/clock';
import type { Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import { isHuman, placeIn, sharesIdentity } from './chain.ts';
import { closed, type Core } from './core.ts';
import { checkReason, whyNotShown } from './deciding.ts';
import { glassEvents, reviewedEvent } from './drafts.ts';
import type { ApprovalRecord } from './record.ts';
import type { GlassRule } from './rules-document.ts';
import { type Entry, needsReview } from './store.ts';
import { checkToken } from './verdict.ts';

export async function breakGlass(core: Core, approvalId: string, act: { readonly by: Principal; readonly reason: string }): Promise<ApprovalView> {
  core.checkUsable();
  const entry = await core.foundSoon(approvalId);
  core.checkWords(act.reason);
  return core.guarded(async () => {
    await core.expireIfPast(entry);
    await core.prepare(entry);
    // One at a time: two at once would each not see the other's open review.
    await core.store.serial.run('break-glass', () =>
      core.store.serial.run(approvalId, () =>
        core.store.change(
          entry,
          (record) => {
            const rule = glassRule(core, entry, act.by);
            checkReason(act.reason, 'say what the emergency is: everybody reads it');
            const lifeS = Math.min(rule.validForS, record.requirement.valid_for_s);
            const validUntil = timestamp(core.clock.wallUs() + lifeS * 1_000_000);
            return glassEvents(record, act.by, { reason: act.reason, rule, validUntil });
          },
          ALONE,
        ),
      ),
    );
    return core.view(entry);
  });
}

/** An open review of the same human may be of another request, or of another account. */
const ALONE = true;

/**
 * The rule that lets them; neither a freeze nor a window is asked here: they are at use, and no rule beats a freeze.
 * @throws InterlockError VERDICT_TOKEN, BREAK_GLASS_REFUSED, VERDICT_CLOSED, VERDICT_NOT_SHOWN, BREAK_GLASS_REVIEW_OPEN
 */
export function glassRule(core: Core, entry: Entry, by: Principal): GlassRule {
  const { record } = entry;
  checkToken(by, core.clock);
  const own = isHuman(by.subject) && isHuman(record.subject) && by.subject.id === record.subject.id;
  if (!own)
    throw new InterlockError('BREAK_GLASS_REFUSED', 'only a human breaks the glass, and only for a request of their own, not of an agent or service');
  if (record.state !== 'open') throw closed(record);
  const rule = core.rules.glassRuleFor(record, by, core.world(record));
  if (!rule) throw new InterlockError('BREAK_GLASS_REFUSED', `no rule lets you break the glass on ${record.target}`);
  const whyNot = whyNotShown(entry);
  if (whyNot !== null) throw new InterlockError('VERDICT_NOT_SHOWN', `what cannot be shown whole cannot be looked at afterwards: ${whyNot}`);
  const before = openReviewOf(core, record, by);
  if (before !== null) throw new InterlockError('BREAK_GLASS_REVIEW_OPEN', `the review of ${before} is still open`);
  return rule;
}

export async function review(
  core: Core,
  approvalId: string,
  given: { readonly by: Principal; readonly outcome: 'justified' | 'unjustified'; readonly comment: string },
): Promise<ApprovalView> {
  core.checkUsable();
  const entry = await core.foundSoon(approvalId);
  core.checkWords(given.comment);
  return core.guarded(async () => {
    await core.prepare(entry);
    await core.store.serial.run(approvalId, () =>
      core.store.change(entry, (record) => {
        checkReviewer(core, record, given.by);
        checkReason(given.comment, 'say what you found');
        return [reviewedEvent(record, given)];
      }),
    );
    return core.view(entry);
  });
}

/** @throws InterlockError VERDICT_TOKEN, VERDICT_CLOSED, VERDICT_SELF, VERDICT_NOT_ELIGIBLE */
export function checkReviewer(core: Core, record: ApprovalRecord, by: Principal): void {
  checkToken(by, core.clock);
  const { glass } = record;
  const world = core.world(record);
  if (!glass || glass.review) throw new InterlockError('VERDICT_CLOSED', glass ? 'its review is closed' : 'no glass was broken for it');
  if (sharesIdentity(by.subject, glass.by, world)) {
    throw new InterlockError('VERDICT_SELF', 'whoever broke the glass, or shares an identity with them, does not review it');
  }
  const asked = { id: 'review', order: 0, any_of: [...glass.reviewers], quorum: 1 };
  if (!placeIn(asked, by.subject, record.subject, world)) throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you are not among those who review it');
}

/** The request whose review the same human still owes, by linked identities too; null: none. */
function openReviewOf(core: Core, asked: ApprovalRecord, { subject }: Principal): string | null {
  const world = core.world(asked);
  for (const { record } of core.store.all()) {
    if (needsReview(record) && record.glass && sharesIdentity(record.glass.by, subject, world)) return record.approvalId;
  }
  return null;
}
