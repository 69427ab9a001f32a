/** The real approvals behind an enforcer in this process, and Rita, who may decide. */
import { expect } from 'vitest';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { openApprovals, type ApprovalBook } from '#engine/approvals/approvals';
import type { ApprovalView } from '#schemas/approval';
import type { MemoryJournal } from './memory-journal.ts';
import { principal } from './postgres-gateway.ts';

export function openBook(journal: MemoryJournal): Promise<ApprovalBook> {
  const options = { journal, clock: systemClock, ids: new Ids(systemClock), log: silentLog, expireMs: 3_600_000, rememberDenialMs: 600_000 };
  return openApprovals({ ...options, publicUrl: 'https://interlock.example.com' });
}

/** Waits for the one open request with this in its text. */
export async function openedIn(book: ApprovalBook, text: string): Promise<ApprovalView> {
  const found = (): ApprovalView[] => book.list({ state: 'open' }).filter((one) => one.payload_text.includes(text));
  await expect.poll(() => found().length, { timeout: 15_000, interval: 5 }).toBe(1);
  return found()[0] as ApprovalView;
}

export function ritaSays(book: ApprovalBook, id: string, outcome: 'approve' | 'deny', comment?: string): Promise<ApprovalView> {
  const reviewer = principal('rita', {
    scopes: ['approve'],
    subject: { type: 'user', id: 'https://login.example.com|rita', properties: { login: 'rita', groups: ['owners'] } },
  });
  return book.verdict(id, { reviewer, outcome, ...(comment === undefined ? {} : { comment }) });
}
