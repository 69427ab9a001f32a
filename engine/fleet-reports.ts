/** The enforcers elsewhere as `interlock status` and the console show them: whoever may be there, and what was heard of them. */
import { timestamp } from '#client/clock';
import { healthOf, type EnforcerReport, type EnforcerSelf, type Problem } from '#schemas/enforcer-report';
import type { EnforcerView } from '#schemas/enrolment';
import type { Fleet, Heard } from './apart/fleet.ts';
import { APART_LIMITS } from './apart/limits.ts';
import type { Enrolment } from './enrolment/parts.ts';

export interface FleetReportsFrom {
  readonly fleet: Pick<Fleet, 'list'>;
  readonly enrolment: Pick<Enrolment, 'list'>;
  /** Records that the engine's archive holds of a journal; null: none. */
  readonly archived: (journal: string) => number | null;
}

/** One for each enforcer and target that is not removed. */
export function fleetReports({ fleet, enrolment, archived }: FleetReportsFrom): () => readonly EnforcerReport[] {
  return () => {
    const heard = new Map(fleet.list().map((one) => [one.peer.name, one]));
    return enrolment
      .list()
      .filter(({ state }) => state === 'joined')
      .flatMap((view) => view.targets.map((target) => reportOf(view, target, { heard: heard.get(view.name) ?? null, archived })));
  };
}

interface Known {
  readonly heard: Heard | null;
  readonly archived: FleetReportsFrom['archived'];
}

function reportOf(view: EnforcerView, target: string, { heard, archived }: Known): EnforcerReport {
  const self = heard?.targets.find((one) => one.target === target) ?? unheard(target);
  const problems = [...self.problems, ...silence(heard, self)];
  const { clockOffsetMs = null, rttMs = null } = heard?.channel ?? {};
  return {
    ...self,
    problems,
    enforcer: view.name,
    home: 'apart',
    health: healthOf(problems),
    seen_at: heard?.seenUs == null ? null : timestamp(heard.seenUs),
    clock_offset_us: clockOffsetMs === null ? null : Math.round(clockOffsetMs * 1000),
    rtt_us: rttMs === null ? null : Math.round(rttMs * 1000),
    certificate_until: view.certificate_until,
    archived_records: self.journal.journal === null ? null : archived(self.journal.journal),
  };
}

function silence(heard: Heard | null, { version }: EnforcerSelf): readonly Problem[] {
  if (heard === null || version === '') return [{ code: 'silent', detail: 'it was not heard of since this engine started', serious: true }];
  if (heard.channel === null) return [{ code: 'silent', detail: `it is not connected for ${Math.round(heard.silentMs / 1000)} s`, serious: true }];
  if (heard.silentMs < APART_LIMITS.silentMs) return [];
  return [{ code: 'silent', detail: `it did not say how it is for ${Math.round(heard.silentMs / 1000)} s`, serious: true }];
}

function unheard(target: string): EnforcerSelf {
  return {
    target,
    protocol: '',
    address: '',
    version: '',
    judging: 'local',
    revision: null,
    policy_age_ms: null,
    sessions: 0,
    held: 0,
    draining: false,
    journal: { journal: null, records: 0, bytes: 0, last_sync_us: 0, fault: null },
    channel: null,
    archive: null,
    problems: [],
  };
}
