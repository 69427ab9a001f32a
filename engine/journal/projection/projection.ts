/**
 * The journal as tables: what lists, search and the console read from. It is made from the journal alone, follows it, and can be dropped at any
 * time; nothing is ever decided by it. Reading and writing happen in threads of their own, so that neither a rebuild nor a slow search
 * delays a statement.
 */
import type { Log } from '#client/log';
import type { InboxItem, SessionItem, SessionPage, StatementItem, StatementPage } from '#schemas/review';

/** Who reads (SECURITY N6); it becomes part of every query. */
export type Access =
  | { readonly all: true }
  | {
      readonly all: false;
      /** Subject ids (`iss|sub`): theirs are the sessions of these subjects, and of whoever acts on their behalf. At most 64. */
      readonly subjects: readonly string[];
      /** Requests whose chain names one of these are theirs too, and the statement asked for; not the rest of its session. At most 256 groups. */
      readonly asked?: { readonly groups: readonly string[] /** logins and subject ids */; readonly users: readonly string[] };
    };

export interface Paged {
  readonly access: Access;
  /** `next` of the page before: what follows it. */
  readonly cursor?: string;
  /** 1 to 200 */
  readonly limit: number;
}

/** All that is given must fit. Newest first. */
export interface SessionQuery extends Paged {
  readonly state?: 'open' | 'closed';
  readonly target?: string;
  /** Login of who acts, or of the human behind them; whole, in any case. */
  readonly who?: string;
  /** RFC 3339: opened at or after. */
  readonly since?: string;
  /** RFC 3339: opened before. */
  readonly until?: string;
}

export interface StatementQuery extends Paged {
  readonly session?: string;
  readonly who?: string;
  readonly target?: string;
  /** What was touched: `public.payments`; a bare name means it in any schema. With `verb`: touched in this way. */
  readonly object?: string;
  /** Of the fact: `delete`, `update` … */
  readonly verb?: string;
  readonly effect?: string;
  /** Of a reason, or of the refusal. */
  readonly code?: string;
  readonly outcome?: string;
  /** Each of these words stands in the text: a word, an identifier (`public.payments`) or a part of one (`payments`); `pay*`: begins so. */
  readonly q?: string;
  /** RFC 3339: received at or after. */
  readonly since?: string;
  /** RFC 3339: received before. */
  readonly until?: string;
}

export interface TimelineQuery extends Paged {
  readonly session_id: string;
}

/** Where the events of a session stand in the journal: `last` null while it is open. */
export interface SessionRange {
  readonly first: number;
  readonly last: number | null;
  /** '': the process' own; else the id of one in the archive. */
  readonly journal: string;
}

export interface ProjectionStatus {
  /** `rebuilding`: queries answer PROJECTION_BEHIND; `failed`: its disk, it is tried again. */
  readonly state: 'starting' | 'rebuilding' | 'following' | 'failed' | 'closed';
  readonly file: string;
  /** Position of the last record that it holds; -1: none. */
  readonly position: number;
  /** Records of the journal that it does not hold yet. */
  readonly behind: number;
  /** Of a running rebuild. */
  readonly progress: ProjectionProgress | null;
  readonly rebuilds: number;
  readonly error: string | null;
}

export interface ProjectionProgress {
  readonly records: number;
  readonly of: number;
  readonly events: number;
  readonly events_per_s: number;
}

/** What was written, once it can be read. */
export interface ProjectionChange {
  readonly kind: 'session' | 'statement' | 'approval';
  readonly id: string;
  readonly session_id?: string;
  /** A session's state, a statement's outcome, an approval's state. */
  readonly state: string;
  /** Subject ids: who acts, and the human behind. */
  readonly owners: readonly string[];
}

/**
 * Every text that it answers is safe to show (SECURITY M8). Every query rejects with PROJECTION_BEHIND while it is rebuilt, PROJECTION_UNAVAILABLE
 * when it cannot be read, PROJECTION_SLOW past its time, and USAGE for a cursor, time or limit that is none.
 */
export interface Projection {
  sessions(query: SessionQuery): Promise<SessionPage>;
  /** null: there is none, or it is not theirs to read. */
  session(id: string, access: Access): Promise<SessionItem | null>;
  /** The statements of a session in their order; empty where it is not theirs. */
  timeline(query: TimelineQuery): Promise<StatementPage>;
  search(query: StatementQuery): Promise<StatementPage>;
  /** The statements of a session before one of them, newest first; for whoever may read the request that holds it: the caller has judged that. */
  sessionSoFar(query: { readonly session_id: string; readonly before: string; readonly limit: number }): Promise<readonly StatementItem[]>;
  /** Requests before this one, of the same shape on the same target, newest first, that the reader may read. */
  earlierLike(query: { readonly approval_id: string; readonly limit: number; readonly access: Access }): Promise<readonly InboxItem[]>;
  /** Where in the journal a session's events stand, so that they can be read without the rest; null: not theirs, or none. */
  rangeOf(sessionId: string, access: Access): Promise<SessionRange | null>;
  status(): ProjectionStatus;
  /** Drops it and makes it anew; resolves when that has begun. */
  rebuild(): void;
  /** Called for what was written; a rebuild is not told. The answer ends it. */
  onChange(listener: (change: ProjectionChange) => void): () => void;
  close(): Promise<void>;
}

export interface ProjectionOptions {
  /** Made with mode 0600; with `-wal` and `-shm` beside it. */
  readonly file: string;
  readonly journal: ProjectedJournal;
  /** Journals of others, a folder each; `own`: the id of the journal itself, which is there as well. Absent: there are none. */
  readonly archive?: { readonly dir: string; readonly own: string };
  readonly log: Log;
  /** A query that takes longer is ended. */
  readonly queryMsMax?: number;
}

/** What it needs of the journal; its files are read in a thread. */
export interface ProjectedJournal {
  readonly dir: string;
  /** Position of the last record on stable storage: what is behind it is not shown yet. */
  readonly durablePosition: number;
}
