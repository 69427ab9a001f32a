/** An approval request as the task of the Access Request and Approval profile. Who approves is not told: enforcement points need not know. */
import type { ApprovalState, ApprovalView } from '#schemas/approval';
import type { AuthzenHouse } from './house.ts';

type Status = 'pending' | 'approved' | 'denied' | 'expired' | 'cancelled';

const STATUS: Readonly<Record<ApprovalState, Status>> = {
  open: 'pending',
  approved: 'approved',
  consumed: 'approved',
  denied: 'denied',
  changes_requested: 'denied',
  expired: 'expired',
  cancelled: 'cancelled',
  superseded: 'cancelled',
  withdrawn: 'cancelled',
};

export interface TaskAnswer {
  readonly task: {
    readonly id: string;
    readonly status: Status;
    readonly status_endpoint: string;
    readonly expires_at: string;
    readonly progress?: { readonly current_step: number; readonly total_steps: number; readonly step_name: string };
    readonly links: { readonly ticket: string; readonly cancel?: string };
    readonly display: { readonly title: string; readonly description: string };
  };
  readonly result?: {
    readonly mode: 'reevaluate';
    readonly approval: { readonly id: string; readonly approved_at?: string; readonly approved_until: string };
  };
}

export function taskOf(view: ApprovalView, { publicUrl }: Pick<AuthzenHouse, 'publicUrl'>): TaskAnswer {
  const status = STATUS[view.state];
  const endpoint = `${publicUrl}/access/v1/requests/${view.approval_id}`;
  return {
    task: {
      id: view.approval_id,
      status,
      status_endpoint: endpoint,
      expires_at: view.valid_until ?? view.expires_at,
      ...progressOf(view),
      links: { ticket: `${publicUrl}/approvals/${view.approval_id}`, ...(status === 'pending' ? { cancel: `${endpoint}/cancel` } : {}) },
      display: {
        title: status === 'pending' ? 'Waits for approval' : `Is ${view.state.replaceAll('_', ' ')}`,
        description: view.comment ?? view.summary,
      },
    },
    ...resultOf(view, status),
  };
}

function progressOf({ progress }: ApprovalView): Pick<TaskAnswer['task'], 'progress'> {
  const at = progress.findIndex(({ state, approved_by, needed }) => state === 'asked' || (state === undefined && approved_by.length < needed));
  const step = progress[at];
  return step === undefined ? {} : { progress: { current_step: at + 1, total_steps: progress.length, step_name: step.stage } };
}

function resultOf({ approval_id: id, valid_until: until, settled_at: at }: ApprovalView, status: Status): Pick<TaskAnswer, 'result'> {
  if (status !== 'approved' || until === undefined) return {};
  return { result: { mode: 'reevaluate', approval: { id, ...(at === undefined ? {} : { approved_at: at }), approved_until: until } } };
}
