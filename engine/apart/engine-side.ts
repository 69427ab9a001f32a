/** All that an engine answers enforcers, for the channel's listener. What others add (decisions, enrolment) stands beside it. */
import type { Handlers } from '../channel/parts.ts';
import type { Fleet } from './fleet.ts';
import { handlersOf } from './messages.ts';
import { answerAccess, type ServedAccess } from './serve-access.ts';
import { answerApprovals, settledStream, type ServedApprovals } from './serve-approvals.ts';

export interface EngineSide extends ServedAccess {
  readonly approvals: ServedApprovals;
  readonly fleet: Fleet;
}

export function engineHandlers({ approvals, fleet, ...access }: EngineSide): Handlers {
  return {
    calls: handlersOf({ ...answerAccess(access), ...answerApprovals(approvals), ...fleet.answering() }),
    streams: { 'approvals.settled': settledStream(approvals) },
  };
}
