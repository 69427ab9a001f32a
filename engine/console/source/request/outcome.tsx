/** Above everything once it is decided: what became of it, and what there is left to do. */
import type { JSX, ReactNode } from 'react';
import type { ApprovalView } from '#schemas/approval';
import type { RequestPage } from '#schemas/review';
import { Badge, StateBadge } from '../parts/badge.tsx';
import { count } from '../parts/format.ts';
import { Deadline, Moment } from '../parts/moment.tsx';
import { Words } from '../parts/words.tsx';
import { Link } from '../state/router.tsx';

export function Outcome({ page: { approval } }: { readonly page: RequestPage }): JSX.Element {
  const unknown = (approval.executions ?? []).filter(({ outcome }) => outcome === 'unknown');
  return (
    <>
      {approval.state !== 'open' && (
        <div className="outcome" role="status">
          <p>
            <StateBadge state={approval.state} /> <Settled approval={approval} />
          </p>
          {approval.comment !== undefined && (
            <q className="comment">
              <Words>{approval.comment}</Words>
            </q>
          )}
          {approval.detail !== undefined && (
            <p className="quiet">
              <Words>{approval.detail}</Words>
            </p>
          )}
          <Executions approval={approval} />
        </div>
      )}
      {unknown.length > 0 && <Unknown many={unknown.length} />}
      {approval.glass !== undefined && <Glass glass={approval.glass} />}
    </>
  );
}

function Settled({ approval }: { readonly approval: ApprovalView }): JSX.Element {
  const by = approval.settled_by ?? approval.denied_by;
  return (
    <>
      {by !== undefined && (
        <>
          {'by '}
          <Words className="strong">{by}</Words>{' '}
        </>
      )}
      {approval.settled_at !== undefined && <Moment time={approval.settled_at} />}
      {approval.state === 'approved' && (
        <>
          {approval.uses === 0 ? ', not used yet' : `, used ${count(approval.uses, 'time')}`}
          {approval.valid_until !== undefined && (
            <>
              {', '}
              <Deadline time={approval.valid_until} what="expires" />
            </>
          )}
        </>
      )}
    </>
  );
}

const EXECUTIONS_SHOWN = 20;

function Executions({ approval: { executions = [], session_id: session } }: { readonly approval: ApprovalView }): JSX.Element | null {
  if (executions.length === 0) return null;
  return (
    <ul className="lines">
      {executions.slice(-EXECUTIONS_SHOWN).map(({ statement_id: id, outcome, rows, time }) => (
        <li key={id}>
          {outcome === 'ok' ? 'Ran' : <Badge tone={outcome === 'running' ? 'held' : 'bad'}>{outcome}</Badge>}
          {rows !== undefined && `, ${count(rows, 'row')} changed`}{' '}
          {time !== undefined && (
            <span className="quiet">
              <Moment time={time} />
            </span>
          )}{' '}
          {session !== undefined && <Link to={`/sessions/${session}#${id}`}>in its session</Link>}
        </li>
      ))}
    </ul>
  );
}

function Unknown({ many }: { readonly many: number }): JSX.Element {
  return (
    <Alarm title={many === 1 ? 'Nobody knows whether it ran' : `Nobody knows whether ${many} of its uses ran`}>
      <p>
        The gateway ended between sending the statement and hearing how it went. It is never sent again by itself. Look at the target: did its rows
        change, and what does its log say about this time? If it did not run, the requester asks again; that makes a new request.
      </p>
    </Alarm>
  );
}

function Glass({ glass }: { readonly glass: NonNullable<ApprovalView['glass']> }): JSX.Element {
  return (
    <Alarm title={glass.review === 'open' ? 'Glass broken; the review is open' : 'Glass broken, and reviewed'}>
      <p>
        <Words className="strong">{glass.by}</Words>, <Moment time={glass.time} />, by the rule <code>{glass.rule}</code>:{' '}
        <q>
          <Words>{glass.reason}</Words>
        </q>
      </p>
      {glass.review !== 'open' && (
        <p>
          <Words className="strong">{glass.reviewed_by ?? ''}</Words> found it {glass.review === 'justified' ? 'justified' : 'not justified'}
          {glass.reviewed_at !== undefined && (
            <>
              {', '}
              <Moment time={glass.reviewed_at} />
            </>
          )}
          {glass.comment !== undefined && (
            <q className="comment">
              <Words>{glass.comment}</Words>
            </q>
          )}
        </p>
      )}
    </Alarm>
  );
}

function Alarm({ title, children }: { readonly title: string; readonly children: ReactNode }): JSX.Element {
  return (
    <div className="alarm" role="note">
      <p className="strong">{title}</p>
      {children}
    </div>
  );
}
