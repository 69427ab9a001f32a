/** The oracles of SECURITY §3.4, over what the relay before the target saw (T), what the journal holds (J) and what clients were told. */
import type { Relay } from '#test/support/relay';
import { recordedIn, type Recorded } from './recorded.ts';
import { markersIn, type Label, type Operation, type Workload } from './workload.ts';

export { recordedIn, type Recorded };

export type Check =
  | 'C1 intent before bytes'
  | 'C2 nothing denied at the target'
  | 'C3 approvals used once'
  | 'C4 the journal verifies'
  | 'C4 the archive has everything'
  | 'C5 no masked value leaves'
  | 'C6 closed while the journal is down'
  | 'C6 closed while the engine is down'
  | 'C6 service resumes'
  | 'C7 the target is as the model'
  | 'C8 tampering is found'
  | 'the gateway starts'
  | 'answered twice'
  | 'answered without a record';

export interface Finding {
  readonly check: Check;
  readonly detail: string;
}

/** What the gateway asks in its own name for a reviewer: a plan, of a text that does not run by it. The workload sends no EXPLAIN. */
const PLANS = /EXPLAIN \(FORMAT (JSON|TEXT)\) [^\0]*\0/g;

/** How often each marker reached the target, to be run. */
export function seenAtTarget(relay: Relay): Map<string, number> {
  const seen = new Map<string, number>();
  for (const connection of relay.connections) count(connection.sent().toString('latin1').replaceAll(PLANS, ''), seen);
  return seen;
}

export function checkRound(
  target: ReadonlyMap<string, number>,
  recorded: Recorded,
  workload: Pick<Workload, 'operations' | 'extraAnswers'>,
): Finding[] {
  const findings: Finding[] = [];
  const find = (check: Check, detail: string): void => void findings.push({ check, detail });
  for (const [marker, times] of target) {
    const label = labelOf(marker);
    if (!recorded.intents.has(marker)) find('C1 intent before bytes', `${marker} is at the target and not in the journal`);
    if (label === 'deny') find('C2 nothing denied at the target', `${marker} is at the target`);
    if (label === 'approve') checkApprovals(marker, times, recorded.approved.get(marker) ?? [], find);
    else if (times > 1) find('answered twice', `${marker} is at the target ${times} times`);
  }
  for (const operation of workload.operations) checkAnswer(operation, target, recorded, find);
  const extra = workload.extraAnswers();
  if (extra > 0) find('answered twice', `${extra} answers to no question`);
  return findings;
}

/** The same statement sent again after its approval was used asks anew: two approvals are two uses, one is one. */
function checkApprovals(marker: string, times: number, approvals: readonly string[], find: (check: Check, detail: string) => void): void {
  const distinct = new Set(approvals).size;
  if (distinct < approvals.length) find('C3 approvals used once', `${marker} was cleared ${approvals.length} times with ${distinct} approvals`);
  if (times > distinct) find('C3 approvals used once', `${marker} is at the target ${times} times, with ${distinct} approvals`);
}

function checkAnswer(
  operation: Operation,
  target: ReadonlyMap<string, number>,
  recorded: Recorded,
  find: (check: Check, detail: string) => void,
): void {
  const { marker, label, answer } = operation;
  if (answer !== 'ok') return;
  if (label === 'deny') find('C2 nothing denied at the target', `${marker} was answered as done`);
  else if (!recorded.intents.has(marker)) find('answered without a record', `${marker} was answered and is not in the journal`);
  else if (!target.has(marker)) find('answered without a record', `${marker} was answered and never reached the target`);
}

function labelOf(marker: string): Label {
  return marker.slice(marker.lastIndexOf('_') + 1) as Label;
}

function count(text: string, into: Map<string, number>): void {
  for (const marker of markersIn(text)) into.set(marker, (into.get(marker) ?? 0) + 1);
}
