/** What happened to a request, line by line, as its record tells it. */
import type { PayloadRef } from '#schemas/event';
import type { StoryLine } from '#schemas/review';
import type { ApprovalRecord } from './record.ts';
import type { Entry } from './store.ts';
import { named } from './view.ts';

/** Oldest first; at one instant in the order in which it can happen. Nothing is escaped: who shows it does. */
export function storyOf(entry: Entry): readonly StoryLine[] {
  const { record, words } = entry;
  const said = (ref: PayloadRef | null): { comment?: string } => {
    const text = ref && words.get(ref.digest);
    return typeof text === 'string' ? { comment: text } : {};
  };
  const lines: StoryLine[] = [
    {
      time: record.requestedAt,
      type: 'requested',
      who: record.subject.properties.login,
      what: record.follows === null ? 'asked for approval' : `asked again, after changes to ${record.follows}`,
    },
    ...record.escalations.map(({ stage, added, time }) => ({
      time,
      type: 'escalated',
      what: `stage ${stage} also asks ${added.map(named).join(', ')}`,
    })),
    ...record.verdicts.map(({ outcome, stage, reviewer, delegation, comment, time }) => ({
      time,
      type: 'verdict',
      who: reviewer.properties.login,
      what: `${VERDICTS[outcome]} (stage ${stage}${delegation === undefined ? '' : `, by delegation ${delegation}`})`,
      ...said(comment),
    })),
    ...brokenLines(record, said),
    ...settledLines(record),
    ...record.uses.map(({ statementId, time }) => ({ time, type: 'consumed', what: `used for ${statementId}` })),
    ...[...entry.executions]
      .filter(([, { outcome }]) => outcome !== 'running')
      .map(([statementId, { outcome, rows, time }]) => ({
        time,
        type: 'executed',
        what: `${statementId} ended: ${OUTCOMES[outcome] ?? outcome}${rows === undefined || record.binding.database === '' ? '' : `, ${rows} rows`}`,
      })),
    ...reviewLines(record, said),
  ];
  return lines.toSorted((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}

const VERDICTS = { approve: 'approved', deny: 'denied', changes: 'asked for changes' } as const;
const OUTCOMES: Readonly<Record<string, string>> = {
  ok: 'done',
  error: 'the target refused it',
  aborted: 'not sent, or rolled back',
  cancelled: 'cancelled',
  unknown: 'nobody knows whether it ran: look at the target, it is not run again',
};

type Said = (ref: PayloadRef | null) => { comment?: string };

function brokenLines({ glass }: ApprovalRecord, said: Said): readonly StoryLine[] {
  if (!glass) return [];
  const { by, rule, time, reason } = glass;
  return [{ time, type: 'glass_broken', who: by.properties.login, what: `broke the glass by rule ${rule}`, ...said(reason) }];
}

function reviewLines({ glass }: ApprovalRecord, said: Said): readonly StoryLine[] {
  if (!glass?.review) return [];
  const { by, outcome, comment, time } = glass.review;
  return [{ time, type: 'glass_reviewed', who: by.properties.login, what: `found the broken glass ${outcome}`, ...said(comment) }];
}

function settledLines({ settlements }: ApprovalRecord): readonly StoryLine[] {
  return settlements.map(({ outcome, by, detail, time }) => ({
    time,
    type: 'settled',
    ...(by !== null && { who: by }),
    what: `${outcome.replace('_', ' ')}${detail === null ? '' : `: ${detail}`}`,
  }));
}
