/** Errors of the Access Request and Approval profile, as RFC 9457 writes them. */

const TYPES = {
  not_requestable: { status: 400, title: 'Access is not requestable' },
  invalid_denial_binding: { status: 400, title: 'The request does not belong to the denial' },
  expired_denial: { status: 410, title: 'The denial is too old to be requested' },
  duplicate_request: { status: 409, title: 'The Idempotency-Key was used for another request' },
  unknown_task: { status: 404, title: 'There is no such task' },
  invalid_task_state: { status: 409, title: 'The task is settled' },
} as const;

export class Problem extends Error {
  readonly status: number;
  readonly document: { readonly type: string; readonly title: string; readonly status: number; readonly detail: string };

  constructor(type: keyof typeof TYPES, detail: string) {
    super(detail);
    this.name = 'Problem';
    const { status, title } = TYPES[type];
    this.status = status;
    this.document = { type: `urn:openid:authzen:access-request:error:${type}`, title, status, detail };
  }
}
