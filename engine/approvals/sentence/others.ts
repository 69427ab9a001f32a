/** Statements of a few words: transactions, settings, maintenance, calls. */
import { type Cursor, NotFollowed } from './cursor.ts';
import type { Teller } from './dml.ts';
import { name } from './names.ts';

export const begin: Teller = (cursor, scene) => {
  if (!cursor.takes('begin')) cursor.needs('start', 'transaction');
  cursor.takesOne('work', 'transaction');
  const rest = cursor.say(cursor.until());
  scene.quotes('transaction');
  return `begins a transaction${rest === '' ? '' : ` (${rest})`}`;
};

export const commit: Teller = (cursor, scene) => {
  if (!cursor.takes('commit')) cursor.needs('end');
  return ending(cursor, scene, 'commits the transaction');
};

export const rollback: Teller = (cursor, scene) => {
  if (!cursor.takes('rollback')) cursor.needs('abort');
  return ending(cursor, scene, 'rolls the transaction back');
};

function ending(cursor: Cursor, scene: Parameters<Teller>[1], said: string): string {
  cursor.takesOne('work', 'transaction');
  const rest = cursor.say(cursor.until());
  scene.quotes('transaction');
  return `${said}${rest === '' ? '' : `, ${rest}`}`;
}

export const lock: Teller = (cursor, scene) => {
  cursor.needs('lock');
  cursor.takes('table');
  const what = cursor.say(cursor.until('in', 'nowait'));
  const mode = cursor.takes('in') ? cursor.say(cursor.until('nowait')).replace(/ mode$/, '') : 'access exclusive';
  const nowait = cursor.takes('nowait') ? ', or fails at once' : '';
  scene.quotes('lock');
  return `locks ${what} (${mode}) until its transaction ends${nowait}`;
};

export const call: Teller = (cursor, scene) => {
  cursor.needs('call');
  const path = cursor.path();
  const takes = cursor.inside();
  scene.quotes('execute');
  return `calls the procedure ${name(path.join('.'))} with (${cursor.say(takes)})`;
};

export const set: Teller = (cursor) => {
  if (cursor.takes('reset')) return `resets ${cursor.say(cursor.until())}`;
  if (cursor.takes('discard')) return `discards ${cursor.say(cursor.until())} of the session`;
  cursor.needs('set');
  const scope = cursor.takesOne('session', 'local') === 'local' ? 'until the transaction ends' : 'for the session';
  if (cursor.takes('time', 'zone')) return `sets the time zone to ${cursor.say(cursor.until())} ${scope}`;
  if (cursor.takes('role')) return `acts as the role ${cursor.say(cursor.until())} ${scope}`;
  if (cursor.takes('authorization')) return `acts as ${cursor.say(cursor.until())} ${scope}`;
  const setting = name(cursor.path().join('.'));
  if (!cursor.takes('=')) cursor.needs('to');
  return `sets ${setting} to ${cursor.say(cursor.until())} ${scope}`;
};

/** For all sessions to come, of a role, a database or the server. */
export const setForLater: Teller = (cursor, scene) => {
  cursor.needs('alter');
  const kind = cursor.takesOne('system', 'role', 'user', 'database');
  if (kind === null) throw new NotFollowed('ALTER SYSTEM, ROLE or DATABASE expected');
  const whom =
    kind === 'system' ? 'the whole server' : `every later session of ${cursor.takes('all') ? 'everybody' : `the ${kind} ${name(cursor.name())}`}`;
  const inside = cursor.takes('in', 'database') ? ` in the database ${name(cursor.name())}` : '';
  scene.quotes('alter');
  if (cursor.takes('reset')) return `resets ${cursor.say(cursor.until())} for ${whom}${inside}`;
  cursor.needs('set');
  const setting = name(cursor.path().join('.'));
  if (!cursor.takes('=')) cursor.needs('to');
  return `sets ${setting} to ${cursor.say(cursor.until())} for ${whom}${inside}`;
};

export const vacuum: Teller = (cursor, scene) => {
  cursor.needs('vacuum');
  scene.quotes('alter', 'lock');
  const options = cursor.sees('(') ? cursor.inside() : [];
  const full = cursor.takes('full') || options.some(({ text }) => text === 'full');
  const more = options.length === 0 ? [] : [cursor.say(options)];
  for (let one = cursor.takesOne('freeze', 'verbose', 'analyze'); one !== null; one = cursor.takesOne('freeze', 'verbose', 'analyze')) more.push(one);
  const what = cursor.done ? 'every table of the database' : cursor.say(cursor.until());
  const said = full ? `rewrites ${what} and locks it meanwhile (vacuum full)` : `vacuums ${what}`;
  return `${said}${more.length === 0 ? '' : `, with ${more.join(', ')}`}`;
};

export const analyze: Teller = (cursor, scene) => {
  cursor.needs('analyze');
  scene.quotes('alter', 'lock');
  return `gathers statistics of ${cursor.done ? 'every table of the database' : cursor.say(cursor.until())}`;
};

export const reindex: Teller = (cursor, scene) => {
  cursor.needs('reindex');
  const options = cursor.sees('(') ? `, with ${cursor.say(cursor.inside())}` : '';
  const kind = cursor.takesOne('index', 'table', 'schema', 'database', 'system');
  if (kind === null) throw new NotFollowed('a kind of thing expected');
  const gently = cursor.takes('concurrently') ? 'without blocking writes meanwhile' : 'and blocks writes meanwhile';
  scene.quotes('alter', 'lock');
  return `rebuilds ${kind === 'index' ? 'the index' : `the indexes of the ${kind}`} ${cursor.say(cursor.until())}${options}, ${gently}`;
};

export const refresh: Teller = (cursor, scene) => {
  cursor.needs('refresh', 'materialized', 'view');
  const gently = cursor.takes('concurrently') ? ', without blocking reads meanwhile' : ', and blocks reads meanwhile';
  const path = cursor.path();
  scene.knows(path);
  scene.quotes('insert', 'alter', 'truncate', 'update', 'delete');
  const empty = cursor.takes('with', 'no', 'data') ? 'empties' : 'computes anew';
  cursor.takes('with', 'data');
  return `${empty} the materialized view ${name(path.join('.'))}${gently}`;
};

export const comment: Teller = (cursor, scene) => {
  cursor.needs('comment', 'on');
  const what = cursor.say(cursor.until('is'));
  cursor.needs('is');
  scene.quotes('alter');
  return `sets the comment on ${what} to ${cursor.say(cursor.until())}`;
};

export const notify: Teller = (cursor, scene) => {
  cursor.needs('notify');
  const channel = name(cursor.name());
  const words = cursor.takes(',') ? `: ${cursor.say(cursor.until())}` : '';
  scene.quotes('signal');
  return `notifies the channel ${channel}${words}`;
};

export const block: Teller = (cursor, scene) => {
  cursor.needs('do');
  scene.quotes('execute');
  return `runs a block of code: ${cursor.say(cursor.until())}`;
};

export const execute: Teller = (cursor, scene) => {
  cursor.needs('execute');
  const which = name(cursor.name());
  scene.quotes('execute');
  return `runs the prepared statement ${which}${cursor.done ? '' : ` with (${cursor.say(cursor.inside())})`}`;
};

/** It runs when it is executed; the facts judge it now. */
export const preparing =
  (inner: Teller): Teller =>
  (cursor, scene) => {
    cursor.needs('prepare');
    const which = name(cursor.name());
    const types = cursor.sees('(') ? ` (${cursor.say(cursor.inside())})` : '';
    cursor.needs('as');
    return `prepares ${which}${types}, which when executed: ${inner(cursor, scene)}`;
  };
