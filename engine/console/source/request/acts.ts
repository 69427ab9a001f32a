/** What can be done with a request: its words, and whether it needs any. One table; the engine says which of them this reader may do. */
import type { ApprovalView } from '#schemas/approval';
import type { Act, RequestPage } from '#schemas/review';
import { api } from '../api/routes.ts';

export interface ActForm {
  /** On the button. */
  readonly name: string;
  readonly key: string | null;
  readonly tone: 'primary' | 'danger' | 'plain';
  readonly title: string;
  /** What it does, for whom it is the first time. */
  readonly says: string;
  readonly words: 'none' | 'optional' | 'required';
  readonly wordsLabel: string;
  readonly send: (page: RequestPage, given: Given) => Promise<ApprovalView>;
}

export interface Given {
  readonly words: string;
  /** Of a review. */
  readonly justified: boolean;
}

const id = ({ approval }: RequestPage): string => approval.approval_id;
const comment = ({ words }: Given): { readonly comment?: string } => (words === '' ? {} : { comment: words });
const verdict =
  (outcome: 'approve' | 'deny' | 'changes') =>
  (page: RequestPage, given: Given): Promise<ApprovalView> =>
    api.verdict(id(page), { outcome, seen: page.text.digest, ...comment(given) });

export const ACT_FORMS: Readonly<Record<Act, ActForm>> = {
  approve: {
    name: 'Approve',
    key: 'a',
    tone: 'primary',
    title: 'Approve this statement?',
    says: 'It runs as shown, for this requester, as often as granted below.',
    words: 'optional',
    wordsLabel: 'Reason',
    send: verdict('approve'),
  },
  deny: {
    name: 'Deny',
    key: 'd',
    tone: 'danger',
    title: 'Deny this request?',
    says: 'The requester’s client hears it at once, in your words; the same statement stays refused for a while.',
    words: 'optional',
    wordsLabel: 'Words for the requester',
    send: verdict('deny'),
  },
  changes: {
    name: 'Changes',
    key: 'c',
    tone: 'plain',
    title: 'Ask for another statement?',
    says: 'This request is closed. What the requester sends next refers to it.',
    words: 'required',
    wordsLabel: 'What should be different',
    send: verdict('changes'),
  },
  cancel: {
    name: 'Cancel request',
    key: null,
    tone: 'plain',
    title: 'Cancel your request?',
    says: 'Nobody is asked any more, and the waiting client is refused.',
    words: 'none',
    wordsLabel: '',
    send: (page) => api.cancel(id(page)),
  },
  withdraw: {
    name: 'Withdraw approval',
    key: 'u',
    tone: 'danger',
    title: 'Withdraw the approval?',
    says: 'It has not been used. After this it cannot be.',
    words: 'optional',
    wordsLabel: 'Reason',
    send: (page, { words }) => api.withdraw(id(page), words),
  },
  break_glass: {
    name: 'Break glass',
    key: null,
    tone: 'danger',
    title: 'Break the glass?',
    says: 'The statement may run without a reviewer. Everybody concerned is told now, and somebody else has to close a review of it; until then you cannot do this again.',
    words: 'required',
    wordsLabel: 'Why it cannot wait',
    send: (page, { words }) => api.breakGlass(id(page), words),
  },
  review: {
    name: 'Close review',
    key: 'r',
    tone: 'primary',
    title: 'Close the review of this broken glass?',
    says: 'Was it right to run this without a reviewer? Your answer is recorded, and the person may break the glass again.',
    words: 'required',
    wordsLabel: 'What you found',
    send: (page, { words, justified }) => api.review(id(page), justified ? 'justified' : 'unjustified', words),
  },
};
