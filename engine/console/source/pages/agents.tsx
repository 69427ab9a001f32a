/** Agents: who acts for whom, and where. */
import type { JSX } from 'react';
import type { AgentView } from '#schemas/agent';
import { api, type AgentList } from '../api/routes.ts';
import { Badge } from '../parts/badge.tsx';
import { AGENT_STATES, ceilingWords } from '../parts/agent.ts';
import { count } from '../parts/format.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { Words } from '../parts/words.tsx';
import { moveAlong, useKeys } from '../state/keys.ts';
import { useResource } from '../state/resource.ts';
import { Link } from '../state/router.tsx';

const SHOWN_MAX = 500;

export function Agents(): JSX.Element {
  const page = useResource<AgentList>({
    key: 'agents',
    load: (signal) => api.agents(signal),
    concerns: ({ kind }) => kind === 'session',
    keep: true,
  });
  useKeys({ j: () => moveAlong(1), k: () => moveAlong(-1) });
  return (
    <>
      <h1 className="page-title">Agents</h1>
      <Shown resource={page}>
        {({ items }) =>
          items.length === 0 ? (
            <Nothing />
          ) : (
            <>
              <ul className="sessions">
                {items.slice(0, SHOWN_MAX).map((item) => (
                  <Row key={item.name} item={item} />
                ))}
              </ul>
              {items.length > SHOWN_MAX && <p className="quiet">{`${SHOWN_MAX} of ${items.length} agents; \`interlock skill list\` has all.`}</p>}
            </>
          )
        }
      </Shown>
    </>
  );
}

function Row({ item }: { readonly item: AgentView }): JSX.Element {
  const [tone, name] = AGENT_STATES[item.state];
  const ceilings = ceilingWords(item.ceilings);
  return (
    <li>
      <Link to={`/agents/${item.name}`} data-row className="session-link">
        <span>
          <Words className="strong">{item.name}</Words>
          {' for '}
          <Words className="strong">{item.owner.login}</Words>
          <span className="quiet">
            {' on '}
            <Words>{item.targets.join(', ')}</Words>
            {ceilings.length > 0 && ` · ${ceilings.join(', ')}`}
          </span>
        </span>
        <Badge tone={tone}>{name}</Badge>
        <span className="quiet session-when">{item.sessions === 0 ? 'not connected' : count(item.sessions, 'open session')}</span>
      </Link>
    </li>
  );
}

function Nothing(): JSX.Element {
  return (
    <Empty title="No agents">
      <p>
        In a terminal: <code>interlock skill add NAME --target TARGET</code>
      </p>
    </Empty>
  );
}
