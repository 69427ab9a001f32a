/** How a process is watched: what it counts, what it says when asked, and how its enforcers are. */
import type { Clock } from '#client/clock';
import type { EventDraft } from '#client/journal';
import type { EnforcerReport, EnforcerSelf, Problem } from '#schemas/enforcer-report';
import { Answers, type Answer, type Asked } from './answers.ts';
import { readGauges } from './gauges.ts';
import { Meter } from './metrics/meter.ts';
import { countEvents } from './metrics/of-events.ts';
import { measureProcess } from './metrics/process.ts';
import type { MetricsAccess, OperationsParts } from './parts.ts';
import { problemsOf } from './problems.ts';
import { reports, selves } from './reports.ts';

/** What must be there before the journal is opened: it looks on from the first event. */
export interface Instruments {
  readonly meter: Meter;
  /** For the journal: what it places is counted. */
  readonly observer: {
    readonly placed: (event: EventDraft) => void;
    readonly synced: (syncUs: number, appendUs: number) => void;
  };
  close(): void;
}

/** @param targets the names of the configuration */
export function openInstruments({ targets, clock }: { readonly targets: readonly string[]; readonly clock: Clock }): Instruments {
  const meter = new Meter(targets);
  const syncs = meter.histogram('interlock_journal_sync_seconds', {});
  const appends = meter.histogram('interlock_journal_append_seconds', {});
  const placed = countEvents(meter, clock);
  const close = measureProcess(meter);
  return {
    meter,
    observer: {
      placed,
      synced: (syncUs, appendUs) => {
        syncs.observe(syncUs / 1e6);
        appends.observe(appendUs / 1e6);
      },
    },
    close,
  };
}

export interface Operations {
  /** Of `/healthz`, `/readyz`, `/metrics`; null: of none of them. */
  answer(asked: Asked): Answer | null;
  problems(): readonly Problem[];
  /** All enforcers that this process knows of. */
  reports(): readonly EnforcerReport[];
  /** Those of this process, for the heartbeat. */
  selves(): readonly EnforcerSelf[];
}

/** @param access who may read the metrics, asked each time: a reload may change it */
export function openOperations({ meter }: Instruments, parts: OperationsParts, access: () => MetricsAccess): Operations {
  readGauges(meter, parts);
  const problems = (): readonly Problem[] => problemsOf(parts);
  const answers = new Answers({ clock: parts.clock, meter, access, alive: () => parts.journal().fault === null, problems });
  return {
    answer: (asked) => answers.answer(asked),
    problems,
    reports: () => reports(parts),
    selves: () => selves(parts),
  };
}
