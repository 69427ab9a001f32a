/** What stands before each target: how its enforcers are, and what they are behind with. */
import { type JSX, useEffect } from 'react';
import type { EnforcerPage, EnforcerReport, Health } from '#schemas/enforcer-report';
import { api } from '../api/routes.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { count, formatBytes, formatMicros, formatNumber, formatSeconds } from '../parts/format.ts';
import { Moment } from '../parts/moment.tsx';
import { Empty, Shown } from '../parts/notices.tsx';
import { Sentence, Words } from '../parts/words.tsx';
import { useReader } from '../state/reader.ts';
import { useResource } from '../state/resource.ts';

/** Heartbeats are told of by nobody: it is asked again. */
const AGAIN_MS = 3_000;
const TARGETS_SHOWN = 200;
const ENFORCERS_SHOWN = 50;

const HEALTH: Readonly<Record<Health, readonly [Tone, string]>> = {
  ok: ['good', 'healthy'],
  degraded: ['held', 'with problems'],
  down: ['bad', 'takes no work'],
};

export function Targets(): JSX.Element {
  const { me } = useReader();
  const page = useResource<EnforcerPage>({ key: 'enforcers', load: (signal) => api.enforcers(signal), keep: true });
  const { reload } = page;
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible') reload();
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <>
      <h1 className="page-title">Targets and enforcers</h1>
      <Shown resource={page}>
        {({ items, revision }) => {
          if (items.length === 0) return <Nothing readsAll={me.reads_all} />;
          const targets = [...new Set(items.map(({ target }) => target))];
          return (
            <>
              <Summary items={items} />
              {targets.slice(0, TARGETS_SHOWN).map((target) => (
                <Target key={target} name={target} enforcers={items.filter((item) => item.target === target)} revision={revision} />
              ))}
              {targets.length > TARGETS_SHOWN && <p className="quiet">{`${TARGETS_SHOWN} of ${formatNumber(targets.length)} targets.`}</p>}
            </>
          );
        }}
      </Shown>
    </>
  );
}

/** The answer to the question that brings one here. */
function Summary({ items }: { readonly items: readonly EnforcerReport[] }): JSX.Element {
  const ill = items.filter(({ health }) => health !== 'ok');
  const sessions = items.reduce((sum, item) => sum + item.sessions, 0);
  const state = ill.length === 0 ? 'All are healthy.' : `${count(ill.length, 'enforcer needs', 'enforcers need')} a look.`;
  return (
    <p className="lead" role="status">
      {`${count(items.length, 'enforcer')}, ${count(sessions, 'open session')}. ${state}`}
    </p>
  );
}

function Target({
  name,
  enforcers,
  revision,
}: {
  readonly name: string;
  readonly enforcers: readonly EnforcerReport[];
  readonly revision: string;
}): JSX.Element {
  const working = enforcers.filter(({ health }) => health !== 'down').length;
  return (
    <section className="target" aria-label={`Target ${name}`}>
      <h2 className="target-name">
        <Words>{name}</Words>
        {working === 0 ? (
          <Badge tone="bad">nobody takes work</Badge>
        ) : (
          working < enforcers.length && <Badge tone="held">{`${working} of ${enforcers.length} take work`}</Badge>
        )}
      </h2>
      <ul className="enforcers">
        {enforcers.slice(0, ENFORCERS_SHOWN).map((enforcer) => (
          <Enforcer key={enforcer.enforcer} item={enforcer} revision={revision} />
        ))}
      </ul>
      {enforcers.length > ENFORCERS_SHOWN && <p className="quiet">{`${ENFORCERS_SHOWN} of ${formatNumber(enforcers.length)} enforcers.`}</p>}
    </section>
  );
}

function Enforcer({ item, revision }: { readonly item: EnforcerReport; readonly revision: string }): JSX.Element {
  const [tone, says] = HEALTH[item.health];
  return (
    <li className="enforcer">
      <div className="enforcer-head">
        <span>
          <Words className="strong">{item.enforcer}</Words>
          <span className="quiet">
            {' '}
            <Words>{[item.protocol, item.address, item.version].filter((part) => part !== '').join(' · ')}</Words>
            {item.home === 'here' && ' · in the engine’s process'}
          </span>
        </span>
        <Badge tone={tone}>{says}</Badge>
      </div>
      {item.problems.length > 0 && (
        <ul className="problems">
          {item.problems.map(({ code, detail }) => (
            <li key={`${code} ${detail}`}>
              <code className="code">{code}</code> <Sentence>{detail}</Sentence>
            </li>
          ))}
        </ul>
      )}
      <dl className="measures-grid">
        <Measure name="Sessions">{item.held === 0 ? formatNumber(item.sessions) : `${formatNumber(item.sessions)}, ${item.held} held`}</Measure>
        <Measure name="Policies">
          <Policies item={item} revision={revision} />
        </Measure>
        <Measure name="Backlog">{backlog(item)}</Measure>
        <Measure name="Lag">{lag(item)}</Measure>
        <Measure name="Clock">{clock(item)}</Measure>
        <Measure name="Heard of">{item.seen_at === null ? 'never' : <Moment time={item.seen_at} />}</Measure>
      </dl>
    </li>
  );
}

function Measure({ name, children }: { readonly name: string; readonly children: JSX.Element | string }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

const DIGITS = 'sha256:'.length + 8;

function Policies({ item, revision }: { readonly item: EnforcerReport; readonly revision: string }): JSX.Element {
  if (item.judging === 'remote') return <>the engine judges</>;
  if (item.revision === null) return <>none yet</>;
  const age = item.policy_age_ms === null ? '' : `, confirmed ${formatSeconds(Math.round(item.policy_age_ms / 1000))} ago`;
  return (
    <span title={item.revision}>
      <code>{item.revision.slice('sha256:'.length, DIGITS)}</code>
      {item.revision === revision ? ` in force${age}` : ' not the newest'}
    </span>
  );
}

function backlog({ archive }: EnforcerReport): string {
  if (archive === null) return 'no archive';
  if (archive.backlog_records === 0) return 'none';
  return `${count(archive.backlog_records, 'record')}, ${formatBytes(archive.backlog_bytes)}`;
}

function lag({ archive }: EnforcerReport): string {
  if (archive === null) return '–';
  return archive.backlog_records === 0 ? 'none' : formatMicros(archive.backlog_age_ms * 1000);
}

/** Towards the engine: how far apart the clocks are, and how long a message takes. */
function clock({ home, clock_offset_us: offset, rtt_us: rtt }: EnforcerReport): string {
  if (home === 'here') return 'the engine’s';
  if (offset === null) return 'not known';
  const apart = `${offset < 0 ? '−' : '+'}${formatMicros(Math.abs(offset))}`;
  return rtt === null ? apart : `${apart}, ${formatMicros(rtt)} away`;
}

function Nothing({ readsAll }: { readonly readsAll: boolean }): JSX.Element {
  if (!readsAll)
    return (
      <Empty title="Not yours to see">
        <p>Where enforcers stand is shown to those who read everything.</p>
      </Empty>
    );
  return (
    <Empty title="No enforcers">
      <p>
        In a terminal: <code>interlock enforcer add NAME --target TARGET</code>
      </p>
    </Empty>
  );
}
