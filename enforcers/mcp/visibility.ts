/**
 * What a principal may see: each entry of a list is judged by itself, as the same list with its name (`{"method":"tools/list","params":{"name":…}}`,
 * action mcp.list). What is hidden cannot be used either.
 */
import type { Decision } from '#schemas/decision';
import { policyRefusal, refusal, type Refusal } from '#enforcers/common/refusal';
import { isPromise } from '#enforcers/common/promise';
import type { McpSession } from './session.ts';

export type ListMethod = 'tools/list' | 'resources/list' | 'resources/templates/list' | 'prompts/list';

const NO_SETTINGS: Readonly<Record<string, string>> = {};

/** null: it is shown. */
export async function hidden(method: ListMethod, name: string, session: McpSession): Promise<Refusal | null> {
  const decided = judged(method, name, session);
  const decision = isPromise(decided) ? await decided : decided;
  return decision.effect === 'deny' ? policyRefusal(decision) : null;
}

function judged(method: ListMethod, name: string, session: McpSession): Decision | Promise<Decision> {
  const { decisions, ids } = session.scene;
  const key = method === 'resources/list' || method === 'resources/templates/list' ? 'uri' : 'name';
  const read = decisions.read(session.payload(method, { [key]: name }).bytes, NO_SETTINGS);
  const moment = { action: 'mcp.list', statementId: ids.next('stm'), transaction: 'idle', settings: NO_SETTINGS, params: null } as const;
  if (isPromise(read)) return read.then(async (statement) => (await decisions.decide(statement, moment)).decision);
  const decided = decisions.decide(read, moment);
  return isPromise(decided) ? decided.then(({ decision }) => decision) : decided.decision;
}

/** Why a tool cannot be used, whatever it is called with; null: nothing stands against it. */
export async function toolObjection(name: string, session: McpSession): Promise<Refusal | null> {
  const state = session.house.keeper.stateOf(name);
  if (state === 'unknown') return refusal('TOOL_UNKNOWN', `there is no tool ${JSON.stringify(name.slice(0, 128))} here`);
  if (state === 'drifted') return refusal('TOOL_DRIFTED', `the definition of the tool ${name} changed since it was approved`);
  return hidden('tools/list', name, session);
}
