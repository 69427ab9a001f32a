/** INSERT, UPDATE, DELETE, MERGE, TRUNCATE and what WITH puts in front of them. */
import { LEXED } from '../text/lexer.ts';
import { type Cursor, NotFollowed, parted } from './cursor.ts';
import { joined, name } from './names.ts';
import type { Scene } from './scene.ts';
import { truthOf } from './truth.ts';
import type { Word } from './words.ts';

/** One part of a sentence; the cursor has nothing left behind it. */
export type Teller = (cursor: Cursor, scene: Scene) => string;

export const remove: Teller = (cursor, scene) => {
  cursor.needs('delete', 'from');
  const target = targetOf(cursor, scene, 'delete', 'using', 'where', 'returning');
  const joining = cursor.takes('using') ? `, joined with ${cursor.say(cursor.until('where', 'returning'))}` : '';
  const rows = rowsOf(cursor, scene);
  return `deletes ${rows.which} ${target}${joining}${joining === '' || rows.where === '' ? '' : ','}${rows.where}${returning(cursor)}`;
};

export const update: Teller = (cursor, scene) => {
  cursor.needs('update');
  const target = targetOf(cursor, scene, 'update', 'set');
  cursor.needs('set');
  const sets = `sets ${assignments(cursor, cursor.until('from', 'where', 'returning'))}`;
  const joining = cursor.takes('from') ? `, joined with ${cursor.say(cursor.until('where', 'returning'))}` : '';
  const rows = rowsOf(cursor, scene);
  return `${sets} in ${rows.which.replace(/ from$/, ' of')} ${target}${joining}${joining === '' || rows.where === '' ? '' : ','}${rows.where}${returning(cursor)}`;
};

export const insert: Teller = (cursor, scene) => {
  cursor.needs('insert', 'into');
  const path = cursor.path();
  const target = scene.changes('insert', path);
  const alias = cursor.takes('as') ? ` (called ${name(cursor.name())})` : '';
  const columns = cursor.sees('(') && !isQuery(cursor) ? cursor.inside() : [];
  const overriding = cursor.takes('overriding') ? `, overriding ${cursor.say([cursor.next()])} values` : '';
  if (overriding !== '') cursor.needs('value');
  const rows = inserted(cursor, scene, columns, `${target}${alias}`);
  return `${rows}${overriding}${conflict(cursor, scene, path)}${returning(cursor)}`;
};

function inserted(cursor: Cursor, scene: Scene, columns: readonly Word[], target: string): string {
  const into = `${target}${columns.length === 0 ? '' : ` (${cursor.say(columns)})`}`;
  if (cursor.takes('default', 'values')) return `inserts 1 row of defaults into ${into}`;
  const source = cursor.until(['on', 'conflict'], 'returning');
  const values = cursor.of(source);
  if (!values.takes('values'))
    return `inserts ${scene.about === null ? 'rows' : `${scene.about} rows`} into ${into}, the result of: ${cursor.say(source)}`;
  const rows = parted(values.rest);
  const one = rows.length === 1 ? pairs(cursor, columns, rows[0] ?? []) : null;
  if (one !== null) return `inserts 1 row into ${target}: ${one}`;
  return `inserts ${rows.length} row${rows.length === 1 ? '' : 's'} into ${into}: ${cursor.say(values.rest)}`;
}

/** `(a, b) values (1, 2)`: a = 1, b = 2 */
function pairs(cursor: Cursor, columns: readonly Word[], row: readonly Word[]): string | null {
  const names = parted(columns);
  const values = parted(cursor.of(row).inside());
  if (columns.length === 0 || names.length !== values.length) return null;
  return names.map((column, index) => `${cursor.say(column)} = ${cursor.say(values[index] ?? [])}`).join(', ');
}

function conflict(cursor: Cursor, scene: Scene, path: readonly string[]): string {
  if (!cursor.takes('on', 'conflict')) return '';
  const on = cursor.until('do');
  const where = `where a row ${on.length === 0 ? 'conflicts' : `conflicts on ${cursor.say(on)}`}`;
  cursor.needs('do');
  if (cursor.takes('nothing')) return `; ${where}, nothing is inserted`;
  cursor.needs('update', 'set');
  scene.alsoChanges(path, 'update');
  const sets = assignments(cursor, cursor.until('where', 'returning'));
  const only = cursor.takes('where') ? `, but only where ${cursor.say(cursor.until('returning'))}` : '';
  return `; ${where}, sets ${sets} in that row${only}`;
}

export const merge: Teller = (cursor, scene) => {
  cursor.needs('merge', 'into');
  const only = cursor.takes('only');
  const path = cursor.path();
  const verb = scene.effects.find(({ verb: one, object }) => one !== 'read' && object.name === path.at(-1))?.verb ?? 'read';
  const target = scene.changes(verb, path);
  scene.alsoChanges(path, 'insert', 'update', 'delete');
  cursor.takes('*');
  cursor.takes('as');
  const alias = cursor.sees('using') ? '' : ` (called ${name(cursor.name())})`;
  cursor.needs('using');
  const source = cursor.say(cursor.until('on'));
  cursor.needs('on');
  const condition = cursor.say(cursor.until('when'));
  const actions: string[] = [];
  while (cursor.takes('when')) actions.push(action(cursor));
  return `merges ${source} into ${target}${only ? ONLY : ''}${alias} on ${condition}: ${actions.join('; ')}${returning(cursor)}`;
};

