/** What waits: for the reader, of the reader, and all that they may see. */
import { type JSX, useEffect } from 'react';
import type { InboxBox, InboxPage } from '#schemas/review';
import { api, type InboxQuery } from '../api/routes.ts';
import { ChoiceFilter, FilterForm, TextFilter } from '../parts/filter.tsx';
import { formatNumber } from '../parts/format.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { Pager, useTurns } from '../parts/pager.tsx';
import { RequestRow } from '../parts/request-row.tsx';
import { moveAlong, useKeys } from '../state/keys.ts';
import { useReader } from '../state/reader.ts';
import { useResource } from '../state/resource.ts';
import { Link, navigate, useAddress } from '../state/router.tsx';

const BOXES: Readonly<Record<Exclude<InboxBox, 'reviews'>, string>> = { to_decide: 'To decide', asked: 'Asked by me', all: 'All' };
const STATES = ['open', 'approved', 'denied', 'consumed', 'expired', 'cancelled', 'changes_requested', 'withdrawn', 'superseded'] as const;

export function Inbox(): JSX.Element {
  const { me, waiting } = useReader();
  const { query } = useAddress();
  const box = boxOf(query.get('box'), me.decides);
  const wanted: InboxQuery = {
    box,
    q: query.get('q') ?? '',
    state: box === 'to_decide' ? '' : (query.get('state') ?? ''),
    target: query.get('target') ?? '',
    cursor: query.get('cursor') ?? '',
  };
  return (
    <>
      <h1 className="page-title" tabIndex={-1}>
        Inbox
      </h1>
      <nav className="boxes" aria-label="Boxes">
        {Object.entries(BOXES).map(([name, title]) => (
          <Link key={name} to={`/?box=${name}`} aria-current={name === box ? 'page' : undefined}>
            {title}
            {name === 'to_decide' && waiting !== null && waiting.total > 0 && <span className="many">{formatNumber(waiting.total)}</span>}
          </Link>
        ))}
      </nav>
      <FilterForm names={['q', 'state', 'target']} label="Filter requests">
        <TextFilter name="q" label="Words" hint="sentence, person, code" />
        <TextFilter name="target" label="Target" hint="any" list={me.targets} />
        {box !== 'to_decide' && (
          <ChoiceFilter name="state" label="State" any="any" choices={STATES.map((state) => ({ value: state, name: state.replaceAll('_', ' ') }))} />
        )}
      </FilterForm>
      <RequestList
        wanted={wanted}
        empty={<NothingHere box={box} filtered={(wanted.q ?? '') + (wanted.state ?? '') + (wanted.target ?? '') !== ''} />}
      />
    </>
  );
}

/** Broken glasses whose review is open, and those of before. */
export function Reviews(): JSX.Element {
  const { query } = useAddress();
  return (
    <>
      <h1 className="page-title" tabIndex={-1}>
        Break-glass reviews
      </h1>
      <p className="lead">
        Somebody ran these without a reviewer. Each stays here until somebody else has looked at what happened and closed its review; until then that
        person cannot break the glass again.
      </p>
      <RequestList
        wanted={{ box: 'reviews', cursor: query.get('cursor') ?? '' }}
        empty={
          <Empty title="No review is open">
            <p>Nobody has run anything without a reviewer that nobody has looked at since.</p>
          </Empty>
        }
      />
    </>
  );
}

function RequestList({ wanted, empty }: { readonly wanted: InboxQuery; readonly empty: JSX.Element }): JSX.Element {
  const page = useResource<InboxPage>({
    key: `inbox ${JSON.stringify(wanted)}`,
    load: (signal) => api.inbox(wanted, signal),
    concerns: ({ kind }) => kind === 'approval' || kind === 'delegation',
    keep: true,
  });
  const turns = useTurns(page.data?.next);
  useKeys({
    j: () => moveAlong(1, turns.next),
    ArrowDown: () => moveAlong(1, turns.next),
    k: () => moveAlong(-1),
    ArrowUp: () => moveAlong(-1),
    '/': focusFilter,
  });
  useRememberList(page.data);
  return (
    <Shown resource={page}>
      {({ items, total }) =>
        items.length === 0 ? (
          empty
        ) : (
          <>
            <ul className="requests">
              {items.map((item) => (
                <RequestRow key={item.approval_id} item={item} />
              ))}
            </ul>
            <Pager total={total} shown={items.length} turns={turns} what="requests" />
          </>
        )
      }
    </Shown>
  );
}

function focusFilter(): void {
  const field = document.querySelector<HTMLElement>('[name="q"]');
  if (field === null) navigate('/search#find');
  else field.focus();
}

let list: readonly string[] = [];

/** So that j and k on a request go along the list one came from. */
export function neighbour(id: string, step: 1 | -1): string | null {
  const here = list.indexOf(id);
  return here === -1 ? null : (list[here + step] ?? null);
}

function useRememberList(page: InboxPage | null): void {
  useEffect(() => {
    if (page !== null) list = page.items.map(({ approval_id: id }) => id);
  }, [page]);
}

function NothingHere({ box, filtered }: { readonly box: InboxBox; readonly filtered: boolean }): JSX.Element {
  if (filtered)
    return (
      <Empty title="Nothing matches">
        <p>Use fewer words, or clear the filter.</p>
      </Empty>
    );
  if (box === 'to_decide')
    return (
      <Empty title="Nothing waits for you">
        <p>A statement that needs your approval appears here by itself, a moment after it was held.</p>
      </Empty>
    );
  if (box === 'asked')
    return (
      <Empty title="You have asked for nothing">
        <p>When policy holds a statement of yours, its request is here, with who may decide it and how it stands.</p>
      </Empty>
    );
  return (
    <Empty title="No requests yet">
      <p>
        When policy asks for approval, the statement is held and its request is here. <Link to="/search">The audit search</Link> has everything else.
      </p>
    </Empty>
  );
}

function boxOf(name: string | null, decides: boolean): Exclude<InboxBox, 'reviews'> {
  if (name === 'to_decide' || name === 'asked' || name === 'all') return name;
  return decides ? 'to_decide' : 'asked';
}
