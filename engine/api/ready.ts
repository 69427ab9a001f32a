/** Parts that may not be there (yet): their routes answer 503, by name. */
import { InterlockError } from '#schemas/errors';
import type { House } from './house.ts';
import type { AgentsPart, Delegations, Enrolment, Notifications, OperationsPart, Projection } from './parts.ts';

/** @throws InterlockError NOT_READY */
export function projectionOf({ parts }: House): Projection {
  return parts.projection ?? missing('the projection that lists and search read from does not run');
}

/** @throws InterlockError NOT_READY */
export function delegationsOf({ parts }: House): Delegations {
  return parts.delegations ?? missing('delegations are not kept here');
}

/** @throws InterlockError NOT_READY */
export function notificationsOf({ parts }: House): Notifications {
  return parts.notifications ?? missing('no notification is set up (`approvals.notify`)');
}

/** @throws InterlockError NOT_READY */
export function operationsOf({ parts }: House): OperationsPart {
  return parts.operations ?? missing('nothing watches this process');
}

/** @throws InterlockError NOT_READY */
export function enrolmentOf({ parts }: House): Enrolment {
  return parts.enrolment ?? missing('this gateway takes no enforcers of their own: see `interlock engine`');
}

function missing(what: string): never {
  throw new InterlockError('NOT_READY', what);
}

/** @throws InterlockError NOT_READY */
export function agentsOf({ parts }: House): AgentsPart['desk'] {
  return parts.agents?.desk ?? missing('agents are not kept here');
}

/** @throws InterlockError NOT_READY */
export function claimsOf({ parts }: House): NonNullable<AgentsPart['claims']> {
  return parts.agents?.claims ?? missing('nobody can be asked what agents may do');
}
