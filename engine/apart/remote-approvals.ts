/** Approvals as an enforcer has them when the engine is elsewhere. */
import type { Approvals, Ticket } from '#client/approvals';
import { TicketMessage } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import { anotherEngine, askEngine, type Engines } from './asking.ts';
import { draftMessage, ticketOf } from './drafts.ts';
import type { UseEnds } from './use-ends.ts';
import { APART_LIMITS } from './limits.ts';
import { encode, form } from './messages.ts';

const WITHIN = { deadlineMs: APART_LIMITS.answerMs };

/**
 * The request is the engine's, and outlives the connection: whoever waits when it is lost is refused within a second, unless another engine
 * goes on with it. `ends` is told of every use.
 */
export function remoteApprovals(engines: Engines, ends: Pick<UseEnds, 'began'>): Approvals {
  return {
    request: async (draft) => ticketOf(await askEngine(engines, 'approvals.request', { draft: draftMessage(draft) }, WITHIN)),
    settled: (approvalId, signal) => settled(engines, approvalId, signal),
    consume: async (approvalId, { statementId, enforcer, nonce, draft }) => {
      const use = { approval_id: approvalId, statement_id: statementId, enforcer, nonce, draft: draftMessage(draft) };
      const receipt = await askEngine(engines, 'approvals.consume', use, WITHIN);
      ends.began(approvalId, statementId);
      return { approvalId: receipt.approval_id, receipt: receipt.receipt };
    },
    cancel: async (approvalId, by) => void (await askEngine(engines, 'approvals.cancel', { approval_id: approvalId, by }, WITHIN)),
    supersede: async (approvalId, detail) => {
      await askEngine(engines, 'approvals.supersede', { approval_id: approvalId, detail: detail.slice(0, 4096) }, WITHIN);
    },
  };
}

async function settled(engines: Engines, approvalId: string, signal: AbortSignal): Promise<Ticket> {
  const { channel } = engines;
  try {
    return await waited(engines, approvalId, signal);
  } catch (error) {
    signal.throwIfAborted();
    try {
      await anotherEngine(engines, channel, error);
      return await waited(engines, approvalId, signal);
    } catch (last) {
      signal.throwIfAborted();
      throw staysOpen(last, approvalId);
    }
  }
}

async function waited(engines: Engines, approvalId: string, signal: AbortSignal): Promise<Ticket> {
  signal.throwIfAborted();
  const stream = engines.open('approvals.settled', encode({ approval_id: approvalId }));
  const stop = (): void => stream.close();
  signal.addEventListener('abort', stop, { once: true });
  stream.closed.catch(() => {}); // iterating says the same
  try {
    for await (const message of stream) return ticketOf(TICKET.read(message));
    signal.throwIfAborted();
    throw new InterlockError('ENGINE_UNAVAILABLE', 'the engine ended the wait without a word');
  } finally {
    signal.removeEventListener('abort', stop);
    stream.close();
  }
}

/** Whoever was held learns why, and that nothing is lost. */
function staysOpen(error: unknown, approvalId: string): unknown {
  if (!(error instanceof InterlockError) || error.code !== 'ENGINE_UNAVAILABLE') return error;
  return new InterlockError('ENGINE_UNAVAILABLE', `the engine was lost while ${approvalId} waited for approval`, {
    cause: error,
    hint: 'The approval request stays open: run the same statement again once the engine is back.',
  });
}

const TICKET = form(TicketMessage, 'the answer to approvals.settled');
