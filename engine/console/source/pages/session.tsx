/** One session, statement by statement. An open one is watched: the newest stand on top, and come by themselves. */
import { type JSX, useEffect, useRef } from 'react';
import type { SessionDetail, SessionItem, StatementPage } from '#schemas/review';
import { api } from '../api/routes.ts';
import { Badge } from '../parts/badge.tsx';
import { count } from '../parts/format.ts';
import { Moment } from '../parts/moment.tsx';
import { Empty, Shown } from '../parts/notices.tsx';
import { Pager, useTurns } from '../parts/pager.tsx';
import { Statement } from '../parts/statement.tsx';
import { Words } from '../parts/words.tsx';
import { moveAlong, useKeys } from '../state/keys.ts';
import { useResource } from '../state/resource.ts';
import { Link, useAddress, withQuery } from '../state/router.tsx';

export function Session({ id }: { readonly id: string }): JSX.Element {
  const address = useAddress();
  const isNewestFirst = address.query.get('order') === 'newest';
  const cursor = address.query.get('cursor') ?? '';
  const detail = useResource<SessionDetail>({
    key: `session ${id} ${isNewestFirst} ${cursor}`,
    load: async (signal, refreshes) => {
      const found = await api.session(id, isNewestFirst ? '' : cursor, signal, refreshes);
      return isNewestFirst ? { ...found, statements: await api.search({ session: id, cursor }, signal, true) } : found;
    },
    concerns: (news) => (news.kind === 'session' && news.id === id) || (news.kind === 'statement' && news.session_id === id),
  });
  useKeys({ j: () => moveAlong(1), k: () => moveAlong(-1) });
  if (detail.data === null && detail.error?.status === 404)
    return (
      <Empty title="There is no such session">
        <p>
          Or it is not yours to read. <Link to="/sessions">All sessions</Link>
        </p>
      </Empty>
    );
  return (
    <Shown resource={detail}>
      {({ session, statements }) => (
        <>
          <SessionHead session={session} />
          <nav className="boxes" aria-label="Order">
            <Link to={withQuery(address, { order: null, cursor: null })} aria-current={isNewestFirst ? undefined : 'page'}>
              Oldest first
            </Link>
            <Link to={withQuery(address, { order: 'newest', cursor: null })} aria-current={isNewestFirst ? 'page' : undefined}>
              Newest first
            </Link>
            {session.state === 'open' && <span className="quiet watching">Open: new statements appear by themselves</span>}
          </nav>
          <Timeline statements={statements} anchor={address.anchor} />
        </>
      )}
    </Shown>
  );
}

function SessionHead({ session }: { readonly session: SessionItem }): JSX.Element {
  const { on_behalf_of: behind } = session;
  return (
    <header>
      <p className="quiet">
        <Link to="/sessions">Sessions</Link> / <code>{session.session_id}</code>
      </p>
      <h1 className="page-title" tabIndex={-1}>
        <Words>{session.login}</Words>
        {behind !== undefined && (
          <>
            {' for '}
            <Words>{behind}</Words>
          </>
        )}
        {' on '}
        <Words>{session.target}</Words>
      </h1>
      <p className="row quiet">
        {session.state === 'open' ? <Badge tone="good">open</Badge> : <Badge tone="plain">{`closed: ${session.reason ?? 'unknown'}`}</Badge>}
        <Moment time={session.time} />
        <Words>
          {[session.database, session.application, session.client, session.protocol].filter((part) => part !== undefined && part !== '').join(' · ')}
        </Words>
        <span>{[count(session.statements, 'statement'), `${session.held} held`, `${session.refused} refused`].join(' · ')}</span>
      </p>
    </header>
  );
}

function Timeline({ statements: { items, total, next }, anchor }: { readonly statements: StatementPage; readonly anchor: string }): JSX.Element {
  const turns = useTurns(next);
  useAnchor(anchor, items.length > 0);
  if (items.length === 0)
    return (
      <Empty title="Nothing was asked in it">
        <p>The client connected, and has sent no statement.</p>
      </Empty>
    );
  return (
    <>
      <ol className="statements">
        {items.map((item) => (
          <Statement key={item.statement_id} item={item} within="session" marked={item.statement_id === anchor} />
        ))}
      </ol>
      <Pager total={total} shown={items.length} turns={turns} what="statements" />
    </>
  );
}

/** Goes to the statement that the address names, once, when it is there. */
function useAnchor(anchor: string, isThere: boolean): void {
  const gone = useRef('');
  useEffect(() => {
    if (!isThere || anchor === '' || gone.current === anchor) return;
    gone.current = anchor;
    document.getElementById(anchor)?.scrollIntoView({ block: 'center' });
  }, [anchor, isThere]);
}
