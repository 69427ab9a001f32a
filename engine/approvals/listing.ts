/** Which requests, newest first, and in pages: only what a page holds is made. */
import type { ApprovalView } from '#schemas/approval';
import type { Subject } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import { placeIn, sharesIdentity } from './chain.ts';
import type { Core } from './core.ts';
import type { ApprovalFilter, ApprovalPage } from './parts.ts';
import type { ApprovalRecord } from './record.ts';
import { type Entry, needsReview } from './store.ts';

const PAGE_MAX = 1_000;

export function listed(core: Core, filter: ApprovalFilter): readonly ApprovalView[] {
  return matching(core, filter).map((entry) => core.view(entry));
}

export function paged(core: Core, filter: ApprovalFilter, paging: { readonly limit: number; readonly cursor?: string | null }): ApprovalPage {
  const limit = Math.max(1, Math.min(PAGE_MAX, Math.floor(paging.limit)));
  const before = cursorOf(paging.cursor ?? null);
  const all = matching(core, filter);
  const rest = all.filter(({ record }) => record.first < before);
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return {
    items: page.map((entry) => core.view(entry)),
    next: last && rest.length > page.length ? String(last.record.first) : null,
    total: all.length,
  };
}

/** A position in the journal: what comes later was asked before it. */
function cursorOf(cursor: string | null): number {
  if (cursor === null) return Number.POSITIVE_INFINITY;
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new InterlockError('USAGE', 'this cursor is none that a page answered');
}

function matching(core: Core, filter: ApprovalFilter): readonly Entry[] {
  const states = filter.state === undefined || typeof filter.state === 'string' ? filter.state && [filter.state] : filter.state;
  const found: Entry[] = [];
  for (const entry of core.store.all()) {
    const { record } = entry;
    if (states && !states.includes(record.state)) continue;
    if (filter.target !== undefined && record.target !== filter.target) continue;
    if (filter.here && !entry.here) continue;
    if (filter.requestedBy && !sharesIdentity(record.subject, filter.requestedBy)) continue;
    if (filter.waitingFor && !waitsFor(core, record, filter.waitingFor)) continue;
    if (filter.reviewOpen && !reviewWaitsFor(core, record, filter.reviewOpen)) continue;
    if (filter.visible && !filter.visible(outlineOf(record))) continue;
    found.push(entry);
  }
  return found.toSorted((a, b) => b.record.first - a.record.first);
}

function waitsFor(core: Core, record: ApprovalRecord, human: Subject): boolean {
  if (record.state !== 'open') return false;
  const world = core.world(record);
  const { current, stages } = core.chain(record);
  const place = current && placeIn(current.stage, human, record.subject, world);
  if (!place) return false;
  const done = stages.flatMap(({ approving, denying }) => [...approving, ...denying]);
  return !place.humans.some((one) => done.some((other) => sharesIdentity(one, other, world)));
}

function reviewWaitsFor(core: Core, record: ApprovalRecord, human: true | Subject): boolean {
  const { glass } = record;
  if (!glass || !needsReview(record)) return false;
  if (human === true) return true;
  const asked = { id: 'review', order: 0, any_of: [...glass.reviewers], quorum: 1 };
  return placeIn(asked, human, record.subject, core.world(record)) !== null;
}

function outlineOf(record: ApprovalRecord): Parameters<NonNullable<ApprovalFilter['visible']>>[0] {
  const { approvalId: approval_id, state, requirement, subject, target, summary, reasons } = record;
  return { approval_id, state, requirement, subject, target, summary, reasons };
}
