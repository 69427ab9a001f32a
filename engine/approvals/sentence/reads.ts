/** SELECT, VALUES, TABLE, COPY, EXPLAIN. */
import type { Cursor } from './cursor.ts';
import { ended, type Teller } from './dml.ts';
import { name } from './names.ts';
import type { Scene } from './scene.ts';
import type { Word } from './words.ts';

const CLAUSES = ['where', 'group', 'having', 'window', 'union', 'intersect', 'except', 'order', 'limit', 'offset', 'fetch', 'for'] as const;

/** A plain one in words; of any other the text says it best. */
export const select: Teller = (cursor, scene) => {
  const all = cursor.rest;
  cursor.needs('select');
  const output = cursor.until('into', 'from', ...CLAUSES);
  if (cursor.takes('into')) return into(cursor, scene, all);
  if (cursor.done) return `returns ${cursor.say(output)}`;
  if (!cursor.takes('from')) return whole(cursor, scene, all);
  const from = cursor.until(...CLAUSES);
  const where = cursor.takes('where') ? ` where ${cursor.say(cursor.until(...CLAUSES.slice(1)))}` : '';
  const rest = cursor.until();
  if (rest.some(({ text }) => text === 'union' || text === 'intersect' || text === 'except')) return whole(cursor, scene, all);
  scene.parts.push(where === '' ? 'all' : 'some');
  if (scene.statement.locking) scene.quotes('lock');
  const rows = scene.about === null ? '' : ` of ${scene.about} rows`;
  const what = output.length === 1 && output[0]?.text === '*' ? 'every column' : cursor.say(output);
  return `reads ${what}${rows} from ${cursor.say(from)}${where}${rest.length === 0 ? '' : `, ${cursor.say(rest)}`}`;
};

function whole(cursor: Cursor, scene: Scene, all: readonly Word[]): string {
  cursor.until();
  if (scene.statement.locking) scene.quotes('lock');
  const rows = scene.about === null ? '' : `, ${scene.about} rows,`;
  return `reads the result${rows} of: ${cursor.say(all)}`;
}

function into(cursor: Cursor, scene: Scene, all: readonly Word[]): string {
  const temporary = cursor.takesOne('temporary', 'temp', 'unlogged');
  cursor.takes('table');
  const target = scene.changes('create', cursor.path());
  scene.quotes('insert');
  cursor.until();
  return `creates the ${temporary === null ? '' : `${temporary} `}table ${target} from the rows of: ${cursor.say(all)}`;
}

/** VALUES …, TABLE t, (SELECT …) UNION … */
export const query: Teller = (cursor, scene) => whole(cursor, scene, cursor.rest);

export const copy: Teller = (cursor, scene) => {
  cursor.needs('copy');
  cursor.takes('binary');
  const inner = cursor.sees('(') ? cursor.inside() : null;
  const path = inner === null ? cursor.path() : null;
  const columns = inner === null && cursor.sees('(') ? ` (${cursor.say(cursor.inside())})` : '';
  const takes = path !== null && cursor.takes('from');
  if (!takes) cursor.needs('to');
  const program = cursor.takes('program');
  const place = cursor.next();
  const options = cursor.say(cursor.until());
  const stdio = place.text === 'stdin' || place.text === 'stdout';
  if (!stdio) scene.quotes(program ? 'run_program' : takes ? 'read_file' : 'write_file');
  const where = stdio ? 'the client' : `the ${program ? 'program' : 'file'} ${cursor.say([place])} on the server`;
  const what =
    path === null ? `the result of: ${cursor.say(inner ?? [])}` : `${takes ? scene.changes('insert', path) : name(path.join('.'))}${columns}`;
  const said = takes ? `copies rows from ${where} into ${what}` : `copies ${path === null ? what : `every row of ${what}`} to ${where}`;
  return `${said}${options === '' ? '' : `, with ${options.replace(/^with /, '')}`}`;
};

/** The statement that EXPLAIN is in front of; `inner` tells it. */
export function explained(cursor: Cursor, scene: Scene, inner: Teller): string {
  cursor.needs('explain');
  if (cursor.sees('(')) cursor.inside();
  while (cursor.takesOne('analyze', 'analyse', 'verbose') !== null);
  if (scene.statement.explain === 'plan') return `only explains, and does not run: ${cursor.say(cursor.until())}`;
  const said = inner(cursor, scene);
  ended(cursor);
  return `runs and explains: ${said}`;
}
