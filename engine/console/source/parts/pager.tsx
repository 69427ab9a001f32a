import type { JSX } from 'react';
import { navigate, useAddress, withQuery } from '../state/router.tsx';
import { formatNumber } from './format.ts';

const COUNTED_MAX = 10_000;

export interface Turns {
  readonly next?: () => void;
  readonly previous?: () => void;
}

/** One page at a time, by the engine's cursor; the browser's back goes to the page before. */
export function useTurns(next: string | null | undefined): Turns {
  const address = useAddress();
  const cursor = address.query.get('cursor');
  return {
    ...(next === null || next === undefined ? {} : { next: () => turn(withQuery(address, { cursor: next })) }),
    ...(cursor === null ? {} : { previous: () => history.back() }),
  };
}

export function Pager({
  total,
  shown,
  turns,
  what,
}: {
  readonly total: number;
  readonly shown: number;
  readonly turns: Turns;
  readonly what: string;
}): JSX.Element | null {
  if (turns.next === undefined && turns.previous === undefined) return null;
  const all = total >= COUNTED_MAX ? `${formatNumber(COUNTED_MAX)} or more` : formatNumber(total);
  return (
    <nav className="pager" aria-label="Turn the page">
      <button type="button" disabled={turns.previous === undefined} onClick={turns.previous}>
        Previous
      </button>
      <span className="quiet">{`${formatNumber(shown)} of ${all} ${what}`}</span>
      <button type="button" disabled={turns.next === undefined} onClick={turns.next}>
        Next
      </button>
    </nav>
  );
}

function turn(to: string): void {
  navigate(to);
  window.scrollTo(0, 0);
}