function action(cursor: Cursor): string {
  const found = cursor.takes('not') ? 'not matched' : 'matched';
  cursor.needs('matched');
  const by = cursor.takes('by') ? ` by ${cursor.say([cursor.next()])}` : '';
  const only = cursor.takes('and') ? ` and ${cursor.say(cursor.until('then'))}` : '';
  cursor.needs('then');
  return `where ${found}${by}${only}, ${done(cursor)}`;
}

function done(cursor: Cursor): string {
  if (cursor.takes('delete')) return 'deletes the row';
  if (cursor.takes('do', 'nothing')) return 'does nothing';
  if (cursor.takes('update', 'set')) return `sets ${assignments(cursor, cursor.until('when', 'returning'))}`;
  cursor.needs('insert');
  const columns = cursor.sees('(') ? cursor.inside() : [];
  if (cursor.takes('default', 'values')) return 'inserts a row of defaults';
  cursor.needs('values');
  const row = cursor.until('when', 'returning');
  return `inserts a row: ${pairs(cursor, columns, row) ?? `(${cursor.say(columns)}) ${cursor.say(row)}`}`;
}

export const truncate: Teller = (cursor, scene) => {
  cursor.needs('truncate');
  cursor.takes('table');
  const targets = parted(cursor.until('restart', 'continue', 'cascade', 'restrict')).map((part) => {
    const one = cursor.of(part);
    const only = one.takes('only');
    const target = scene.changes('truncate', one.path());
    one.takes('*');
    ended(one);
    return `${target}${only ? ONLY : ''}`;
  });
  const restart = cursor.takes('restart', 'identity') ? ', and restarts their sequences' : '';
  cursor.takes('continue', 'identity');
  const cascade = cursor.takes('cascade') ? `, and of every table with a foreign key to ${targets.length > 1 ? 'them' : 'it'}` : '';
  cursor.takes('restrict');
  return `deletes every row of ${joined(targets)}${cascade} (truncate)${restart}`;
};

const ONLY = ' (itself only, no table that inherits from it)';

/** `[ONLY] t [*] [[AS] alias]` */
function targetOf(cursor: Cursor, scene: Scene, verb: 'update' | 'delete', ...next: readonly string[]): string {
  const only = cursor.takes('only');
  const wrapped = only && cursor.takes('(');
  const target = scene.changes(verb, cursor.path());
  if (wrapped) cursor.needs(')');
  cursor.takes('*');
  const alias = cursor.takes('as') || !(cursor.done || next.some((keyword) => cursor.sees(keyword))) ? cursor.name() : null;
  return `${target}${only ? ONLY : ''}${alias === null ? '' : ` (called ${name(alias)})`}`;
}

interface Rows {
  /** `every row of`, `about 1,200 rows from` */
  readonly which: string;
  readonly where: string;
}

function rowsOf(cursor: Cursor, scene: Scene): Rows {
  const all = `every row${scene.about === null ? '' : ` (${scene.about})`} of`;
  if (!cursor.takes('where')) {
    scene.parts.push('all');
    return { which: all, where: '' };
  }
  scene.parts.push('some');
  if (cursor.takes('current', 'of')) return { which: 'one row of', where: `, the one where the cursor ${name(cursor.name())} stands` };
  const condition = cursor.until('returning');
  const said = cursor.say(condition);
  const truth = truthOf(condition);
  if (truth === true) return { which: all, where: ` (its condition is always true: ${said})` };
  if (truth === false) return { which: 'no row of', where: ` (its condition is never true: ${said})` };
  if (isItself(condition))
    return { which: all, where: ` where ${cursor.say(condition.slice(0, (condition.length - 1) / 2))} is not null (its condition is ${said})` };
  if (scene.statement.where === 'constant') return { which: 'either every row or none of', where: `, as its condition looks at no column: ${said}` };
  if (scene.statement.where === 'keyed' && isOne(condition)) return { which: 'at most one row of', where: ` where ${said}` };
  return { which: scene.about === null ? 'the rows of' : `${scene.about} row${scene.about === 'about 1' ? '' : 's'} from`, where: ` where ${said}` };
}

/** `id = id` */
function isItself(condition: readonly Word[]): boolean {
  const middle = (condition.length - 1) / 2;
  const [left, right] = [condition.slice(0, middle), condition.slice(middle + 1)];
  const isColumn = left.every(({ kind, text }) => kind === LEXED.word || kind === LEXED.quoted || text === '.');
  return isColumn && condition[middle]?.text === '=' && left.every(({ text }, index) => text === right[index]?.text);
}

/** One key, not one of several. */
function isOne(condition: readonly Word[]): boolean {
  return !condition.some(({ kind, text }) => kind === LEXED.word && ['or', 'in', 'any', 'some', 'select'].includes(text));
}

function assignments(cursor: Cursor, words: readonly Word[]): string {
  if (words.length === 0) throw new NotFollowed('an assignment expected');
  return cursor.say(words);
}

function returning(cursor: Cursor): string {
  if (!cursor.takes('returning')) return '';
  const columns = cursor.until();
  return `, and returns ${columns.length === 1 && columns[0]?.text === '*' ? 'all their columns' : cursor.say(columns)}`;
}

/** A parenthesis here opens a query, not a list of columns. */
function isQuery(cursor: Cursor): boolean {
  const [, first] = cursor.rest;
  return first?.kind === LEXED.word && ['select', 'with', 'values', 'table'].includes(first.text);
}

/** Nothing may be left that was not told. */
export function ended(cursor: Cursor): void {
  if (!cursor.done) throw new NotFollowed(`nothing more expected, but ${cursor.rest[0]?.text}`);
}
