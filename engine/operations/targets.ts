/** Enforcers by what they stand before: a target may have several. */
import type { EnforcerReport } from '#schemas/enforcer-report';

export interface TargetState {
  readonly protocol: string;
  /** Of the first one that is heard of. */
  readonly address: string;
  readonly sessions: number;
  readonly enforcers: number;
  /** Of them, those that take new work. */
  readonly working: number;
}

export function byTarget(reports: readonly EnforcerReport[]): Readonly<Record<string, TargetState>> {
  const names = [...new Set(reports.map(({ target }) => target))];
  return Object.fromEntries(names.map((name) => [name, stateOf(reports.filter(({ target }) => target === name))]));
}

function stateOf(reports: readonly EnforcerReport[]): TargetState {
  const first = reports.find(({ health }) => health !== 'down') ?? reports[0];
  return {
    protocol: first?.protocol ?? '',
    address: first?.address ?? '',
    sessions: reports.reduce((sum, { sessions }) => sum + sessions, 0),
    enforcers: reports.length,
    working: reports.filter(({ health }) => health !== 'down').length,
  };
}
