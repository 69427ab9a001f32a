/** Addresses are the state that people share: every page, filter and cursor has one. */
import { type ComponentProps, type JSX, type MouseEvent, useSyncExternalStore } from 'react';

export interface Address {
  readonly path: string;
  readonly query: URLSearchParams;
  /** The statement or line that the address points to, without its `#`. */
  readonly anchor: string;
}

const MOVED = 'interlock:moved';
let known: Address = read();

export function navigate(to: string, how: { readonly replace?: boolean } = {}): void {
  if (how.replace === true) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  const stays = new URL(to, location.href).pathname === known.path;
  window.dispatchEvent(new Event(MOVED));
  if (!stays) window.scrollTo(0, 0);
}

export function useAddress(): Address {
  return useSyncExternalStore(subscribe, () => known);
}

/** The same page with other parameters; what is empty is left out. */
export function withQuery(address: Address, changes: Readonly<Record<string, string | null>>): string {
  const query = new URLSearchParams(address.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text === '' ? address.path : `${address.path}?${text}`;
}

/** An ordinary link: it opens in a tab, is copied and read out like any other. */
export function Link({ to, ...rest }: { readonly to: string } & Omit<ComponentProps<'a'>, 'href'>): JSX.Element {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    rest.onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={to} onClick={follow} />;
}

function read(): Address {
  return { path: location.pathname, query: new URLSearchParams(location.search), anchor: decodeURIComponent(location.hash.slice(1)) };
}

function subscribe(changed: () => void): () => void {
  const moved = (): void => {
    known = read();
    changed();
  };
  window.addEventListener('popstate', moved);
  window.addEventListener(MOVED, moved);
  return () => {
    window.removeEventListener('popstate', moved);
    window.removeEventListener(MOVED, moved);
  };
}
