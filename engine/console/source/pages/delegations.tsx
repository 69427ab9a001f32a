/** Somebody else decides in one's place for a while: a holiday needs no shared password. */
import { type FormEvent, type JSX, useState } from 'react';
import type { DelegationView } from '#schemas/approval';
import type { DelegationPage } from '#schemas/review';
import { asCallError, type CallError } from '../api/call.ts';
import { api } from '../api/routes.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { fieldText } from '../parts/field-text.ts';
import { formatDayAndTime } from '../parts/format.ts';
import { Empty, Failure, Shown } from '../parts/notices.tsx';
import { Words } from '../parts/words.tsx';
import { useReader } from '../state/reader.ts';
import { useResource } from '../state/resource.ts';

const STATES: Readonly<Record<DelegationView['state'], readonly [Tone, string]>> = {
  planned: ['held', 'planned'],
  in_force: ['good', 'in force'],
  ended: ['plain', 'ended'],
};
const LENGTHS = [
  { days: 1, name: 'a day' },
  { days: 7, name: 'a week' },
  { days: 14, name: 'two weeks' },
] as const;

export function Delegations(): JSX.Element {
  const { me } = useReader();
  const page = useResource<DelegationPage>({
    key: 'delegations',
    load: (signal) => api.delegations(signal),
    concerns: ({ kind }) => kind === 'delegation',
    keep: true,
  });
  return (
    <>
      <h1 className="page-title" tabIndex={-1}>
        Delegations
      </h1>
      <p className="lead">
        While one is in force, the other person is asked what you are asked, also about requests that are open already. It never counts for what they
        asked themselves.
      </p>
      {me.decides && <DelegationForm done={page.reload} />}
      <Shown resource={page}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title="No delegations">
              <p>Before you are away, name who decides in your place.</p>
            </Empty>
          ) : (
            <ul className="delegations">
              {items.map((item) => (
                <DelegationRow key={item.delegation_id} item={item} mine={item.from === me.login || item.from === me.id} done={page.reload} />
              ))}
            </ul>
          )
        }
      </Shown>
    </>
  );
}

function DelegationForm({ done }: { readonly done: () => void }): JSX.Element {
  const [error, setError] = useState<CallError | null>(null);
  const [starts, setStarts] = useState(() => localTime(new Date()));
  const [ends, setEnds] = useState(() => localTime(daysAfter(new Date(), 7)));
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    const fields = new FormData(form);
    setError(null);
    try {
      await api.delegate({
        to: fieldText(fields, 'to'),
        reason: fieldText(fields, 'reason'),
        starts: new Date(starts).toISOString(),
        ends: new Date(ends).toISOString(),
      });
      form.reset();
      done();
    } catch (failure) {
      setError(asCallError(failure));
    }
  };
  return (
    <form className="delegation-form" aria-label="New delegation" onSubmit={(event) => void submit(event)}>
      <label className="field">
        <span>Who decides in your place</span>
        <input name="to" required autoComplete="off" spellCheck={false} placeholder="login" />
      </label>
      <label className="field">
        <span>From</span>
        <input type="datetime-local" required value={starts} onChange={(event) => setStarts(event.currentTarget.value)} />
      </label>
      <label className="field">
        <span>Until</span>
        <input type="datetime-local" required min={starts} value={ends} onChange={(event) => setEnds(event.currentTarget.value)} />
      </label>
      <div className="lengths" role="group" aria-label="For">
        {LENGTHS.map(({ days, name }) => (
          <button key={days} type="button" onClick={() => setEnds(localTime(daysAfter(new Date(starts), days)))}>
            {`for ${name}`}
          </button>
        ))}
      </div>
      <label className="field wide">
        <span>Reason</span>
        <input name="reason" required maxLength={500} placeholder="on holiday" />
      </label>
      <button type="submit" className="primary">
        Delegate
      </button>
      {error !== null && <Failure error={error} />}
    </form>
  );
}

function DelegationRow({ item, mine, done }: { readonly item: DelegationView; readonly mine: boolean; readonly done: () => void }): JSX.Element {
  const [error, setError] = useState<CallError | null>(null);
  const [tone, name] = STATES[item.state];
  const end = async (): Promise<void> => {
    setError(null);
    try {
      await api.endDelegation(item.delegation_id);
      done();
    } catch (failure) {
      setError(asCallError(failure));
    }
  };
  return (
    <li className="delegation">
      <span>
        <Words className="strong">{item.to}</Words> decides for <Words className="strong">{item.from}</Words>
        <span className="quiet">
          {' · '}
          <Words>{item.reason}</Words>
        </span>
      </span>
      <span className="row quiet">
        {`${formatDayAndTime(item.starts)} – ${formatDayAndTime(item.ends)}`}
        <Badge tone={tone}>{name}</Badge>
        {mine && item.state !== 'ended' && (
          <button type="button" onClick={() => void end()}>
            End now
          </button>
        )}
      </span>
      {error !== null && <Failure error={error} />}
    </li>
  );
}

function daysAfter(from: Date, days: number): Date {
  const start = Number.isNaN(from.getTime()) ? new Date() : from;
  return new Date(start.getFullYear(), start.getMonth(), start.getDate() + days, start.getHours(), start.getMinutes());
}

/** What `datetime-local` takes: the reader's own time, to the minute. */
function localTime(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
