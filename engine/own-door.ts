/** Statements that this process runs at the door of an enforcer of its own, as any client would: for whoever asked Interlock's own MCP server. */
import { readFileSync } from 'node:fs';
import type { Enforcer } from '#enforcers/common/enforcer';
import type { CallAnswer, CallQuestion } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import { call } from './calls/call.ts';
import type { Door } from './calls/parts.ts';
import type { TargetConfig } from './config/config.ts';

export interface OwnDoor {
  readonly target: Pick<TargetConfig, 'name' | 'tls' | 'upstream'>;
  /** undefined: it has not started yet. */
  readonly enforcer: Pick<Enforcer, 'address'> | undefined;
  /** What its certificate may be for, where it listens on every address. */
  readonly host: () => string;
  /** Whether a request of this id is there and theirs; absent: whoever asked looks. */
  readonly genuine?: (approvalId: string) => boolean;
}

/** What is held is left, and its request stays open. @throws InterlockError NOT_REACHABLE, ENFORCER_UNAVAILABLE */
export async function atOwnDoor(own: OwnDoor, question: CallQuestion & { readonly how: 'run' | 'ask' }, signal: AbortSignal): Promise<CallAnswer> {
  const { how, ask, login, token, application, rows_max: rowsMax, bytes_max: bytesMax } = question;
  if (question.target !== own.target.name) throw new InterlockError('ENFORCER_UNAVAILABLE', 'this process enforces another target');
  // who enforces knows the databases; who asks may not
  const asked = ask.kind === 'sql' ? { ...ask, database: ask.database ?? own.target.upstream.databases?.[0] ?? null } : ask;
  const looking = own.genuine === undefined ? {} : { genuine: own.genuine };
  const answer = await call(doorOf(own), asked, {
    ...looking,
    login,
    token,
    application,
    rowsMax,
    bytesMax,
    signal,
    held: 'leave',
    asksOnly: how === 'ask',
    notice: () => {},
  });
  return answer as CallAnswer;
}

function doorOf({ target: { name, tls }, enforcer, host: named }: OwnDoor): Door {
  if (enforcer === undefined) throw new InterlockError('ENFORCER_UNAVAILABLE', `the enforcer of \`${name}\` is still starting`);
  const { host, port } = enforcer.address;
  const here = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const ca = tls === null || tls.caFile === null ? null : readFileSync(tls.caFile, 'utf8');
  return { target: name, host: here, port, tls: tls === null ? null : { ca, name: host === here ? here : named() } };
}

export function hostOf(publicUrl: string): string {
  return new URL(publicUrl).hostname;
}
