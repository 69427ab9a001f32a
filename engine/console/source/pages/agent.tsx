/** One agent: who is behind it, what it did last, and what it may do as policy answers now. */
import type { JSX } from 'react';
import type { AgentClaims, AgentView, Claim } from '#schemas/agent';
import type { StatementPage } from '#schemas/review';
import { api } from '../api/routes.ts';
import { AGENT_STATES, ceilingWords, CLAIM_EFFECTS } from '../parts/agent.ts';
import { Badge } from '../parts/badge.tsx';
import { Fact } from '../parts/fact.tsx';
import { count } from '../parts/format.ts';
import { Moment } from '../parts/moment.tsx';
import { Shown } from '../parts/notices.tsx';
import { Words } from '../parts/words.tsx';
import { useResource } from '../state/resource.ts';
import { Link } from '../state/router.tsx';

/** Of one target: claims.json of the skill has all. */
const CLAIMS_SHOWN = 100;

export function Agent({ name }: { readonly name: string }): JSX.Element {
  const agent = useResource<AgentView>({
    key: `agent ${name}`,
    load: (signal) => api.agent(name, signal),
    concerns: ({ kind }) => kind === 'session',
  });
  const claims = useResource<AgentClaims>({
    key: `claims ${name}`,
    load: (signal) => api.claims(name, signal),
    concerns: ({ kind }) => kind === 'policy',
  });
  return (
    <>
      <p className="quiet">
        <Link to="/agents">Agents</Link>
        {' / '}
        <code>{name}</code>
      </p>
      <Shown resource={agent}>{(view) => <About view={view} />}</Shown>
      <h2 className="target-name agent-may">What it may do now</h2>
      <Shown resource={claims}>{(all) => <May claims={all} />}</Shown>
    </>
  );
}

function About({ view }: { readonly view: AgentView }): JSX.Element {
  const { name, owner, targets, groups, ceilings, sessions, by, key_since: since, state } = view;
  const [tone, says] = AGENT_STATES[state];
  const held = ceilingWords(ceilings);
  return (
    <>
      <h1 className="page-title" tabIndex={-1}>
        <Words>{name}</Words> for <Words>{owner.login}</Words> <Badge tone={tone}>{says}</Badge>
      </h1>
      <dl className="facts">
        <Fact name="Behind it">
          <Words className="strong">{owner.login}</Words>
          <span className="quiet">
            {owner.groups === null ? ' · groups not known' : ` · ${owner.groups.join(', ') || 'no groups'}`}
            {owner.seen_at !== null && (
              <>
                {', seen '}
                <Moment time={owner.seen_at} />
              </>
            )}
          </span>
        </Fact>
        <Fact name="Where">
          <Words className="strong">{targets.join(', ')}</Words>
        </Fact>
        <Fact name="Rights">
          what both may
          <span className="quiet">
            {' · its own groups: '}
            <Words>{groups.join(', ') || 'none'}</Words>
          </span>
        </Fact>
        <Fact name="Ceilings">{held.length === 0 ? 'those of the policies' : `${held.join(', ')}, beside those of the policies`}</Fact>
        <Fact name="Last used">
          <LastUse name={name} />
        </Fact>
        <Fact name="Sessions">
          <Link to={`/sessions?who=${encodeURIComponent(name)}`}>{sessions === 0 ? 'none open' : `${count(sessions, 'session')} open`}</Link>
        </Fact>
        <Fact name="Key">
          since <Moment time={since} />
          <span className="quiet">
            {', by '}
            <Words>{by}</Words>
          </span>
        </Fact>
        <Fact name="To end it">
          <code>{`interlock skill remove ${name} --token-file FILE`}</code>
          <span className="quiet"> cuts it off within a second</span>
        </Fact>
      </dl>
    </>
  );
}

/** Its newest statement, where its reader may see it; a cool-down shows there. */
function LastUse({ name }: { readonly name: string }): JSX.Element {
  const page = useResource<StatementPage>({ key: `last of ${name}`, load: (signal) => api.search({ who: name, limit: 1 }, signal, false) });
  const [last] = page.data?.items ?? [];
  if (page.error !== null) return <span className="quiet">could not be asked just now</span>;
  if (page.data === null) return <span className="quiet">…</span>;
  if (last === undefined) return <span className="quiet">never, as far as you may see</span>;
  const cooled = last.refused === 'AGENT_COOL_DOWN';
  return (
    <>
      <Moment time={last.time} />
      {' on '}
      <Link to={`/sessions/${last.session_id}#${last.statement_id}`}>{last.target}</Link>{' '}
      {cooled && <Badge tone="bad">cooled down: refused too often</Badge>}
    </>
  );
}

function May({ claims: { claims, unknown } }: { readonly claims: AgentClaims }): JSX.Element {
  const targets = [...new Set(claims.map(({ target }) => target))];
  return (
    <>
      {targets.map((target) => {
        const own = claims.filter((claim) => claim.target === target);
        return (
          <section key={target} className="target" aria-label={`Target ${target}`}>
            <h3 className="target-name">
              <Words>{target}</Words>
            </h3>
            <ul className="delegations">
              {own.slice(0, CLAIMS_SHOWN).map((claim) => (
                <ClaimRow key={claim.id} claim={claim} />
              ))}
            </ul>
            {own.length > CLAIMS_SHOWN && <p className="quiet">{`${CLAIMS_SHOWN} of ${own.length}; \`interlock skill show\` has all.`}</p>}
          </section>
        );
      })}
      {unknown.map((target) => (
        <p key={target} className="quiet">
          What <Words>{target}</Words> holds is not known to the engine yet: once somebody has connected to it.
        </p>
      ))}
    </>
  );
}

function ClaimRow({ claim: { what, effect, reason, masked = [], approvers = [] } }: { readonly claim: Claim }): JSX.Element {
  const [tone, says] = CLAIM_EFFECTS[effect];
  const more =
    effect === 'mask' ? `masked: ${masked.join(', ')}` : approvers.length > 0 ? `asks ${approvers.join(', ')}` : effect === 'deny' ? reason : '';
  return (
    <li className="claim">
      <Badge tone={tone}>{says}</Badge>
      <span>
        <Words>{what}</Words>
        {more !== '' && (
          <span className="quiet">
            {' · '}
            <Words>{more}</Words>
          </span>
        )}
      </span>
    </li>
  );
}
