/** The audit search: who did what to which object, when, and how it was decided. */
import { type JSX, useEffect, useRef } from 'react';
import type { StatementPage } from '#schemas/review';
import { api, type SearchQuery } from '../api/routes.ts';
import { EFFECT_NAMES } from '../parts/badge.tsx';
import { dayRange, recentDays } from '../parts/day.ts';
import { ChoiceFilter, DateFilter, FilterForm, TextFilter } from '../parts/filter.tsx';
import { Empty, Shown } from '../parts/notices.tsx';
import { Pager, useTurns } from '../parts/pager.tsx';
import { Statement } from '../parts/statement.tsx';
import { moveAlong, useKeys } from '../state/keys.ts';
import { useReader } from '../state/reader.ts';
import { useResource } from '../state/resource.ts';
import { Link, useAddress } from '../state/router.tsx';

const VERBS = ['read', 'insert', 'update', 'delete', 'truncate', 'create', 'alter', 'drop', 'grant', 'execute', 'lock'] as const;
const OUTCOMES = ['ok', 'refused', 'held', 'error', 'cancelled', 'unknown', 'running'] as const;
const FIELDS = ['q', 'who', 'verb', 'object', 'target', 'effect', 'outcome', 'code', 'day', 'from', 'to'] as const;
/** What the page makes of days, the engine is asked in times. */
const DAYS: readonly string[] = ['day', 'from', 'to'];

export function Search(): JSX.Element {
  const { me } = useReader();
  const { query } = useAddress();
  const form = useRef<HTMLDivElement>(null);
  const day = query.get('day');
  const wanted: SearchQuery = {
    ...Object.fromEntries(FIELDS.filter((name) => !DAYS.includes(name)).map((name) => [name, query.get(name) ?? ''])),
    cursor: query.get('cursor') ?? '',
    ...dayRange(day ?? query.get('from'), day ?? query.get('to')),
  };
  const page = useResource<StatementPage>({
    key: `search ${JSON.stringify(wanted)}`,
    load: (signal, refreshes) => api.search(wanted, signal, refreshes),
    keep: true,
  });
  const turns = useTurns(page.data?.next);
  const first = (): void => form.current?.querySelector<HTMLInputElement>('[name="q"]')?.focus();
  useKeys({ j: () => moveAlong(1, turns.next), k: () => moveAlong(-1), '/': first, Enter: openFocused });
  useEffect(() => {
    if (location.hash === '#find') form.current?.querySelector<HTMLInputElement>('[name="q"]')?.focus();
  }, []);
  return (
    <>
      <h1 className="page-title" tabIndex={-1}>
        Audit search
      </h1>
      <div ref={form}>
        <FilterForm names={FIELDS} label="Search the record">
          <TextFilter name="q" label="Words of the text" hint="refund 4711" />
          <TextFilter name="who" label="Who" hint="login" />
          <ChoiceFilter name="verb" label="Did" any="anything" choices={VERBS.map((verb) => ({ value: verb, name: verb }))} />
          <TextFilter name="object" label="To" hint="payments, public.payments" />
          <ChoiceFilter name="day" label="Day" any="any" choices={recentDays(new Date())} />
          <TextFilter name="target" label="Target" hint="any" list={me.targets} />
          <ChoiceFilter name="effect" label="Decision" any="any" choices={Object.entries(EFFECT_NAMES).map(([value, name]) => ({ value, name }))} />
          <ChoiceFilter
            name="outcome"
            label="Outcome"
            any="any"
            choices={OUTCOMES.map((outcome) => ({ value: outcome, name: outcome === 'ok' ? 'ran' : outcome }))}
          />
          <DateFilter name="from" label="From" />
          <DateFilter name="to" label="Until" />
          <TextFilter name="code" label="Code" hint="of a rule" />
        </FilterForm>
      </div>
      <Shown resource={page}>
        {({ items, total }) =>
          items.length === 0 ? (
            <Nothing filtered={FIELDS.some((name) => query.has(name))} />
          ) : (
            <>
              <ol className="statements">
                {items.map((item) => (
                  <Statement key={item.statement_id} item={item} within="search" />
                ))}
              </ol>
              <Pager total={total} shown={items.length} turns={turns} what="statements" />
            </>
          )
        }
      </Shown>
    </>
  );
}

function openFocused(): void {
  document.activeElement?.querySelector<HTMLAnchorElement>('.statement-links a')?.click();
}

function Nothing({ filtered }: { readonly filtered: boolean }): JSX.Element {
  if (filtered)
    return (
      <Empty title="Nothing like this is in the record">
        <p>
          A table is found by its name in any schema; a text only where it is kept in clear. Try fewer filters, or <Link to="/search">all of it</Link>
          .
        </p>
      </Empty>
    );
  return (
    <Empty title="The record is empty">
      <p>Every statement that goes through a target is here a moment later: who asked, what it touched, and how it was decided.</p>
    </Empty>
  );
}
