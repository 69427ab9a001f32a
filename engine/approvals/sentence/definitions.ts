/** CREATE, ALTER, DROP of what is met most; the rest is quoted. */
import { LEXED } from '../text/lexer.ts';
import { type Cursor, NotFollowed, parted } from './cursor.ts';
import { ended, type Teller } from './dml.ts';
import { joined, name } from './names.ts';
import type { Scene } from './scene.ts';
import { lower, type Word } from './words.ts';

const CASCADE = ' and everything that depends on it';

/** Kinds of things, longest first. */
const KINDS: readonly (readonly string[])[] = [
  ['foreign', 'data', 'wrapper'],
  ['text', 'search', 'configuration'],
  ['text', 'search', 'dictionary'],
  ['materialized', 'view'],
  ['foreign', 'table'],
  ['event', 'trigger'],
  ['access', 'method'],
  ...[
    'table',
    'view',
    'index',
    'sequence',
    'schema',
    'function',
    'procedure',
    'routine',
    'aggregate',
    'type',
    'domain',
    'extension',
    'trigger',
    'rule',
    'policy',
    'role',
    'user',
    'group',
    'database',
    'tablespace',
    'server',
    'publication',
    'subscription',
    'statistics',
    'collation',
    'language',
    'owned',
  ].map((kind) => [kind]),
];

export const drop: Teller = (cursor, scene) => {
  cursor.needs('drop');
  const kind = kindOf(cursor);
  if (kind === 'owned') cursor.needs('by');
  const gently = cursor.takes('concurrently') ? ', without blocking writes meanwhile' : '';
  const maybe = cursor.takes('if', 'exists');
  const things = parted(cursor.until('cascade', 'restrict', 'with', 'on')).map((part) => thing(cursor.of(part), scene));
  const on = cursor.takes('on') ? ` of ${named(cursor.path())}` : '';
  const cascade = cursor.takes('cascade') ? (things.length > 1 ? ' and everything that depends on them' : CASCADE) : '';
  cursor.takes('restrict');
  const options = cursor.takes('with') ? `, with ${cursor.say(cursor.until())}` : '';
  scene.quotes('drop', 'alter');
  return `drops ${plural(kind, things.length)} ${joined(things)}${on}${cascade}${maybe ? (things.length > 1 ? ', if they exist' : ', if it exists') : ''}${gently}${options}`;
};

/** A name, and what a function takes. */
function thing(cursor: Cursor, scene: Scene): string {
  const parts = cursor.path();
  if (scene.effects.some(({ verb }) => verb === 'drop')) scene.knows(parts);
  const said = named(parts);
  const takes = cursor.sees('(') ? ` (${cursor.say(cursor.inside())})` : '';
  ended(cursor);
  return `${said}${takes}`;
}

function named(parts: readonly string[]): string {
  return name((parts.length === 2 && parts[0] === 'public' ? parts.slice(1) : parts).join('.'));
}

function kindOf(cursor: Cursor): string {
  const kind = KINDS.find((words) => cursor.takes(...words));
  if (kind === undefined) throw new NotFollowed('a kind of thing expected');
  return kind.join(' ');
}

function plural(kind: string, count: number): string {
  if (kind === 'owned') return 'what is owned by';
  if (count === 1) return `the ${kind}`;
  return `the ${kind.endsWith('y') ? `${kind.slice(0, -1)}ies` : kind.endsWith('x') ? `${kind}es` : kind.endsWith('s') ? kind : `${kind}s`}`;
}

export const alterTable: Teller = (cursor, scene) => {
  cursor.needs('alter', 'table');
  const maybe = cursor.takes('if', 'exists') ? ', if it exists' : '';
  const only = cursor.takes('only') ? ', only itself, no table that inherits from it' : '';
  const target = `${scene.changes('alter', cursor.path())}`;
  cursor.takes('*');
  const actions = parted(cursor.until()).map((part) => {
    const one = cursor.of(part);
    const said = change(one, target);
    ended(one);
    return said;
  });
  scene.quotes('drop', 'create', 'alter', 'grant');
  return `${actions.join(', ')}${only}${maybe}`;
};

function change(cursor: Cursor, target: string): string {
  if (cursor.takes('rename')) return renamed(cursor, target);
  if (cursor.takes('drop')) return dropped(cursor, target);
  if (cursor.takes('add')) return added(cursor, target);
  if (cursor.takes('alter')) return altered(cursor, target);
  if (cursor.takes('owner', 'to')) return `gives ${target} to the owner ${name(cursor.name())}`;
  if (cursor.takes('set', 'schema')) return `moves ${target} to the schema ${name(cursor.name())}`;
  const verb = cursor.takesOne('enable', 'disable', 'force');
  if (verb === 'force') return `alters ${target}: force ${cursor.say(cursor.until())}`;
  if (verb !== null && cursor.takes('trigger', 'all')) return `${verb}s every trigger of ${target}, those of its constraints too`;
  if (verb !== null) return `${verb}s ${cursor.say(cursor.until())} of ${target}`;
  return `alters ${target}: ${cursor.say(cursor.until())}`;
}

function renamed(cursor: Cursor, target: string): string {
  if (cursor.takes('to')) return `renames ${target} to ${name(cursor.name())}`;
  const kind = cursor.takes('constraint') ? 'constraint' : 'column';
  cursor.takes('column');
  const from = cursor.name();
  cursor.needs('to');
  return `renames the ${kind} ${name(from)} of ${target} to ${name(cursor.name())}`;
}

