/** What a refusal is in JSON-RPC: an error with rule, reason and what would be allowed. */
import type { Refusal } from '#enforcers/common/refusal';
import { visible } from '#enforcers/common/visible';
import { ERROR, type RpcError } from './protocol.ts';

/** Of a call that needs somebody's verdict. */
export interface Pending {
  readonly approvalId: string;
  /** Who may decide, until when, and where. */
  readonly who: string;
}

/** `allowed`: what this principal may use instead. */
export function rpcErrorOf(why: Refusal, allowed: readonly string[] = [], pending: Pending | null = null): RpcError {
  const fields = detailFields(why.detail);
  return {
    code: codeOf(why),
    message: visible(why.message),
    data: {
      code: why.code,
      ...fields,
      ...(why.hint === undefined ? {} : { hint: visible(why.hint) }),
      ...(pending === null ? {} : { approval: pending.approvalId, who_decides: visible(pending.who) }),
      ...(allowed.length === 0 ? {} : { allowed: allowed.map(visible) }),
    },
  };
}

function codeOf({ by, code }: Refusal): number {
  if (code === 'UNPARSED' || code === 'ENCODING' || code === 'PROTOCOL' || code === 'BUDGET_PARSE') return ERROR.params;
  switch (by) {
    case 'policy':
    case 'approval':
    case 'cancel':
      return ERROR.denied;
    case 'support':
      return ERROR.unsupported;
    case 'fault':
      return ERROR.unavailable;
  }
}

/** `decision=… policy=… code=… approval=…`, as members. */
function detailFields(detail: string): Readonly<Record<string, string>> {
  const fields: Record<string, string> = {};
  for (const part of detail.split(' ')) {
    const at = part.indexOf('=');
    const name = part.slice(0, at);
    if (at > 0 && (name === 'decision' || name === 'policy' || name === 'approval' || name === 'digest')) fields[name] = visible(part.slice(at + 1));
  }
  return fields;
}
