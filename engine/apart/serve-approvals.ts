/** The engine's side of approvals for enforcers elsewhere. What is asked must concern a target of theirs; the rest is the book's. */
import type { Approvals } from '#client/approvals';
import { SettledArgument, type UseEnd } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import type { CallContext, StreamHandler } from '../channel/parts.ts';
import { draftOf, ticketMessage } from './drafts.ts';
import { requireGranted } from './granted.ts';
import { type Answering, encode, form } from './messages.ts';

/** What is needed of the book. */
export interface ServedApprovals extends Approvals {
  /** Before `show`: it may have been asked for through another engine. @throws InterlockError APPROVAL_UNAVAILABLE */
  hear(approvalId: string): Promise<void>;
  /** @throws InterlockError APPROVAL_NOT_FOUND */
  show(approvalId: string): { readonly target: string };
  /** A use ended, as its enforcer says: what it did not begin here, or ended already, is passed over. */
  ended(end: UseEnd): void;
}

type Asked = 'approvals.request' | 'approvals.consume' | 'approvals.cancel' | 'approvals.supersede' | 'approvals.ended';

export function answerApprovals(book: ServedApprovals): Answering<Asked> {
  const known = (approvalId: string, context: CallContext): Promise<void> => requireKnown(book, approvalId, context);
  return {
    'approvals.request': async ({ draft }, { peer }) => {
      requireGranted(peer, draft.target);
      return ticketMessage(await book.request(draftOf(draft)));
    },
    'approvals.consume': async ({ approval_id, statement_id, enforcer, nonce, draft }, context) => {
      await known(approval_id, context);
      requireGranted(context.peer, draft.target);
      // who uses it is what the certificate says, whatever the enforcer calls itself
      const by = `${context.peer.name}/${enforcer}`;
      const receipt = await book.consume(approval_id, { statementId: statement_id, enforcer: by, nonce, draft: draftOf(draft) });
      return { approval_id: receipt.approvalId, receipt: receipt.receipt };
    },
    'approvals.cancel': async ({ approval_id, by }, context) => {
      await known(approval_id, context);
      await book.cancel(approval_id, by);
      return {};
    },
    'approvals.supersede': async ({ approval_id, detail }, context) => {
      await known(approval_id, context);
      await book.supersede(approval_id, detail);
      return {};
    },
    'approvals.ended': ({ ends }, { peer }) => {
      for (const end of ends) if (granted(book, end.approval_id, peer.targets)) book.ended(end);
      return {};
    },
  };
}

async function requireKnown(book: ServedApprovals, approvalId: string, { peer }: Pick<CallContext, 'peer'>): Promise<void> {
  await book.hear(approvalId);
  requireGranted(peer, book.show(approvalId).target);
}

/** Ends are told to every engine: one that does not have the request, or not for this enforcer, passes them over. */
function granted(book: ServedApprovals, approvalId: string, targets: readonly string[]): boolean {
  try {
    return targets.includes(book.show(approvalId).target);
  } catch (error) {
    if (error instanceof InterlockError && error.code === 'APPROVAL_NOT_FOUND') return false;
    throw error;
  }
}

/** Waits for as long as the enforcer does; the end of its connection ends the wait, and nothing else. */
export function settledStream(book: ServedApprovals): StreamHandler {
  return async (stream, argument, { peer }) => {
    const { approval_id } = SETTLED.read(argument);
    await requireKnown(book, approval_id, { peer });
    await stream.send(encode(ticketMessage(await book.settled(approval_id, stream.signal))));
    stream.end();
  };
}

const SETTLED = form(SettledArgument, 'the argument of approvals.settled');
