/** The way in: the organisation's own login, or in a checkout a link or a token that `interlock` prints. */
import { type FormEvent, type JSX, useEffect, useState } from 'react';
import { asCallError, type CallError } from '../api/call.ts';
import { api, type LoginOptions } from '../api/routes.ts';
import { fieldText } from '../parts/field-text.ts';
import { Failure, Shown } from '../parts/notices.tsx';
import { useResource } from '../state/resource.ts';
import { navigate, useAddress } from '../state/router.tsx';

const FAILED: Readonly<Record<string, string>> = {
  LOGIN_FAILED: 'The login was not completed. Log in again; the log of the gateway says which check failed.',
  SESSION_EXPIRED: 'Your session ended. Log in again.',
};

export function Login({ entered }: { readonly entered: () => void }): JSX.Element {
  const { query } = useAddress();
  const options = useResource<LoginOptions>({ key: 'login options', load: (signal) => api.loginOptions(signal) });
  const [error, setError] = useState<CallError | null>(null);
  const next = safeNext(query.get('next'));
  const failed = query.get('error');
  const enter = async (login: () => Promise<unknown>): Promise<void> => {
    setError(null);
    try {
      await login();
      navigate(next, { replace: true });
      entered();
    } catch (failure) {
      setError(asCallError(failure));
    }
  };
  useEffect(() => {
    document.title = 'Log in · Interlock';
  }, []);
  useLoginLink((code) => void enter(() => api.loginByLink(code)));
  return (
    <main className="login">
      <h1 className="brand">Interlock</h1>
      <p className="lead">Log in to decide on requests and to read the record.</p>
      {failed !== null && (
        <p className="failure" role="alert">
          {FAILED[failed] ?? `The login was not completed (${failed}).`}
        </p>
      )}
      {error !== null && <Failure error={error} />}
      <Shown resource={options}>
        {({ oidc, local }) => (
          <>
            {oidc.map(({ name, start }) => (
              <a key={name} className="button primary wide" href={`${start}${start.includes('?') ? '&' : '?'}next=${encodeURIComponent(next)}`}>
                {`Log in with ${name}`}
              </a>
            ))}
            {local && <LocalLogin enter={enter} />}
            {oidc.length === 0 && !local && (
              <p className="failure">No login is configured: an issuer needs `login` in interlock.yaml, or the local issuer `enabled: true`.</p>
            )}
          </>
        )}
      </Shown>
    </main>
  );
}

function LocalLogin({ enter }: { readonly enter: (login: () => Promise<unknown>) => Promise<void> }): JSX.Element {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const token = fieldText(new FormData(event.currentTarget), 'token');
    void enter(() => api.loginByToken(token));
  };
  return (
    <form className="local-login" onSubmit={submit}>
      <label className="field">
        <span>Token of the local issuer</span>
        <input name="token" type="password" required autoComplete="off" autoFocus />
      </label>
      <button type="submit" className="primary">
        Log in
      </button>
      <p className="quiet">
        In a terminal, <code>interlock console login --login bob --group owners</code> prints a link that needs no token, and{' '}
        <code>interlock token --login bob --group owners --scope approve</code> prints a token.
      </p>
    </form>
  );
}

/** `/login#code=…`: the code is used once and leaves the address at once. */
function useLoginLink(use: (code: string) => void): void {
  useEffect(() => {
    const code = new URLSearchParams(location.hash.slice(1)).get('code');
    if (code === null) return;
    history.replaceState(null, '', location.pathname + location.search);
    use(code);
  }, []);
}

/** A path of this console, nothing that leads elsewhere. */
function safeNext(next: string | null): string {
  if (next === null || !next.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/';
  return next;
}
