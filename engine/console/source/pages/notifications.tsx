/** Messages to people outside: those that could not be delivered stay here until they are sent again, or are no longer needed. */
import { type JSX, useState } from 'react';
import type { NotificationView } from '#schemas/notification';
import { asCallError, type CallError } from '../api/call.ts';
import { api, type NotificationList } from '../api/routes.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import { ChoiceFilter, FilterForm } from '../parts/filter.tsx';
import { count, formatNumber } from '../parts/format.ts';
import { Moment } from '../parts/moment.tsx';
import { Empty, Failure, Shown } from '../parts/notices.tsx';
import { Words } from '../parts/words.tsx';
import { useResource } from '../state/resource.ts';
import { Link, useAddress } from '../state/router.tsx';

const TONES: Readonly<Record<NotificationView['state'], Tone>> = { waiting: 'held', delivered: 'good', dead: 'bad' };
const NAMES: Readonly<Record<NotificationView['state'], string>> = { waiting: 'tried again', delivered: 'delivered', dead: 'given up' };
const SHOWN_MAX = 100;

export function Notifications(): JSX.Element {
  const { query } = useAddress();
  const state = query.get('state') ?? 'dead';
  const page = useResource<NotificationList>({
    key: `notifications ${state}`,
    load: (signal) => api.notifications(state, signal),
    concerns: ({ kind }) => kind === 'approval',
  });
  return (
    <>
      <h1 className="page-title">Messages</h1>
      <p className="lead">
        A message points to a request; the verdict is given here. What a channel did not take after its last try waits until somebody sends it again.
      </p>
      <FilterForm names={['state']} label="Filter messages">
        <ChoiceFilter
          name="state"
          label="State"
          any="given up"
          choices={[
            { value: 'waiting', name: 'tried again' },
            { value: 'delivered', name: 'delivered' },
            { value: 'all', name: 'all' },
          ]}
        />
      </FilterForm>
      <Shown resource={page}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={state === 'dead' ? 'Nothing was given up' : 'No messages'}>
              <p>
                Channels are in <code>approvals.notify</code>; <code>interlock notify test CHANNEL</code> tries one.
              </p>
            </Empty>
          ) : (
            <>
              {items.length > SHOWN_MAX && (
                <p className="quiet">{`${SHOWN_MAX} of ${formatNumber(items.length)}; \`interlock notify list\` has all.`}</p>
              )}
              <ul className="delegations">
                {items.slice(0, SHOWN_MAX).map((item) => (
                  <MessageRow key={item.notification_id} item={item} done={page.reload} />
                ))}
              </ul>
            </>
          )
        }
      </Shown>
    </>
  );
}

function MessageRow({ item, done }: { readonly item: NotificationView; readonly done: () => void }): JSX.Element {
  const [error, setError] = useState<CallError | null>(null);
  const resend = async (): Promise<void> => {
    setError(null);
    try {
      await api.resend(item.notification_id);
      done();
    } catch (failure) {
      setError(asCallError(failure));
    }
  };
  return (
    <li className="delegation">
      <span>
        <Words className="strong">{item.channel}</Words> · <Words>{item.about}</Words>
        {item.gathers !== undefined && ` and ${item.gathers - 1} more`}{' '}
        {item.approval_id !== undefined && <Link to={`/approvals/${item.approval_id}`}>request</Link>}
        {item.detail !== undefined && (
          <span className="quiet">
            {' · '}
            <Words>{item.detail}</Words>
          </span>
        )}
      </span>
      <span className="row quiet">
        <Moment time={item.time} />
        {count(item.tries, 'try', 'tries')}
        <Badge tone={TONES[item.state]}>{NAMES[item.state]}</Badge>
        {item.state === 'dead' && (
          <button type="button" onClick={() => void resend()}>
            Send again
          </button>
        )}
      </span>
      {error !== null && <Failure error={error} />}
    </li>
  );
}
