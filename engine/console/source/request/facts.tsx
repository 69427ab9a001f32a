/** Who, where, why and how much: one line each. */
import type { JSX } from 'react';
import type { ApprovalView } from '#schemas/approval';
import { Badge } from '../parts/badge.tsx';
import { Fact } from '../parts/fact.tsx';
import { count, formatNumber } from '../parts/format.ts';
import { Deadline, Moment } from '../parts/moment.tsx';
import { Words } from '../parts/words.tsx';
import { Link } from '../state/router.tsx';
import { grantInWords } from './grant.ts';
import { Parameters } from './parameters.tsx';

export function Facts({ approval }: { readonly approval: ApprovalView }): JSX.Element {
  return (
    <dl className="facts">
      <Fact name="Who">
        <Who approval={approval} />
      </Fact>
      <Fact name="Where">
        <Where approval={approval} />
      </Fact>
      <Fact name="Why">
        <Why approval={approval} />
      </Fact>
      {isDatabase(approval) && (
        <Fact name="Rows">
          <HowMuch approval={approval} />
        </Fact>
      )}
      <Fact name="Grants">{grantInWords(approval.requirement).replace(/^Grants /, '')}</Fact>
      <Fact name="When">
        <When approval={approval} />
      </Fact>
      {(approval.params ?? []).length > 0 && (
        <Fact name="Values">
          <Parameters approval={approval} />
        </Fact>
      )}
      <Links approval={approval} />
    </dl>
  );
}

function Who({ approval: { subject } }: { readonly approval: ApprovalView }): JSX.Element {
  const { login, groups, on_behalf_of: behind } = subject.properties;
  return (
    <>
      <Words className="strong">{login}</Words>
      {subject.type !== 'user' && <Badge tone="plain">{subject.type}</Badge>}
      {behind !== undefined && (
        <>
          {' for '}
          <Words className="strong">{behind.login}</Words>
        </>
      )}
      {groups.length > 0 && (
        <span className="quiet">
          {' · '}
          <Words>{groups.slice(0, 6).join(', ')}</Words>
          {groups.length > 6 && ` and ${groups.length - 6} more groups`}
        </span>
      )}
    </>
  );
}

/** An API and an MCP server have no database, no rows, and no transaction. */
function isDatabase({ binding }: ApprovalView): boolean {
  return binding.database !== '';
}

function Where({ approval }: { readonly approval: ApprovalView }): JSX.Element {
  const { target, binding } = approval;
  if (!isDatabase(approval)) return <Words className="strong">{target}</Words>;
  return (
    <>
      <Words className="strong">{target}</Words>
      <span className="quiet">
        {' · database '}
        <Words>{binding.database}</Words>
        {' as '}
        <Words>{binding.role}</Words>
        {binding.transaction !== 'idle' && ` · transaction ${binding.transaction}`}
      </span>
    </>
  );
}

function Why({ approval: { reasons } }: { readonly approval: ApprovalView }): JSX.Element {
  const asked = reasons.filter(({ effect }) => effect === 'require_approval');
  return (
    <ul className="lines">
      {(asked.length > 0 ? asked : reasons).map(({ policy, code, reason }) => (
        <li key={`${policy} ${code}`}>
          <Words>{reason}</Words> <code className="code">{code}</code>{' '}
          <span className="quiet policy">
            <Words>{policy}</Words>
          </span>
        </li>
      ))}
    </ul>
  );
}

const NO_ESTIMATE: Readonly<Record<string, string>> = {
  timeout: 'the target did not answer EXPLAIN in time',
  refused: 'the target refused EXPLAIN',
  error: 'EXPLAIN failed',
  none: 'no estimate for this kind of statement',
};

function HowMuch({ approval: { estimate, row_ceiling: ceiling, plan_text: plan } }: { readonly approval: ApprovalView }): JSX.Element {
  const known = estimate?.state === 'ok';
  return (
    <>
      {known ? (
        <span className="strong">{estimate.rows === undefined ? 'no number of rows' : `about ${count(Math.round(estimate.rows), 'row')}`}</span>
      ) : (
        <span className="strong">{NO_ESTIMATE[estimate?.state ?? 'none'] ?? 'unknown'}</span>
      )}
      <span className="quiet">
        {typeof ceiling === 'number' ? ` · rolled back above ${count(ceiling, 'row')}` : ' · no ceiling'}
        {known && estimate.cost !== undefined && ` · cost ${formatNumber(Math.round(estimate.cost))}`}
      </span>
      {estimate?.detail !== undefined && (
        <span className="quiet">
          {' · '}
          <Words>{estimate.detail}</Words>
        </span>
      )}
      {plan !== undefined && (
        <details className="plan">
          <summary>Plan of the target</summary>
          <pre tabIndex={0}>
            <Words>{plan}</Words>
          </pre>
        </details>
      )}
    </>
  );
}

function When({ approval }: { readonly approval: ApprovalView }): JSX.Element {
  return (
    <>
      asked <Moment time={approval.requested_at} />
      {approval.state === 'open' && (
        <>
          {' · '}
          <Deadline time={approval.expires_at} what="expires" />
        </>
      )}
      {approval.state === 'approved' && approval.valid_until !== undefined && (
        <>
          {' · '}
          <Deadline time={approval.valid_until} what="usable, expires" />
        </>
      )}
    </>
  );
}

function Links({
  approval: { follows, followed_by: followedBy, supersedes, session_id: session },
}: {
  readonly approval: ApprovalView;
}): JSX.Element | null {
  const links = [
    { name: 'Answers', to: follows },
    { name: 'Answered by', to: followedBy },
    { name: 'Replaces', to: supersedes },
  ].filter(({ to }) => to !== undefined);
  if (links.length === 0 && session === undefined) return null;
  return (
    <Fact name="See also">
      <span className="row">
        {links.map(({ name, to }) => (
          <span key={name}>
            {`${name} `}
            <Link to={`/approvals/${to}`}>{to}</Link>
          </span>
        ))}
        {session !== undefined && <Link to={`/sessions/${session}`}>its session</Link>}
      </span>
    </Fact>
  );
}
