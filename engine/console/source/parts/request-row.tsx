/** One request in a list; the whole row is its link. */
import type { JSX } from 'react';
import type { InboxItem } from '#schemas/review';
import { Link } from '../state/router.tsx';
import { Badge, Codes, StateBadge } from './badge.tsx';
import { Deadline, Moment } from './moment.tsx';
import { Sentence, Words } from './words.tsx';

export function RequestRow({ item }: { readonly item: InboxItem }): JSX.Element {
  const { on_behalf_of: behind, env } = item;
  return (
    <li className="request-row">
      <Link to={`/approvals/${item.approval_id}`} data-row className="request-link">
        <span className="request-sentence">
          <Sentence>{item.summary}</Sentence>
        </span>
        <span className="request-line quiet">
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
            {env !== undefined && env !== '' && (
              <>
                {' · '}
                <Words>{env}</Words>
              </>
            )}
          </span>
          <Codes codes={item.codes} />
        </span>
        <span className="request-side">
          <Standing item={item} />
          <span className="quiet">
            {item.state === 'open' ? <Deadline time={item.expires_at} what="expires" /> : <Moment time={item.requested_at} />}
          </span>
        </span>
      </Link>
    </li>
  );
}

function Standing({ item }: { readonly item: InboxItem }): JSX.Element {
  return (
    <span className="row">
      {item.review !== undefined && (
        <Badge tone={item.review === 'open' ? 'bad' : 'plain'}>{item.review === 'open' ? 'review open' : `glass: ${item.review}`}</Badge>
      )}
      {item.state === 'open' && <span className="quiet">{`${item.stage} ${item.approved}/${item.needed}`}</span>}
      {item.state === 'open' && item.mine ? <Badge tone="held">yours</Badge> : <StateBadge state={item.state} />}
    </span>
  );
}
