/** Who is logged in, for every part of the page. */
import { createContext, useContext } from 'react';
import type { InboxPage, Me } from '#schemas/review';

export interface Reader {
  readonly me: Me;
  /** The first page of what waits for them; null until it is there. */
  readonly waiting: InboxPage | null;
}

export const ReaderContext = createContext<Reader | null>(null);

export function useReader(): Reader {
  const reader = useContext(ReaderContext);
  if (reader === null) throw new Error('nobody is logged in');
  return reader;
}
