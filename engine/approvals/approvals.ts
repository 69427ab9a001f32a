/** Approval requests: asked by enforcers, decided by reviewers, used once or as often as granted. DESIGN §1, SECURITY §1.5. */
import { Book } from './book.ts';
import { readHistory, readOwn } from './history.ts';
import { APPROVAL_LIMITS } from './limits.ts';
import type { ApprovalBook, ApprovalOptions } from './parts.ts';

export { tellingEnds } from './ends.ts';
export type { Applied, FollowedLog, OrderedDraft } from './ordering/parts.ts';
export { type Forged, openSharedLog, type SharedLogOptions } from './ordering/shared-log.ts';
export type { ApprovalBook, ApprovalFilter, ApprovalOptions } from './parts.ts';

/** Rebuilds the requests from the journal, ends what ended meanwhile, and takes new ones. */
export async function openApprovals(options: ApprovalOptions): Promise<ApprovalBook> {
  const limits = { ...APPROVAL_LIMITS, ...options.limits };
  const { journal, clock, log } = options;
  const book = new Book({ ...options, limits });
  if (options.ordered) {
    const { seenUs, uses } = await readOwn(journal, options.ordered);
    await book.follow(options.ordered, seenUs, uses);
    return book;
  }
  const { entries, seenUs } = await readHistory({ journal, clock, log, closedMax: limits.closedMax });
  await book.restore(entries, seenUs);
  return book;
}
