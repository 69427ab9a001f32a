/** What is not as it should be. Nothing here is a secret or a client's: codes are a closed set, details are words of ours and numbers. */
import type { Problem, ProblemCode } from '#schemas/enforcer-report';
import { LIMITS } from './limits.ts';
import type { ArchiveAlarmed, ListenerState, OperationsParts } from './parts.ts';

/** Of the whole process; a target's own are behind its listener. */
export function problemsOf(parts: OperationsParts): readonly Problem[] {
  return [...common(parts), ...parts.targets.flatMap((target) => ofTarget(target, parts.listeners()))];
}

/** For one target: what concerns the process, and its own listener. */
export function problemsOfTarget(target: string, parts: OperationsParts): readonly Problem[] {
  return [...common(parts), ...ofTarget(target, parts.listeners())];
}

function common(parts: OperationsParts): readonly Problem[] {
  return [...ofJournal(parts), ...ofPolicies(parts), ...ofChannel(parts), ...ofArchive(parts), ...ofProjection(parts), ...ofApprovals(parts)];
}

function serious(code: ProblemCode, detail: string): readonly Problem[] {
  return [{ code, detail, serious: true }];
}

function slight(code: ProblemCode, detail: string): readonly Problem[] {
  return [{ code, detail, serious: false }];
}

function ofJournal({ journal }: OperationsParts): readonly Problem[] {
  return journal().fault === null ? [] : serious('journal', 'the journal cannot be written');
}

function ofPolicies({ policies }: OperationsParts): readonly Problem[] {
  const state = policies();
  if (state === null) return [];
  if (!state.usable) return serious('policies', 'no policies are in force, or they are older than `policies.max_age`');
  return state.error === null ? [] : slight('policies', 'the newest policies were rejected; the last good revision is in force');
}

function ofChannel({ channel }: OperationsParts): readonly Problem[] {
  const state = channel?.();
  if (state === undefined) return [];
  if (!state.connected) return serious('engine', 'no engine can be reached: no new sessions, no approvals');
  const offsetMs = Math.abs(state.clock_offset_us ?? 0) / 1000;
  return offsetMs > LIMITS.clockOffsetMs ? slight('clock', `the clock is ${Math.round(offsetMs)} ms from the engine’s`) : [];
}

function ofArchive(parts: OperationsParts): readonly Problem[] {
  const state = parts.archive?.();
  if (state === undefined) return [];
  const drift = state.drift ? serious('archive_drift', alarmed(parts.alarms?.() ?? [])) : [];
  if (state.full) return [...serious('archive_full', 'the archive’s backlog has reached its bound: new work is refused'), ...drift];
  if (state.connected) return drift;
  const tell = state.mode === 'strict' ? serious : slight;
  return [...tell('archive', `the archive cannot be reached or has not caught up: ${state.backlog_records} records wait`), ...drift];
}

/** What is recorded still is, but nobody may rely on it staying: what each alarm is about, without what the servers said. */
function alarmed(alarms: readonly ArchiveAlarmed[]): string {
  const drifted = alarms.filter(({ code }) => code === 'drift').map(({ of }) => of);
  const forged = alarms.filter(({ code }) => code === 'forged').map(({ of }) => of);
  const others = new Set(alarms.map(({ code }) => code).filter((code) => code !== 'drift' && code !== 'forged'));
  const streams =
    drifted.length === 0 && others.size + forged.length > 0
      ? []
      : [`not set up as \`interlock nats setup\` would: ${drifted.join(', ') || 'the archive’s streams'}`];
  const journals = others.size === 0 ? [] : [`what the archive holds is not what was recorded: ${[...others].join(', ')}`];
  const messages = forged.length === 0 ? [] : [`messages that no engine of this installation wrote were left out: ${forged.join(', ')}`];
  return [...streams, ...journals, ...messages].join('; ');
}

function ofProjection({ projection }: OperationsParts): readonly Problem[] {
  const state = projection?.();
  if (state === undefined) return [];
  if (state.error !== null) return slight('projection', 'lists and search cannot be kept');
  return state.behind > LIMITS.projectionBehindRecords ? slight('projection', `lists and search are ${state.behind} records behind`) : [];
}

function ofApprovals({ approvals }: OperationsParts): readonly Problem[] {
  const trouble = approvals?.().trouble ?? null;
  return trouble === null ? [] : slight('approvals', 'approvals cannot be ordered among the engines: none is asked, given or used');
}

function ofTarget(target: string, listeners: readonly ListenerState[]): readonly Problem[] {
  const listener = listeners.find((one) => one.target === target);
  if (listener === undefined) return serious('starting', `${target}: not started yet`);
  if (listener.draining) return serious('draining', `${target}: takes no new sessions`);
  return listener.accepting ? [] : serious('listener', `${target}: does not accept`);
}
