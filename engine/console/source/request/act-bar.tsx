/** The acts that are open to this reader now, and in one line why the others are not. On a phone it stays at the bottom. */
import type { JSX } from 'react';
import type { Ability, Act, RequestPage } from '#schemas/review';
import { Words } from '../parts/words.tsx';
import { type Keys, useKeys } from '../state/keys.ts';
import { ACT_FORMS } from './acts.ts';
import { LoginAnew } from './login-anew.tsx';

const VERDICTS: readonly Act[] = ['approve', 'deny', 'changes'];

export function ActBar({ page, choose }: { readonly page: RequestPage; readonly choose: (act: Act) => void }): JSX.Element | null {
  const allowed = page.can.filter((ability) => ability.allowed && !(ability.act === 'approve' && !page.text.complete));
  useKeys(keysOf(allowed, choose));
  const refused = page.approval.state === 'open' ? page.can.find(({ act, allowed: may }) => act === 'approve' && !may) : undefined;
  if (allowed.length === 0 && refused === undefined) return null;
  return (
    <div className="act-bar" role="group" aria-label="Your decision">
      {refused !== undefined && <WhyNot ability={refused} alone={!allowed.some(({ act }) => VERDICTS.includes(act))} page={page} />}
      {allowed.map(({ act }) => {
        const { name, key, tone } = ACT_FORMS[act];
        return (
          <button key={act} type="button" className={`${tone} act-${act}`} onClick={() => choose(act)}>
            {name} {key !== null && <kbd>{key}</kbd>}
          </button>
        );
      })}
    </div>
  );
}

function WhyNot({ ability, alone, page }: { readonly ability: Ability; readonly alone: boolean; readonly page: RequestPage }): JSX.Element {
  return (
    <div className="why-not">
      <p className="quiet">
        {alone ? 'You cannot decide this: ' : 'You cannot approve this: '}
        <Words>{ability.why ?? ability.code ?? 'policy does not ask you'}</Words>
      </p>
      <LoginAnew code={ability.code} page={page} />
    </div>
  );
}

function keysOf(allowed: readonly Ability[], choose: (act: Act) => void): Keys {
  return Object.fromEntries(
    allowed.flatMap(({ act }) => {
      const { key } = ACT_FORMS[act];
      return key === null ? [] : [[key, () => choose(act)]];
    }),
  );
}
