/** How the enforcers are: those of this process as they are, those elsewhere as the registry knows them. */
import { timestamp } from '#client/clock';
import { healthOf, type EnforcerReport, type EnforcerSelf } from '#schemas/enforcer-report';
import type { ListenerState, OperationsParts } from './parts.ts';
import { problemsOfTarget } from './problems.ts';

/** What the enforcers of this process say of themselves: with each heartbeat, one for each target. */
export function selves(parts: OperationsParts): readonly EnforcerSelf[] {
  return parts.listeners().map((listener) => selfOf(listener, parts));
}

/** By target, then by name. */
export function reports(parts: OperationsParts): readonly EnforcerReport[] {
  const seen_at = timestamp(parts.clock.wallUs());
  const here = selves(parts).map(
    (self): EnforcerReport => ({
      ...self,
      enforcer: self.target,
      home: 'here',
      health: healthOf(self.problems),
      seen_at,
      clock_offset_us: 0,
      rtt_us: null,
      certificate_until: null,
      archived_records: self.journal.journal === null ? null : (parts.archived?.(self.journal.journal) ?? null),
    }),
  );
  return [...here, ...(parts.remote?.() ?? [])].toSorted((a, b) => compare(a.target, b.target) || compare(a.enforcer, b.enforcer));
}

function selfOf({ target, protocol, address, judging, draining, sessions, held }: ListenerState, parts: OperationsParts): EnforcerSelf {
  const policies = parts.policies();
  const revision = policies === null ? '' : parts.revision();
  return {
    target,
    protocol,
    address,
    version: parts.version,
    judging,
    revision: revision === '' ? null : revision,
    policy_age_ms: policies?.ageMs ?? null,
    sessions,
    held,
    draining,
    journal: parts.journal(),
    channel: parts.channel?.() ?? null,
    archive: parts.archive?.() ?? null,
    problems: [...problemsOfTarget(target, parts)],
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
