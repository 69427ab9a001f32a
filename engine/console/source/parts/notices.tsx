/** What a page says when it has nothing, not yet, or cannot. */
import type { JSX, ReactNode } from 'react';
import type { CallError } from '../api/call.ts';
import type { Resource } from '../state/resource.ts';
import { Words } from './words.tsx';

export function Empty({ title, children }: { readonly title: string; readonly children?: ReactNode }): JSX.Element {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** The engine's own words, what to do, and its code for whoever is asked for help. */
export function Failure({ error, retry }: { readonly error: CallError; readonly retry?: () => void }): JSX.Element {
  return (
    <div className="failure" role="alert">
      <p>
        <Words>{error.message}</Words>
      </p>
      {error.hint !== null && (
        <p className="quiet">
          <Words>{error.hint}</Words>
        </p>
      )}
      <p className="quiet">
        <code>{error.code}</code>
        {retry !== undefined && (
          <button type="button" className="link" onClick={retry}>
            Try again
          </button>
        )}
      </p>
    </div>
  );
}

/** The three states of whatever is fetched; what was there stays while it is fetched again, with what went wrong above it. */
export function Shown<T>({ resource, children }: { readonly resource: Resource<T>; readonly children: (data: T) => ReactNode }): JSX.Element {
  const { data, error, reload } = resource;
  if (data === null && error === null) return <div className="loading" aria-busy="true" aria-label="Loading" />;
  return (
    <>
      {error !== null && <Failure error={error} retry={reload} />}
      {data !== null && children(data)}
    </>
  );
}
