/** How something stands, in a word and a tone: never in colour alone. */
import type { JSX } from 'react';
import type { ApprovalState } from '#schemas/approval';
import type { DecisionEffect } from '#schemas/decision';
import type { StatementItem } from '#schemas/review';

export type Tone = 'good' | 'bad' | 'held' | 'plain';

const STATES: Readonly<Record<ApprovalState, readonly [Tone, string]>> = {
  open: ['held', 'waits'],
  approved: ['good', 'approved'],
  denied: ['bad', 'denied'],
  expired: ['plain', 'expired'],
  cancelled: ['plain', 'cancelled'],
  superseded: ['plain', 'superseded'],
  withdrawn: ['plain', 'withdrawn'],
  changes_requested: ['held', 'changes asked'],
  consumed: ['good', 'used'],
};

const OUTCOMES: Readonly<Record<StatementItem['outcome'], readonly [Tone, string]>> = {
  running: ['held', 'running'],
  held: ['held', 'held'],
  refused: ['bad', 'refused'],
  prepared: ['plain', 'prepared'],
  ok: ['good', 'ran'],
  error: ['bad', 'error'],
  aborted: ['bad', 'aborted'],
  cancelled: ['plain', 'cancelled'],
  unknown: ['bad', 'unknown'],
};

export const EFFECT_NAMES: Readonly<Record<DecisionEffect, string>> = {
  allow: 'allowed',
  mask: 'masked',
  require_approval: 'needs approval',
  deny: 'denied',
};

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: string }): JSX.Element {
  return <span className={`badge ${tone}`}>{children}</span>;
}

export function StateBadge({ state }: { readonly state: ApprovalState }): JSX.Element {
  const [tone, name] = STATES[state];
  return <Badge tone={tone}>{name}</Badge>;
}

/** Told that it waits, a client comes back: that is no refusal. */
export function OutcomeBadge({ item: { outcome, refused } }: { readonly item: Pick<StatementItem, 'outcome' | 'refused'> }): JSX.Element {
  const [tone, name] = refused === 'APPROVAL_PENDING' ? (['held', 'told to wait'] as const) : OUTCOMES[outcome];
  return <Badge tone={tone}>{name}</Badge>;
}

export function Codes({ codes }: { readonly codes: readonly string[] }): JSX.Element {
  return (
    <>
      {codes.map((code) => (
        <code className="code" key={code}>
          {code}
        </code>
      ))}
    </>
  );
}
