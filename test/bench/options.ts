/** What every part of the bench is told. */
import { type Command, type Given, regex, whole } from '#test/support/command-line';
import type { PostgresServer } from '#test/support/postgres';

/** Of every server that is measured. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = { max_connections: '400', shared_buffers: '256MB' };

export interface Run {
  readonly name: string;
  readonly subject: string;
  readonly [field: string]: unknown;
}

export interface BenchOptions {
  readonly only: RegExp;
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** Of the projection's journal: 1 is a hundred thousand sessions and a million statements. */
  readonly scale: number;
  readonly server: PostgresServer;
  /** Journals go here: `ram` and `disk`. */
  readonly journals: Readonly<Record<'ram' | 'disk', string>>;
  readonly report: (run: Run) => void;
}

export const BENCH = {
  name: 'bench',
  what: 'Measures. Every figure is a ratio against the direct path, and against peers, of the same round; medians over rounds (SURFACE.md).\nNeeds pgbench and PgBouncer (Debian: postgresql-contrib, pgbouncer), for http.* nginx (nginx-light), for console.interactive Chromium.',
  words: null,
  options: {
    only: { takes: 'REGEX', says: 'names that fit (all): see below' },
    clients: { takes: 'N,N…', says: 'at once, one run each (1,8,32,90)' },
    seconds: { takes: 'N', says: 'of one run (5)' },
    rounds: { takes: 'N', says: 'of each, of which the median counts (5)' },
    scale: { takes: 'X', says: 'of the record behind projection.* and console.*: 0.1 is a tenth (1)' },
    journal: { takes: 'DIR', says: 'where journals are written beside memory: a disk (a folder of its own)' },
    pg: { takes: 'URL', says: 'a PostgreSQL that is there: its superuser; what is made there, stays there' },
    json: { takes: 'OUT', says: 'all of it, as JSON' },
  },
  more: `Names
  pg.select.{simple,extended,prepared} pg.tpcb.prepared pg.bulk.{plain,masked,copy}
  decide.{cached,cold,remote} facts.{short,medium,10k}
  journal.append (audit=strict: with the archive’s acknowledgement) journal.verify archive.{forward,mirror,lag}
  approvals.{request,verdict,consume,start} http.* mcp.call.{plain,masked} memory.flat
  projection.{rebuild,sessions,session,request,search,search.*} console.{start,inbox,sessions,session,search}
      over a journal of 100,000 sessions, 1,000,000 statements and 10,000 requests
  console.interactive
      from the address to rows and an answered key, in Chromium, over the same record
Subjects: direct, pgbouncer (of HTTP nginx), pipe, interlock`,
} as const satisfies Command;

export interface BenchAsked {
  readonly sizes: Pick<BenchOptions, 'only' | 'clients' | 'seconds' | 'rounds' | 'scale'>;
  readonly journal: string | undefined;
  readonly pg: string | undefined;
  readonly json: string | undefined;
}

/** @throws Error */
export function benchAsked(given: Given<typeof BENCH.options>): BenchAsked {
  const { journal, pg, json } = given;
  const clients = (given.clients ?? '1,8,32,90').split(',').map((one) => whole('clients', one, 1, 1));
  const sizes = {
    only: regex('only', given.only ?? '.'),
    clients,
    seconds: number('seconds', given.seconds, 5),
    rounds: whole('rounds', given.rounds, 5, 1),
    scale: number('scale', given.scale, 1),
  };
  return { sizes, journal, pg, json };
}

function number(name: string, text: string | undefined, otherwise: number): number {
  const value = Number(text ?? otherwise);
  if (!(value > 0 && Number.isFinite(value))) throw new Error(`--${name} ${text}: a number above 0`);
  return value;
}
