/** How a process is watched: what it counts, what it says when asked, and how its enforcers are. */
import type { Clock } from '#client/clock';
import type { EventDraft } from '#client/journal';
import type { Log } from '#client/log';
import type { EnforcerReport, EnforcerSelf, Problem } from '#schemas/enforcer-report';
import { Answers, type Answer, type Asked } from './answers.ts';
import { readGauges } from './gauges.ts';
import { Meter, type Cell } from './metrics/meter.ts';
import { countEvents } from './metrics/of-events.ts';
import { measureProcess } from './metrics/process.ts';
import type { MetricsAccess, OperationsParts } from './parts.ts';
import { problemsOf } from './problems.ts';
import { reports, selves } from './reports.ts';
import type { ExportingOptions } from './traces/exporting.ts';
import { StatementTraces } from './traces/statement-traces.ts';

/** What must be there before the journal is opened: it looks on from the first event. */
export interface Instruments {
  readonly meter: Meter;
  /** For the journal: what it places is counted. */
  readonly observer: {
    /** Present where statements are traced: adds the id of the trace. */
    readonly placing?: (event: EventDraft) => EventDraft;
    readonly placed: (event: EventDraft) => void;
    readonly synced: (syncUs: number, appendUs: number) => void;
  };
  close(): Promise<void>;
}

export interface InstrumentsFrom {
  /** The names of the configuration. */
  readonly targets: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly role: string;
  /** null: off. */
  readonly traces: (Pick<ExportingOptions, 'url' | 'ca' | 'headers'> & { readonly oneIn: number }) | null;
}

/** @throws InterlockError CONFIG_INVALID: traces are wanted, and their packages are not installed */
export async function openInstruments(from: InstrumentsFrom): Promise<Instruments> {
  const { targets, clock } = from;
  const meter = new Meter(targets);
  const syncs = meter.histogram('interlock_journal_sync_seconds', {});
  const appends = meter.histogram('interlock_journal_append_seconds', {});
  const placed = countEvents(meter, clock);
  const traces = await openTraces(from, meter);
  const stop = measureProcess(meter);
  return {
    meter,
    observer: {
      ...(traces === null ? {} : { placing: traces.placing }),
      placed,
      synced: (syncUs, appendUs) => {
        syncs.observe(syncUs / 1e6);
        appends.observe(appendUs / 1e6);
      },
    },
    close: async () => {
      stop();
      await traces?.close();
    },
  };
}

async function openTraces(
  { traces, clock, log, version, role }: InstrumentsFrom,
  meter: Meter,
): Promise<{ readonly placing: StatementTraces['placing']; close(): Promise<void> } | null> {
  if (traces === null) return null;
  const { openExporting } = await import('./traces/exporting.ts');
  const count = (spans: 'exported' | 'dropped'): Cell => meter.counter('interlock_spans', { spans });
  const exporting = await openExporting({ ...traces, version, role, log, exported: count('exported'), dropped: count('dropped') });
  const { placing } = new StatementTraces({ spans: exporting.spans, clock, oneIn: traces.oneIn });
  return { placing, close: () => exporting.close() };
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
