/** The inbox: what waits for the reader, what they asked for, all that they may read, and broken glass whose review is open. */
import { shown, shownAgain } from '#client/shown';
import { type ApprovalView, APPROVAL_STATES } from '#schemas/approval';
import { INBOX_BOXES, type InboxItem, type InboxPage } from '#schemas/review';
import { mayReadOutline, visibleTo } from '../access.ts';
import type { Answer, Call, Route } from '../call.ts';
import { limit, oneOf, optional, readQuery, words } from '../fields.ts';
import { LIMITS } from '../limits.ts';
import type { BookFilter, Outline, Reader, ReviewBook } from '../parts.ts';

export const INBOX_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/inbox$/, scope: 'any', query: ['box', 'state', 'target', 'q', 'cursor', 'limit'], answer: inbox },
];

const QUERY = {
  box: optional(oneOf(...INBOX_BOXES)),
  state: optional(oneOf(...APPROVAL_STATES)),
  target: optional(words),
  q: optional(words),
  cursor: optional(words),
  limit: optional(limit),
};

type Box = (typeof INBOX_BOXES)[number];

async function inbox({ house, reader, query }: Call): Promise<Answer> {
  const { box = 'to_decide', state, target, q, cursor, limit: size = LIMITS.pageDefault } = readQuery(query, QUERY);
  const book = house.parts.approvals;
  const filter = filterOf(box, reader, book);
  if (filter === null) return { document: { items: [], next: null, total: 0 } satisfies InboxPage };
  const wanted = wordsOf(q);
  const page = book.page(
    {
      ...filter,
      ...(state === undefined ? {} : { state }),
      ...(target === undefined ? {} : { target }),
      visible: (outline) => (filter.visible?.(outline) ?? true) && holds(outline, wanted),
    },
    { limit: size, cursor: cursor ?? null },
  );
  const items: InboxItem[] = [];
  for (const view of page.items) items.push(itemOf(view, house.parts.targets[view.target], await isMine(box, view, reader, book)));
  return { document: { items, next: page.next, total: Math.min(page.total, 10_000) } satisfies InboxPage };
}

/** null: nothing can be in it. */
function filterOf(box: Box, reader: Reader, book: ReviewBook): BookFilter | null {
  const { subject, scopes } = reader.principal;
  const decides = scopes.includes('approve');
  switch (box) {
    case 'to_decide':
      return decides ? { waitingFor: subject } : null;
    case 'asked':
      return { requestedBy: subject, visible: (outline) => mayReadOutline(reader, outline) };
    case 'all':
      return { visible: visibleTo(reader, book) };
    case 'reviews':
      return reader.all ? { reviewOpen: true } : decides ? { reviewOpen: subject } : null;
  }
}

async function isMine(box: Box, view: ApprovalView, { principal }: Reader, book: ReviewBook): Promise<boolean> {
  if (box === 'to_decide') return true;
  if (view.state !== 'open' || !principal.scopes.includes('approve')) return false;
  const abilities = await book.abilities(view.approval_id, principal);
  return abilities.some(({ act, allowed }) => allowed && (act === 'approve' || act === 'deny'));
}

function wordsOf(q: string | undefined): readonly string[] {
  return (q ?? '')
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '')
    .slice(0, 20);
}

function holds({ approval_id, subject, target, summary, reasons }: Outline, wanted: readonly string[]): boolean {
  if (wanted.length === 0) return true;
  const { login, on_behalf_of: owner } = subject.properties;
  const text = [approval_id, login, owner?.login ?? '', target, summary, ...reasons.map(({ code }) => code)].join('\n').toLowerCase();
  return wanted.every((word) => text.includes(word));
}

function itemOf(view: ApprovalView, env: string | undefined, mine: boolean): InboxItem {
  const { login, on_behalf_of: owner } = view.subject.properties;
  const stage = view.progress.find((one) => one.state === 'asked' || (one.state === undefined && one.approved_by.length < one.needed));
  const sum = (count: (one: ApprovalView['progress'][number]) => number): number => view.progress.reduce((all, one) => all + count(one), 0);
  return {
    approval_id: view.approval_id,
    state: view.state,
    summary: shownAgain(view.summary),
    login: shown(login),
    ...(owner === undefined ? {} : { on_behalf_of: shown(owner.login) }),
    subject_type: view.subject.type,
    target: view.target,
    ...(env === undefined ? {} : { env }),
    requested_at: view.requested_at,
    expires_at: view.valid_until ?? view.expires_at,
    codes: [...new Set(view.reasons.map(({ code }) => shown(code)))],
    ...(stage === undefined || view.state !== 'open' ? {} : { stage: stage.stage }),
    approved: sum(({ approved_by, needed }) => Math.min(approved_by.length, needed)),
    needed: sum(({ needed }) => needed),
    mine,
    ...(view.glass === undefined ? {} : { review: view.glass.review }),
  };
}
