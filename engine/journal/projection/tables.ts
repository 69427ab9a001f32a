/** The projection's file: its tables, how it is made, opened and dropped. */
import { closeSync, openSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { TOKENIZER } from './terms.ts';

/** Another one is dropped and made anew. */
const SCHEMA_VERSION = 2;

const TERMS = `fts5(terms, content='', contentless_delete=1, detail=none, tokenize="${TOKENIZER}")`;

const TABLES = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;

-- short texts that many rows share, as JSON: codes, touched objects, masks
CREATE TABLE label (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
-- the beginning of a statement's text, as much as is ever shown
CREATE TABLE text (id INTEGER PRIMARY KEY, text TEXT NOT NULL);

-- rows are numbered in the order of the journal; times are microseconds since the epoch
CREATE TABLE session (
  id INTEGER PRIMARY KEY, session_id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL,
  subject TEXT NOT NULL, login TEXT NOT NULL, subject_type TEXT NOT NULL, behalf TEXT, behalf_login TEXT,
  target TEXT NOT NULL, database TEXT, client TEXT, application TEXT, protocol TEXT NOT NULL,
  closed_at INTEGER, reason TEXT, statements INTEGER NOT NULL, refused INTEGER NOT NULL, held INTEGER NOT NULL,
  first INTEGER NOT NULL, last INTEGER NOT NULL,
  -- where it stands, and its first and last: '' this journal, else the id of one in the archive
  journal TEXT NOT NULL
);
CREATE INDEX session_open ON session (id) WHERE closed_at IS NULL;
CREATE VIRTUAL TABLE session_terms USING ${TERMS};

CREATE TABLE statement (
  id INTEGER PRIMARY KEY, statement_id TEXT NOT NULL UNIQUE, session INTEGER NOT NULL, time INTEGER NOT NULL,
  action INTEGER NOT NULL, text INTEGER, effect INTEGER, codes INTEGER, touched INTEGER, outcome INTEGER NOT NULL,
  refused TEXT, sqlstate TEXT, rows INTEGER, bytes INTEGER, duration_us INTEGER, masked INTEGER, approval_id TEXT
);
CREATE INDEX statement_of_session ON statement (session, id);
CREATE VIRTUAL TABLE statement_terms USING ${TERMS};
-- the first and last time of every so many rows: clocks may jump
CREATE TABLE statement_block (block INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE session_block (block INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
-- all of a statement that has not ended, as JSON: its terms cannot be read back from the index
CREATE TABLE open_statement (statement_id TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE approval (
  id INTEGER PRIMARY KEY, approval_id TEXT NOT NULL UNIQUE, time INTEGER NOT NULL, expires_at INTEGER NOT NULL, state TEXT NOT NULL,
  session_id TEXT, statement_id TEXT, subject TEXT NOT NULL, login TEXT NOT NULL, subject_type TEXT NOT NULL, behalf TEXT, behalf_login TEXT,
  target TEXT NOT NULL, shape TEXT, summary TEXT NOT NULL, codes INTEGER NOT NULL,
  approved INTEGER NOT NULL, needed INTEGER NOT NULL, uses INTEGER NOT NULL, uses_max INTEGER, review TEXT
);
CREATE INDEX approval_like ON approval (shape, target, id);
-- whom it asks by name
CREATE TABLE approval_asked (approval INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (approval, kind, name)) WITHOUT ROWID;
`;

/** Rows to a block. */
export const BLOCK_ROWS = 1024;

/** How far the journal was read when the file was last written. */
export interface Place {
  readonly journal: string;
  readonly seq: number;
  /** Of the record at `seq`, hexadecimal. */
  readonly hash: string;
}

/** Opens the file for its one writer, and makes it where there is none. @throws Error of SQLite or of the disk */
export function openTables(file: string): DatabaseSync {
  if (!made(file)) return tuned(new DatabaseSync(file));
  const database = tuned(new DatabaseSync(file));
  database.exec(`BEGIN; ${TABLES}; PRAGMA user_version = ${SCHEMA_VERSION}; COMMIT`);
  return database;
}

/** For reading only. Not by a map of the file: one that is cut short under it would end the process. */
export function openForReading(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 1_000 });
  database.exec('PRAGMA cache_size = -16384');
  return database;
}

export function dropTables(file: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
}

/** null: of another version of the tables, or half made. @param source '': the process' own journal; else one of the archive, null if it was not read yet */
export function readPlace(database: DatabaseSync, source: string = ''): Place | null {
  if (database.prepare('PRAGMA user_version').get()?.['user_version'] !== SCHEMA_VERSION) return null;
  const row = database.prepare('SELECT value FROM meta WHERE key = ?').get(keyOf(source));
  return row === undefined ? null : (JSON.parse(String(row['value'])) as Place);
}

/** In the transaction of the rows that it stands for. */
export function writePlace(database: DatabaseSync, place: Place, source: string = ''): void {
  database.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(keyOf(source), JSON.stringify(place));
}

function keyOf(source: string): string {
  return source === '' ? 'place' : `place ${source}`;
}

/** Only the user who runs the gateway may read it; SQLite gives the files beside it the same mode. True: it was not there. */
function made(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

function tuned(database: DatabaseSync): DatabaseSync {
  database.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 2000; PRAGMA temp_store = MEMORY',
  );
  return database;
}
