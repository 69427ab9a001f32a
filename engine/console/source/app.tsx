/** The frame: who is logged in, which page the address names, and the keys that work everywhere. */
import { type JSX, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import type { InboxPage, Me } from '#schemas/review';
import { asCallError, CallError, setCsrf, whenLoggedOut } from './api/call.ts';
import { startLive, stopLive } from './api/live.ts';
import { api } from './api/routes.ts';
import { Agent } from './pages/agent.tsx';
import { Agents } from './pages/agents.tsx';
import { Delegations } from './pages/delegations.tsx';
import { Inbox, Reviews } from './pages/inbox.tsx';
import { Login } from './pages/login.tsx';
import { Notifications } from './pages/notifications.tsx';
import { Request } from './pages/request.tsx';
import { Search } from './pages/search.tsx';
import { Session } from './pages/session.tsx';
import { Sessions } from './pages/sessions.tsx';
import { Targets } from './pages/targets.tsx';
import { Header } from './parts/header.tsx';
import { Help } from './parts/help.tsx';
import { Empty, Failure } from './parts/notices.tsx';
import { rememberLoginStart } from './request/login-anew.tsx';
import { useKeys } from './state/keys.ts';
import { ReaderContext } from './state/reader.ts';
import { forgetAll, useResource } from './state/resource.ts';
import { Link, navigate, useAddress } from './state/router.tsx';

type Entry =
  | { readonly is: 'asking' }
  | { readonly is: 'out' }
  | { readonly is: 'in'; readonly me: Me }
  | { readonly is: 'failed'; readonly error: CallError };

export function App(): JSX.Element {
  const [entry, setEntry] = useState<Entry>({ is: 'asking' });
  const enter = useCallback(() => void whoIsThere().then(setEntry), []);
  useEffect(() => {
    whenLoggedOut(() => {
      leave();
      setEntry({ is: 'out' });
    });
    enter();
  }, [enter]);
  if (entry.is === 'out') return <Out entered={enter} />;
  if (entry.is === 'failed')
    return (
      <main className="login">
        <Failure error={entry.error} retry={enter} />
      </main>
    );
  if (entry.is === 'asking') return <div className="loading" aria-busy="true" aria-label="Loading" />;
  return <Console me={entry.me} />;
}

/** To the login, and afterwards to where one wanted to go. */
function Out({ entered }: { readonly entered: () => void }): JSX.Element {
  useEffect(() => {
    if (location.pathname === '/login') return;
    const here = location.pathname + location.search;
    navigate(here === '/' ? '/login' : `/login?next=${encodeURIComponent(here)}`, { replace: true });
  }, []);
  return <Login entered={entered} />;
}

async function whoIsThere(): Promise<Entry> {
  try {
    const me = await api.me();
    setCsrf(me.csrf);
    rememberLoginStart(me.login_start);
    startLive();
    // a verdict may ask for a new login of somebody who is logged in, and a link logs in whoever it was made for
    if (location.pathname === '/login') {
      if (new URLSearchParams(location.search).has('fresh') || location.hash.startsWith('#code=')) return { is: 'out' };
      navigate('/', { replace: true });
    }
    return { is: 'in', me };
  } catch (failure) {
    if (failure instanceof CallError && failure.status === 401) return { is: 'out' };
    return { is: 'failed', error: asCallError(failure) };
  }
}

function leave(): void {
  stopLive();
  forgetAll();
  setCsrf('');
}

function Console({ me }: { readonly me: Me }): JSX.Element {
  const [helps, setHelps] = useState(false);
  const waiting = useResource<InboxPage>({
    key: 'waiting',
    load: (signal) => api.inbox({ box: 'to_decide' }, signal),
    concerns: ({ kind }) => kind === 'approval' || kind === 'delegation',
  });
  const { path } = useAddress();
  useTitle(path, waiting.data?.total ?? 0);
  useFocus(path);
  useSameReader(me);
  useKeys({
    '?': () => setHelps(true),
    i: () => navigate('/'),
    s: () => navigate('/sessions'),
    t: () => navigate('/targets'),
    '/': () => path !== '/search' && path !== '/' && navigate('/search#find'),
  });
  const logout = (): void => {
    const gone = (): void => {
      leave();
      location.assign('/login'); // a fresh document: nothing of the session stays in memory
    };
    void api.logout().then(gone, gone);
  };
  const reader = useMemo(() => ({ me, waiting: waiting.data }), [me, waiting.data]);
  return (
    <ReaderContext value={reader}>
      <Header help={() => setHelps(true)} logout={logout} />
      <main id="main" className="main" tabIndex={-1}>
        <Page path={path} />
      </main>
      <Help open={helps} close={() => setHelps(false)} />
    </ReaderContext>
  );
}

function Page({ path }: { readonly path: string }): JSX.Element {
  const [, area = '', id = ''] = path.split('/');
  if (path === '/' || path === '/inbox') return <Inbox />;
  if (area === 'approvals' && id !== '') return <Request id={id} key={id} />;
  if (area === 'sessions') return id === '' ? <Sessions /> : <Session id={id} key={id} />;
  if (area === 'agents') return id === '' ? <Agents /> : <Agent name={id} key={id} />;
  if (path === '/search') return <Search />;
  if (path === '/reviews') return <Reviews />;
  if (path === '/delegations') return <Delegations />;
  if (path === '/notifications') return <Notifications />;
  if (path === '/targets') return <Targets />;
  return (
    <Empty title="There is no such page">
      <p>
        <Link to="/">To the inbox</Link>
      </p>
    </Empty>
  );
}

const TITLES: Readonly<Record<string, string>> = {
  '': 'Inbox',
  inbox: 'Inbox',
  approvals: 'Request',
  sessions: 'Sessions',
  agents: 'Agents',
  search: 'Search',
  reviews: 'Reviews',
  delegations: 'Delegations',
  notifications: 'Messages',
  targets: 'Targets and enforcers',
};

/** In another tab somebody else may have logged in, or out: this one must not act for them. */
function useSameReader(me: Me): void {
  useEffect(() => {
    const look = (): void => {
      if (document.visibilityState !== 'visible') return;
      api.me().then(
        (now) => now.csrf !== me.csrf && location.reload(),
        () => {}, // nobody is logged in: call.ts has said so; or nobody answers: the page says so
      );
    };
    document.addEventListener('visibilitychange', look);
    return () => document.removeEventListener('visibilitychange', look);
  }, [me]);
}

/** Another page: a screen reader begins at its top, not at the link that is gone. */
function useFocus(path: string): void {
  const former = useRef(path);
  useEffect(() => {
    if (former.current !== path) document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true });
    former.current = path;
  }, [path]);
}

function useTitle(path: string, waiting: number): void {
  const name = TITLES[path.split('/')[1] ?? ''] ?? 'Interlock';
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ''}${name} · Interlock`;
  }, [name, waiting]);
}