function dropped(cursor: Cursor, target: string): string {
  const kind = cursor.takes('constraint') ? 'constraint' : 'column';
  cursor.takes('column');
  const maybe = cursor.takes('if', 'exists') ? ', if it exists' : '';
  const which = cursor.name();
  const cascade = cursor.takes('cascade') ? CASCADE : '';
  cursor.takes('restrict');
  return `drops the ${kind} ${name(which)} of ${target}${cascade}${maybe}`;
}

const CONSTRAINTS = ['constraint', 'primary', 'unique', 'foreign', 'check', 'exclude'] as const;

function added(cursor: Cursor, target: string): string {
  if (CONSTRAINTS.some((word) => cursor.sees(word))) {
    cursor.takes('constraint');
    return `adds to ${target} the constraint ${cursor.say(cursor.until())}`;
  }
  cursor.takes('column');
  const maybe = cursor.takes('if', 'not', 'exists') ? ', unless it exists' : '';
  const which = cursor.name();
  return `adds to ${target} the column ${name(which)} ${cursor.say(cursor.until())}${maybe}`;
}

function altered(cursor: Cursor, target: string): string {
  if (cursor.takes('constraint')) return `alters the constraint ${name(cursor.name())} of ${target}: ${cursor.say(cursor.until())}`;
  cursor.takes('column');
  const column = `the column ${name(cursor.name())} of ${target}`;
  if (cursor.takes('set', 'data', 'type') || cursor.takes('type')) {
    const type = cursor.say(cursor.until('using'));
    return `changes the type of ${column} to ${type}${cursor.takes('using') ? `, computed as ${cursor.say(cursor.until())}` : ''}`;
  }
  if (cursor.takes('set', 'default')) return `sets the default of ${column} to ${cursor.say(cursor.until())}`;
  if (cursor.takes('drop', 'default')) return `removes the default of ${column}`;
  if (cursor.takes('set', 'not', 'null')) return `forbids null in ${column}`;
  if (cursor.takes('drop', 'not', 'null')) return `allows null in ${column}`;
  return `alters ${column}: ${cursor.say(cursor.until())}`;
}

export const createIndex: Teller = (cursor, scene) => {
  cursor.needs('create');
  const unique = cursor.takes('unique') ? 'unique ' : '';
  cursor.needs('index');
  const gently = cursor.takes('concurrently') ? 'without blocking writes meanwhile' : 'and blocks writes meanwhile';
  const maybe = cursor.takes('if', 'not', 'exists') ? ', unless it exists' : '';
  const which = cursor.sees('on') ? '' : ` ${name(cursor.name())}`;
  cursor.needs('on');
  const only = cursor.takes('only') ? ' alone' : '';
  const path = cursor.path();
  scene.knows(path);
  const target = named(path);
  scene.quotes('create', 'alter');
  return `builds the ${unique}index${which} on ${target}${only} ${cursor.say(cursor.until())}${maybe}, ${gently}`;
};

/** CREATE of a thing whose definition is quoted. */
export const create: Teller = (cursor, scene) => {
  cursor.needs('create');
  const replace = cursor.takes('or', 'replace') ? ' or replaces' : '';
  const traits: string[] = [];
  for (let trait = one(cursor); trait !== null; trait = one(cursor)) traits.push(`${trait} `);
  const kind = kindOf(cursor);
  if (kind === 'role' || kind === 'user' || kind === 'group') throw new NotFollowed('roles are told elsewhere');
  const maybe = cursor.takes('if', 'not', 'exists') ? ', unless it exists' : '';
  const parts = cursor.path();
  if (!ON_A_TABLE.has(kind)) scene.knows(parts);
  const which = `${named(parts)}${cursor.sees('(') && CODE.has(kind) ? ` (${cursor.say(cursor.inside())})` : ''}`;
  scene.quotes('create', 'alter', 'insert');
  const rest = cursor.say(cursor.until());
  return `creates${replace} the ${traits.join('')}${kind} ${which}${maybe}${rest === '' ? '' : `: ${rest}`}`;
};

/** The effect is on the table that it is put on. */
const ON_A_TABLE = new Set(['policy', 'trigger', 'rule']);
const CODE = new Set(['function', 'procedure', 'aggregate']);

function one(cursor: Cursor): string | null {
  return cursor.takesOne('temporary', 'temp', 'unlogged', 'global', 'local', 'recursive', 'constraint', 'trusted', 'procedural');
}

const MADE: Readonly<Record<string, string>> = { create: 'creates', alter: 'alters' };

/** A password is never written into a sentence: it stands in records and messages. */
export const role: Teller = (cursor, scene) => {
  const verb = MADE[cursor.takesOne('create', 'alter') ?? ''];
  if (verb === undefined) throw new NotFollowed('CREATE or ALTER expected');
  const kind = cursor.takesOne('role', 'user', 'group');
  if (kind === null) throw new NotFollowed('a role expected');
  const which = name(cursor.name());
  cursor.takes('with');
  const options = withoutPassword(cursor.until());
  scene.quotes('create', 'alter', 'grant');
  const login = kind === 'user' && verb === 'creates' ? ' that may log in' : '';
  return `${verb} the role ${which}${login}${options.length === 0 ? '' : `: ${cursor.say(options)}`}`;
};

function withoutPassword(words: readonly Word[]): readonly Word[] {
  return words.map((word, index) => {
    const before = words[index - 1];
    const isSecret = before?.kind === LEXED.word && lower(before.text) === 'password' && word.kind === LEXED.string;
    return isSecret ? { kind: LEXED.word, text: '(not shown)' } : word;
  });
}
