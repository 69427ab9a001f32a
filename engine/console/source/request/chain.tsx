/** How far the request has come: its stages in order, whom each asks, and who answered. */
import type { JSX } from 'react';
import type { ApprovalView } from '#schemas/approval';
import { Badge, type Tone } from '../parts/badge.tsx';
import { Deadline } from '../parts/moment.tsx';
import { Names } from '../parts/names.tsx';
import { Words } from '../parts/words.tsx';

type Stage = ApprovalView['progress'][number];

const STAGES: Readonly<Record<NonNullable<Stage['state']>, readonly [Tone, string]>> = {
  waiting: ['plain', 'not yet'],
  asked: ['held', 'asked now'],
  complete: ['good', 'complete'],
};

export function Chain({ approval }: { readonly approval: ApprovalView }): JSX.Element {
  return (
    <section aria-labelledby="chain-title">
      <h2 id="chain-title">Who decides</h2>
      <ol className="chain">
        {approval.progress.map((stage) => (
          <StageItem key={stage.stage} stage={stage} isOpen={approval.state === 'open'} />
        ))}
      </ol>
    </section>
  );
}

function StageItem({ stage, isOpen }: { readonly stage: Stage; readonly isOpen: boolean }): JSX.Element {
  const [tone, name] = STAGES[stage.state ?? (stage.approved_by.length >= stage.needed ? 'complete' : 'waiting')];
  const given = stage.approved_by.length;
  return (
    <li className="stage">
      <p className="stage-head">
        <Words className="strong">{stage.stage}</Words>
        <span>{`${given} of ${stage.needed}`}</span>
        {(isOpen || stage.state === 'complete') && <Badge tone={tone}>{name}</Badge>}
      </p>
      <progress max={stage.needed} value={Math.min(given, stage.needed)} aria-label={`${stage.stage}: ${given} of ${stage.needed} approvals`} />
      {(stage.asks ?? []).length > 0 && (
        <p className="quiet">
          asks <Names names={stage.asks ?? []} />
        </p>
      )}
      {given > 0 && (
        <p>
          approved by <Names names={stage.approved_by} />
        </p>
      )}
      {(stage.denied_by ?? []).length > 0 && (
        <p>
          denied by <Names names={stage.denied_by ?? []} />
        </p>
      )}
      {isOpen && stage.escalates_at !== undefined && (
        <p className="quiet">
          <Deadline time={stage.escalates_at} what="asks more people" />
        </p>
      )}
      {isOpen && stage.denies_at !== undefined && (
        <p className="quiet">
          <Deadline time={stage.denies_at} what="denied by itself" />
        </p>
      )}
    </li>
  );
}
