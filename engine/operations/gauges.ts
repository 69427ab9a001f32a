/** The numbers that stand somewhere already, read when somebody asks for them. */
import { HEALTH } from '#schemas/enforcer-report';
import type { Meter, Reading } from './metrics/meter.ts';
import type { OperationsParts } from './parts.ts';
import { problemsOf } from './problems.ts';
import { reports } from './reports.ts';

export function readGauges(meter: Meter, parts: OperationsParts): void {
  meter.read(() => [
    ['interlock_build', { role: parts.role }, 1],
    ...ofHealth(parts),
    ...ofSessions(meter, parts),
    ...ofJournal(parts),
    ...ofPolicies(parts),
    ...ofChannel(parts),
    ...ofArchive(parts),
    ...ofEngine(parts),
    ...ofEnforcers(meter, parts),
  ]);
}

function ofHealth(parts: OperationsParts): readonly Reading[] {
  const problems = problemsOf(parts);
  const codes = [...new Set(problems.map(({ code }) => code))];
  return [
    ['interlock_ready', {}, problems.some(({ serious }) => serious) ? 0 : 1],
    ...codes.map((problem): Reading => ['interlock_problems', { problem }, 1]),
  ];
}

function ofSessions(meter: Meter, parts: OperationsParts): readonly Reading[] {
  return parts.listeners().flatMap(({ target, sessions, held }): readonly Reading[] => [
    ['interlock_sessions', { target: meter.target(target) }, sessions],
    ['interlock_sessions_held', { target: meter.target(target) }, held],
  ]);
}

function ofJournal(parts: OperationsParts): readonly Reading[] {
  const { records, bytes } = parts.journal();
  return [
    ['interlock_journal_records', {}, records],
    ['interlock_journal_size_bytes', {}, bytes],
  ];
}

function ofPolicies(parts: OperationsParts): readonly Reading[] {
  const state = parts.policies();
  return state === null ? [] : [['interlock_policy_age_seconds', {}, state.ageMs / 1000]];
}

function ofChannel({ channel }: OperationsParts): readonly Reading[] {
  const state = channel?.();
  if (state === undefined) return [];
  const { connected, rtt_us, clock_offset_us } = state;
  return [
    ['interlock_channel_connected', {}, connected ? 1 : 0],
    ['interlock_channel_rtt_seconds', {}, rtt_us === null ? Number.NaN : rtt_us / 1e6],
    ['interlock_channel_clock_offset_seconds', {}, clock_offset_us === null ? Number.NaN : clock_offset_us / 1e6],
  ];
}

function ofArchive({ archive }: OperationsParts): readonly Reading[] {
  const state = archive?.();
  if (state === undefined) return [];
  return [
    ['interlock_archive_connected', {}, state.connected ? 1 : 0],
    ['interlock_archive_backlog_records', {}, state.backlog_records],
    ['interlock_archive_backlog_bytes', {}, state.backlog_bytes],
    ['interlock_archive_backlog_age_seconds', {}, state.backlog_age_ms / 1000],
  ];
}

function ofEngine({ approvals, notifications, projection }: OperationsParts): readonly Reading[] {
  const told = notifications?.();
  return [
    ...(approvals === undefined ? [] : [['interlock_approvals_open', {}, approvals().open] as const]),
    ...(told === undefined
      ? []
      : [['interlock_notifications_waiting', {}, told.waiting] as const, ['interlock_notifications_dead', {}, told.dead] as const]),
    ...(projection === undefined ? [] : [['interlock_projection_lag_records', {}, projection().behind] as const]),
  ];
}

function ofEnforcers(meter: Meter, parts: OperationsParts): readonly Reading[] {
  if (parts.role === 'enforcer') return [];
  const all = reports(parts);
  const targets = [...new Set(all.map(({ target }) => meter.target(target)))];
  return targets.flatMap((target) =>
    HEALTH.map(
      (health): Reading => [
        'interlock_enforcers',
        { target, health },
        all.filter((report) => meter.target(report.target) === target && report.health === health).length,
      ],
    ),
  );
}
