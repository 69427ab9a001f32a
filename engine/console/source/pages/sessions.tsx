/** Who is connected, and who was. */
import type { JSX } from 'react';
import type { SessionItem, SessionPage } from '#schemas/review';
import { api, type SessionQuery } from '../api/routes.ts';
import { Badge } from '../parts/badge.tsx';
import { dayRange, recentDays } from '../parts/day.ts';
import { ChoiceFilter, FilterForm, TextFilter } from '../parts/filter.tsx';
import { count } from '../parts/format.ts';
import { Moment } from '../parts/moment.tsx';
import { Empty, Shown } from '../parts/notices.tsx';
import { Pager, useTurns } from '../parts/pager.tsx';
import { Words } from '../parts/words.tsx';
import { moveAlong, useKeys } from '../state/keys.ts';
import { useReader } from '../state/reader.ts';
import { useResource } from '../state/resource.ts';
import { Link, useAddress } from '../state/router.tsx';

const STATES = [
  { value: 'open', name: 'open now' },
  { value: 'closed', name: 'closed' },
] as const;

export function Sessions(): JSX.Element {
  const { me } = useReader();
  const { query } = useAddress();
  const day = query.get('day');
  const wanted: SessionQuery = {
    who: query.get('who') ?? '',
    target: query.get('target') ?? '',
    state: query.get('state') ?? '',
    cursor: query.get('cursor') ?? '',
    ...dayRange(day, day),
  };
  const page = useResource<SessionPage>({
    key: `sessions ${JSON.stringify(wanted)}`,
    load: (signal) => api.sessions(wanted, signal),
    concerns: ({ kind }) => kind === 'session',
    keep: true,
  });
  const turns = useTurns(page.data?.next);
  useKeys({ j: () => moveAlong(1, turns.next), k: () => moveAlong(-1) });
  return (
    <>
      <h1 className="page-title" tabIndex={-1}>
        Sessions
      </h1>
      <FilterForm names={['who', 'target', 'state', 'day']} label="Filter sessions">
        <TextFilter name="who" label="Who" hint="login" />
        <TextFilter name="target" label="Target" hint="any" list={me.targets} />
        <ChoiceFilter name="state" label="State" any="any" choices={STATES} />
        <ChoiceFilter name="day" label="Day" any="any" choices={recentDays(new Date())} />
      </FilterForm>
      <Shown resource={page}>
        {({ items, total }) =>
          items.length === 0 ? (
            <Nothing filtered={Object.values(wanted).some((value) => value !== '')} />
          ) : (
            <>
              <ul className="sessions">
                {items.map((item) => (
                  <SessionRow key={item.session_id} item={item} />
                ))}
              </ul>
              <Pager total={total} shown={items.length} turns={turns} what="sessions" />
            </>
          )
        }
      </Shown>
    </>
  );
}

function SessionRow({ item }: { readonly item: SessionItem }): JSX.Element {
  const { on_behalf_of: behind } = item;
  return (
    <li>
      <Link to={`/sessions/${item.session_id}`} data-row className="session-link">
        <span>
          <Words className="strong">{item.login}</Words>
          {item.subject_type !== 'user' && ` (${item.subject_type})`}
          {behind !== undefined && (
            <>
              {' for '}
              <Words>{behind}</Words>
            </>
          )}
          {' on '}
          <Words className="strong">{item.target}</Words>
          <span className="quiet">
            {' '}
            <Words>{[item.database, item.application, item.client].filter((part) => part !== undefined && part !== '').join(' · ')}</Words>
          </span>
        </span>
        <span className="row quiet">
          <span>{count(item.statements, 'statement')}</span>
          {item.held > 0 && <Badge tone="held">{`${item.held} held`}</Badge>}
          {item.refused > 0 && <Badge tone="bad">{`${item.refused} refused`}</Badge>}
        </span>
        <span className="row quiet session-when">
          <Moment time={item.time} />
          {item.state === 'open' ? <Badge tone="good">open</Badge> : <span>{`closed: ${item.reason ?? 'unknown'}`}</span>}
        </span>
      </Link>
    </li>
  );
}

function Nothing({ filtered }: { readonly filtered: boolean }): JSX.Element {
  if (filtered)
    return (
      <Empty title="No session matches">
        <p>Use fewer filters, or clear them.</p>
      </Empty>
    );
  return (
    <Empty title="No sessions yet">
      <p>
        Each connection through a target is a session. In a terminal: <code>interlock connect TARGET -- psql</code>
      </p>
    </Empty>
  );
}
