/** One request: the sentence first, then all there is to know before a verdict, and the verdict always in reach. */
import { type JSX, useState } from 'react';
import type { Act, RequestPage } from '#schemas/review';
import { api } from '../api/routes.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { RequestRow } from '../parts/request-row.tsx';
import { Statement } from '../parts/statement.tsx';
import { Sentence, Words } from '../parts/words.tsx';
import { ActBar } from '../request/act-bar.tsx';
import { ActDialog } from '../request/act-dialog.tsx';
import { Chain } from '../request/chain.tsx';
import { Facts } from '../request/facts.tsx';
import { Outcome } from '../request/outcome.tsx';
import { Story } from '../request/story.tsx';
import { TextView } from '../request/text-view.tsx';
import { useKeys } from '../state/keys.ts';
import { useReader } from '../state/reader.ts';
import { useResource } from '../state/resource.ts';
import { Link, navigate } from '../state/router.tsx';
import { neighbour } from './inbox.tsx';

export function Request({ id }: { readonly id: string }): JSX.Element {
  const page = useResource<RequestPage>({
    key: `request ${id}`,
    load: (signal, refreshes) => api.request(id, signal, refreshes),
    concerns: (news) => news.kind === 'approval' && news.id === id,
  });
  const go = (step: 1 | -1) => (): void => {
    const to = neighbour(id, step);
    if (to !== null) navigate(`/approvals/${to}`);
  };
  useKeys({ j: go(1), k: go(-1), i: () => navigate('/') });
  if (page.data === null && page.error?.status === 404)
    return (
      <Empty title="There is no such request">
        <p>
          Or it is not yours to read. <Link to="/">Back to the inbox</Link>
        </p>
      </Empty>
    );
  return <Shown resource={page}>{(data) => <RequestView key={id} page={data} reload={page.reload} />}</Shown>;
}

function RequestView({ page, reload }: { readonly page: RequestPage; readonly reload: () => void }): JSX.Element {
  const [act, setAct] = useState<Act | null>(null);
  const [decided, setDecided] = useState<Act | null>(null);
  const [seen, setSeen] = useState(0);
  const { approval } = page;
  const done = (what: Act): void => {
    setAct(null);
    setDecided(what);
    reload();
  };
  return (
    <article className="request request-columns">
      <div className="request-main">
        <div className="request-top">
          <p className="quiet">
            <Link to="/">Inbox</Link> / <code>{approval.approval_id}</code>
          </p>
          <h1 className={approval.summary.length > LONG_SENTENCE ? 'sentence long' : 'sentence'} tabIndex={-1}>
            <Words>{approval.subject.properties.login}</Words>
            {BEGINS_WITH_VERB.test(approval.summary) ? ' ' : ': '}
            <Sentence>{approval.summary}</Sentence>
          </h1>
          <Outcome page={page} />
          {decided !== null && approval.state !== 'open' && <Next id={approval.approval_id} />}
          <Facts approval={approval} />
        </div>
        <TextView text={page.text} onSeen={(share) => setSeen((before) => Math.max(before, share))} />
        <Around page={page} />
      </div>
      <aside className="request-aside" aria-label="The decision">
        <ActBar page={page} choose={setAct} />
        <Chain approval={approval} />
        <Story lines={page.story} />
      </aside>
      <ActDialog act={act} page={page} seen={seen} close={() => setAct(null)} done={done} />
    </article>
  );
}

const LONG_SENTENCE = 200;
/** `deletes every row of …`; of several statements it begins with their number. */
const BEGINS_WITH_VERB = /^[a-z]{3,}s\b/;

/** What the session did before, and what was asked like it. */
function Around({ page }: { readonly page: RequestPage }): JSX.Element {
  const missing = page.missing ?? [];
  return (
    <div className="around">
      <section aria-labelledby="earlier-title">
        <h2 id="earlier-title">Earlier requests like it</h2>
        {missing.includes('earlier') ? (
          <NotNow />
        ) : page.earlier.length === 0 ? (
          <p className="quiet">None: this is the first of its shape on this target.</p>
        ) : (
          <ul className="requests">
            {page.earlier.map((item) => (
              <RequestRow key={item.approval_id} item={item} />
            ))}
          </ul>
        )}
      </section>
      <section aria-labelledby="session-title">
        <h2 id="session-title">The session so far</h2>
        {missing.includes('session') ? (
          <NotNow />
        ) : page.session.length === 0 ? (
          <p className="quiet">Nothing before this statement.</p>
        ) : (
          <ol className="statements">
            {page.session.map((item) => (
              <Statement key={item.statement_id} item={item} within="session" />
            ))}
          </ol>
        )}
      </section>
    </div>
  );
}

function NotNow(): JSX.Element {
  return <p className="warning">Not available just now: that this list is empty means nothing.</p>;
}

/** After a verdict: the next one that waits, so that nobody has to look for it. */
function Next({ id }: { readonly id: string }): JSX.Element | null {
  const { waiting } = useReader();
  const next = waiting?.items.find((item) => item.approval_id !== id);
  useKeys({ n: () => next !== undefined && navigate(`/approvals/${next.approval_id}`) });
  if (next === undefined)
    return (
      <p className="next">
        Nothing else waits for you. <Link to="/">Inbox</Link>
      </p>
    );
  return (
    <p className="next">
      <Link to={`/approvals/${next.approval_id}`} className="button">
        Next to decide <kbd>n</kbd>
      </Link>{' '}
      <span className="quiet">
        <Sentence>{next.summary}</Sentence>
      </span>
    </p>
  );
}
