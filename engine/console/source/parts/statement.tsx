/** One statement in a list: when, who, what it touched, how it was decided and ended, and its text as the reader may see it. */
import type { JSX } from 'react';
import type { StatementItem } from '#schemas/review';
import { Link } from '../state/router.tsx';
import { Badge, Codes, EFFECT_NAMES, OutcomeBadge } from './badge.tsx';
import { count, formatBytes, formatMicros } from './format.ts';
import { isSql, touchedWords, trimmed } from './kind.ts';
import { Clock, Moment } from './moment.tsx';
import { Words } from './words.tsx';

export interface StatementProps {
  readonly item: StatementItem;
  /** In the list of its own session, who and where are known. */
  readonly within: 'session' | 'search';
  readonly marked?: boolean;
}

export function Statement({ item, within, marked = false }: StatementProps): JSX.Element {
  const { login, on_behalf_of: behind, target, effect, codes } = item;
  return (
    <li className={`statement ${item.outcome}`} id={item.statement_id} data-row tabIndex={-1} aria-current={marked || undefined}>
      <p className="statement-head">
        <span className="statement-time">{within === 'session' ? <Clock time={item.time} /> : <Moment time={item.time} />}</span>
        {within === 'search' && (
          <span>
            <Words className="strong">{login}</Words>
            {behind !== undefined && (
              <span className="quiet">
                {' for '}
                <Words>{behind}</Words>
              </span>
            )}
            <span className="quiet">
              {' on '}
              <Words>{target}</Words>
            </span>
          </span>
        )}
        <OutcomeBadge item={item} />
        {effect !== undefined && !goesWithoutSaying(effect, item.outcome) && <Badge tone="plain">{EFFECT_NAMES[effect]}</Badge>}
        <span className="touched">
          <Words>{touchedWords(item)}</Words>
        </span>
        <Codes codes={codes} />
        <Measures item={item} />
      </p>
      <StatementText item={item} />
      {item.outcome === 'unknown' && (
        <p className="warning">The gateway ended before it heard how this went. Look at the target; it is never sent again by itself.</p>
      )}
      <p className="statement-links">
        {within === 'search' && <Link to={`/sessions/${item.session_id}#${item.statement_id}`}>Session</Link>}
        {item.approval_id !== undefined && <Link to={`/approvals/${item.approval_id}`}>Approval request</Link>}
      </p>
    </li>
  );
}

/** What ran was allowed, what was held is held, and what was refused was most often denied. */
function goesWithoutSaying(effect: NonNullable<StatementItem['effect']>, outcome: StatementItem['outcome']): boolean {
  return effect === 'allow' || (effect === 'deny' && outcome === 'refused') || (effect === 'require_approval' && outcome === 'held');
}

function Measures({ item }: { readonly item: StatementItem }): JSX.Element {
  const { rows, bytes, duration_us: duration, masked, sqlstate, refused, codes } = item;
  const maskedCount = Object.values(masked ?? {}).reduce((sum, many) => sum + many, 0);
  const measures = [
    duration === undefined ? '' : formatMicros(duration),
    rows === undefined || !isSql(item) ? '' : count(rows, 'row'),
    bytes === undefined ? '' : formatBytes(bytes),
    maskedCount === 0 ? '' : `${count(Object.keys(masked ?? {}).length, isSql(item) ? 'column' : 'field')} masked`,
    refused === undefined || codes.includes(refused) ? '' : refused,
    sqlstate === undefined || sqlstate === '00000' || !isSql(item) ? '' : `SQLSTATE ${sqlstate}`,
  ].filter((measure) => measure !== '');
  return (
    <span className="measures quiet">
      <Words>{measures.join(' · ')}</Words>
    </span>
  );
}

/** It scrolls within itself then, and the keyboard must reach it. */
function isTall(text: string): boolean {
  return text.length > 600 || text.split('\n').length > 10;
}

function StatementText({ item: { text, cut, action } }: { readonly item: StatementItem }): JSX.Element {
  if (text === undefined) return <p className="quiet">{`The text is not kept in clear (${action}).`}</p>;
  return (
    <pre className="statement-text" {...(isTall(text) ? { tabIndex: 0, role: 'region', 'aria-label': 'Text' } : {})}>
      <Words>{trimmed(text)}</Words>
      {cut === true && <span className="quiet">{' … longer than the 2,000 characters shown here'}</span>}
    </pre>
  );
}
