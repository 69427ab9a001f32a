/**
 * One statement in words: a reading of its text that must agree with its facts. What this reading does not follow, or what the facts know
 * otherwise, is null: the caller then says what the facts say, and quotes the text.
 */
import type { SqlKind } from '#schemas/sql-kinds';
import { Cursor, NotFollowed } from './cursor.ts';
import { alterTable, create, createIndex, drop, role } from './definitions.ts';
import { ended, insert, merge, remove, type Teller, truncate, update } from './dml.ts';
import { name } from './names.ts';
import {
  analyze,
  begin,
  block,
  call,
  comment,
  commit,
  execute,
  lock,
  notify,
  preparing,
  refresh,
  reindex,
  rollback,
  set,
  setForLater,
  vacuum,
} from './others.ts';
import { copy, explained, query, select } from './reads.ts';
import { grant, revoke } from './rights.ts';
import type { Scene } from './scene.ts';
import { LEXED } from '../text/lexer.ts';
import type { Word, Writing } from './words.ts';

/** A sentence of more is none: the facts' is bounded. */
const WORDS_MAX = 20_000;

export function told(words: readonly Word[], scene: Scene, writing: Writing): string | null {
  if (words.length > WORDS_MAX) return null;
  const trimmed = words.at(-1)?.text === ';' ? words.slice(0, -1) : words;
  if (trimmed.some(({ kind, text }) => kind === LEXED.mark && text === ';')) return null;
  try {
    const cursor = new Cursor(trimmed, writing);
    const said = scene.statement.explain === 'no' ? tell(cursor, scene) : explained(cursor, scene, tell);
    ended(cursor);
    return agrees(scene) ? said : null;
  } catch (error) {
    if (error instanceof NotFollowed) return null;
    throw error;
  }
}

const TELLERS: Partial<Record<SqlKind, Teller>> = {
  select,
  select_into: select,
  values: query,
  table: query,
  insert,
  update,
  delete: remove,
  merge,
  truncate,
  copy,
  drop,
  drop_role: drop,
  drop_database: drop,
  drop_owned: drop,
  drop_subscription: drop,
  drop_tablespace: drop,
  alter_table: alterTable,
  rename: alterTable,
  alter_owner: alterTable,
  alter_object: alterTable,
  create_index: createIndex,
  create_role: role,
  alter_role: role,
  create_table: create,
  create_table_as: create,
  create_view: create,
  create_materialized_view: create,
  create_schema: create,
  create_sequence: create,
  create_type: create,
  create_domain: create,
  create_function: create,
  create_procedure: create,
  create_trigger: create,
  create_rule: create,
  create_policy: create,
  create_extension: create,
  grant,
  grant_role: grant,
  revoke,
  revoke_role: revoke,
  begin,
  commit,
  rollback,
  set,
  reset: set,
  discard: set,
  set_role: set,
  set_session_authorization: set,
  alter_system: setForLater,
  alter_role_set: setForLater,
  alter_database_set: setForLater,
  lock,
  call,
  do: block,
  execute,
  prepare: (cursor, scene) => preparing(tell)(cursor, scene),
  notify,
  vacuum,
  analyze,
  reindex,
  refresh_materialized_view: refresh,
  comment,
};

const tell: Teller = (cursor, scene) => {
  if (cursor.sees('with')) return common(cursor, scene);
  const teller = byWord(cursor) ?? TELLERS[scene.statement.kind];
  if (teller === undefined) throw new NotFollowed(`no words for ${scene.statement.kind}`);
  return teller(cursor, scene);
};

/** What a statement is inside WITH or EXPLAIN. */
function byWord(cursor: Cursor): Teller | undefined {
  if (cursor.sees('select')) return select;
  if (cursor.sees('insert')) return insert;
  if (cursor.sees('update')) return update;
  if (cursor.sees('delete')) return remove;
  return cursor.sees('merge') ? merge : undefined;
}

/** Queries are quoted, what they change is told first, as it is done. */
function common(cursor: Cursor, scene: Scene): string {
  cursor.needs('with');
  const recursive = cursor.takes('recursive') ? 'recursive ' : '';
  const parts: string[] = [];
  do {
    const called = name(cursor.name());
    const columns = cursor.sees('(') ? ` (${cursor.say(cursor.inside())})` : '';
    cursor.needs('as');
    const how = cursor.takes('not', 'materialized') ? ' not materialized' : cursor.takes('materialized') ? ' materialized' : '';
    const inner = cursor.inside();
    const body = cursor.of(inner);
    const writes = byWord(body);
    if (writes === undefined || writes === select) parts.push(`with ${recursive}${called}${columns}${how} being: ${cursor.say(inner)}`);
    else {
      parts.push(`${writes(body, scene)} (as ${called}${columns}${how})`);
      ended(body);
    }
  } while (cursor.takes(','));
  if (cursor.sees('search') || cursor.sees('cycle')) throw new NotFollowed('SEARCH and CYCLE');
  return [...parts, tell(cursor, scene)].join(', then ');
}

/** The facts know of no other change, and of the same choice of rows. */
function agrees(scene: Scene): boolean {
  if (scene.untold.some((effect) => effect.verb !== 'execute')) return false;
  const { where, explain } = scene.statement;
  if (scene.parts.length !== 1 || explain !== 'no') return true;
  return (where === 'none') === (scene.parts[0] === 'all');
}
